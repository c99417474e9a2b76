"""The tables [tls], [access] and [auth]: encryption, allowed addresses and pages, tokens.

Law: the file never has a secret. It has hashes of tokens, and names of key files.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, get_args

from msgspec import Meta

from ticker.config.section import Count, FilePath, Seconds, Section, Text

Channel = Literal["price", "quote", "trades", "depth", "movers", "bars"]
Algorithm = Literal["HS256", "RS256", "EdDSA"]
SymbolPattern = Annotated[str, Meta(pattern=r"^[\x21-\x7e]{1,24}\Z")]
Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]

ORIGIN = re.compile(r"https?://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
HOST = re.compile(r"[a-z0-9._-]{1,253}")


class TlsConfig(Section, frozen=True, kw_only=True):
    """TLS 1.2 and 1.3 with a certificate chain and its key, PEM files."""

    certificate: FilePath
    key: FilePath


class AccessConfig(Section, frozen=True, kw_only=True):
    """The rules for connections, before a client has shown a token. Each gateway worker counts its
    limits separately.

    `public_url` is the address that clients use, if a proxy or a port map stands between. `hosts`
    are further names of this server; "*" allows any. `origins` are the pages of other sites that
    may use the server. `proxies` are the networks that are trusted to name their clients, by a
    PROXY header, or by the headers that `forwarded` selects: X-Forwarded-*, or Forwarded (RFC
    7239).
    """

    public_url: str | None = None
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    forwarded: Literal["x-forwarded", "forwarded"] = "x-forwarded"
    proxy_protocol: bool = False
    behind_tls_proxy: bool = False
    connections_per_address: Annotated[int, Meta(ge=0)] = 0
    handshakes_per_second: Annotated[int, Meta(ge=0)] = 0
    handshakes_burst: Count = 100


class Rights(Section, frozen=True, kw_only=True):
    """The rights of a client, on the stream and by REST; 0 is no bound. `metrics` opens
    /metrics, `wildcard` the subscription to all symbols, which no bound of symbols counts."""

    symbols: Annotated[tuple[SymbolPattern, ...], Meta(min_length=1)] = ("*",)
    channels: Annotated[tuple[Channel, ...], Meta(min_length=1)] = get_args(Channel)
    max_rate: Annotated[float, Meta(ge=0, le=1000)] = 0.0
    max_symbols: Annotated[int, Meta(ge=0)] = 0
    connections: Annotated[int, Meta(ge=0)] = 0
    metrics: bool = False
    wildcard: bool = False


class TokenConfig(Rights, frozen=True, kw_only=True):
    """A static token by the SHA-256 of its text, with its rights."""

    name: Text
    sha256: Digest


class JwtConfig(Section, frozen=True, kw_only=True):
    """JSON Web Tokens (RFC 7519) by the keys in `key_file`: PEM public keys, a JWK set, or for
    HS256 the secret itself. Read again when it changes."""

    key_file: FilePath
    algorithms: Annotated[tuple[Algorithm, ...], Meta(min_length=1)] = ("EdDSA",)
    audience: str | None = None
    issuer: str | None = None
    leeway: Annotated[float, Meta(ge=0, le=300)] = 5.0


class AuthConfig(Section, frozen=True, kw_only=True):
    """The tokens, and whether clients need one; `timeout` is for the first message, in s.

    `default` has the rights of a client without rights of its own. One such client has a JSON Web
    Token without the claim `ticker`; it is refused if there is no default. The other has no token
    where none is required; it may see everything if there is no default.
    """

    required: bool = True
    timeout: Seconds = 10.0
    default: Rights | None = None
    tokens: tuple[TokenConfig, ...] = ()
    jwt: JwtConfig | None = None


def access_problems(
    host: str, tls: TlsConfig | None, access: AccessConfig, auth: AuthConfig | None
) -> Iterator[str]:
    """The checks of these tables beyond their types; each fault starts with the path of its key."""
    if not _is_loopback(host) and tls is None and not access.behind_tls_proxy:
        yield (
            f"server.host: {host} is reachable from outside, and nothing encrypts: add [tls], or "
            "say access.behind_tls_proxy = true if a proxy in front of it does"
        )
    for key, path in () if tls is None else (("certificate", tls.certificate), ("key", tls.key)):
        if not Path(path).is_file():
            yield f"tls.{key}: no file {path!r}"
    yield from _name_problems(access)
    for index, network in enumerate(access.proxies):
        if not _is_network(network):
            yield f"access.proxies[{index}]: {network!r} is no network, like 10.0.0.0/8"
    if access.proxy_protocol and not access.proxies:
        yield "access.proxies: missing the key; name the proxies that proxy_protocol is for"
    if auth is not None:
        yield from _auth_problems(auth)


def _name_problems(access: AccessConfig) -> Iterator[str]:
    if access.public_url is not None and not ORIGIN.match(access.public_url):
        yield (
            f"access.public_url: {access.public_url!r} is no address in small letters, like "
            "https://desk.example/"
        )
    for index, host in enumerate(access.hosts):
        if host != "*" and not HOST.fullmatch(host):
            yield (
                f"access.hosts[{index}]: {host!r} is no name in small letters and without a port, "
                "like desk.example"
            )
    for index, origin in enumerate(access.origins):
        if origin != "*" and not ORIGIN.fullmatch(origin):
            yield f"access.origins[{index}]: {origin!r} is no origin, like https://desk.example"


def _auth_problems(auth: AuthConfig) -> Iterator[str]:
    if auth.required and not auth.tokens and auth.jwt is None:
        yield "auth.tokens: no client could log in; add a token (`ticker token NAME`) or auth.jwt"
    names: set[str] = set()
    for index, token in enumerate(auth.tokens):
        if token.name in names:
            yield f"auth.tokens[{index}].name: {token.name!r} is taken by another token"
        names.add(token.name)
    jwt = auth.jwt
    if jwt is None:
        return
    if not Path(jwt.key_file).is_file():
        yield f"auth.jwt.key_file: no file {jwt.key_file!r}"
    if "HS256" in jwt.algorithms and len(jwt.algorithms) > 1:
        # a public key would then be taken as a shared secret (RFC 8725, section 2.1)
        yield "auth.jwt.algorithms: HS256 stands alone; its key is a secret, the others' are not"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True  # refused as server.host already


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True
