"""Who may connect, from where and to what: the tables [tls], [access] and [auth].

Law: a secret is never in the file; tokens stand there as hashes, keys in files of their own.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from ticker.config.section import Count, Seconds, Section, Text

Channel = Literal["price", "quote", "trades"]
Algorithm = Literal["HS256", "RS256", "EdDSA"]
SymbolPattern = Annotated[str, Meta(pattern=r"^[\x21-\x7e]{1,24}\Z")]
Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]

ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?")


class TlsConfig(Section, frozen=True, kw_only=True):
    """TLS 1.2 and 1.3 with a certificate chain and its key, PEM files."""

    certificate: Text
    key: Text


class AccessConfig(Section, frozen=True, kw_only=True):
    """Limits on connections before a client has shown a token.

    `origins` are the pages that may open a stream, besides the server's own; `proxies` the
    networks whose PROXY header or X-Forwarded-For is believed.
    """

    origins: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    proxy_protocol: bool = False
    behind_tls_proxy: bool = False
    connections_per_address: Annotated[int, Meta(ge=0)] = 0
    handshakes_per_second: Annotated[int, Meta(ge=0)] = 0
    handshakes_burst: Count = 100


class TokenConfig(Section, frozen=True, kw_only=True):
    """A static token by the SHA-256 of its text, and what it may see."""

    name: Text
    sha256: Digest
    symbols: Annotated[tuple[SymbolPattern, ...], Meta(min_length=1)] = ("*",)
    channels: Annotated[tuple[Channel, ...], Meta(min_length=1)] = ("price", "quote", "trades")
    max_rate: Annotated[float, Meta(ge=0)] = 0.0
    max_symbols: Annotated[int, Meta(ge=0)] = 0
    connections: Annotated[int, Meta(ge=0)] = 0


class JwtConfig(Section, frozen=True, kw_only=True):
    """JSON Web Tokens (RFC 7519) by the keys in `key_file`: PEM public keys, a JWK set, or for
    HS256 the secret itself. Read again when it changes."""

    key_file: Text
    algorithms: Annotated[tuple[Algorithm, ...], Meta(min_length=1)] = ("EdDSA",)
    audience: str | None = None
    issuer: str | None = None
    leeway: Annotated[float, Meta(ge=0, le=300)] = 5.0


class AuthConfig(Section, frozen=True, kw_only=True):
    """Whether clients must say who they are, and how they can; `timeout` for the first message."""

    required: bool = True
    timeout: Seconds = 10.0
    tokens: tuple[TokenConfig, ...] = ()
    jwt: JwtConfig | None = None


def access_problems(
    host: str, tls: TlsConfig | None, access: AccessConfig, auth: AuthConfig | None
) -> Iterator[str]:
    """What the types cannot say of these tables, each problem with the path of its key."""
    if not _is_loopback(host) and tls is None and not access.behind_tls_proxy:
        yield (
            f"server.host: {host} is reachable from outside, and nothing encrypts: add [tls], or "
            "say access.behind_tls_proxy = true if a proxy in front of it does"
        )
    for key, path in () if tls is None else (("certificate", tls.certificate), ("key", tls.key)):
        if not Path(path).is_file():
            yield f"tls.{key}: no file {path!r}"
    for index, origin in enumerate(access.origins):
        if origin != "*" and not ORIGIN.fullmatch(origin):
            yield f"access.origins[{index}]: {origin!r} is no origin, like https://desk.example"
    for index, network in enumerate(access.proxies):
        if not _is_network(network):
            yield f"access.proxies[{index}]: {network!r} is no network, like 10.0.0.0/8"
    if access.proxy_protocol and not access.proxies:
        yield "access.proxies: missing the key; name the proxies that proxy_protocol is for"
    if auth is not None:
        yield from _auth_problems(auth)


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
