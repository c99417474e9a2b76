"""Tokens: a text and a time in, a grant or the reason of a refusal out.

Law: no clock and no file here; keys and `now_ns` are passed in. A static token is recognized by its
SHA-256 only. A JSON Web Token (RFC 7519, with the advice of RFC 8725) is verified by the keys that
sign it, and must have an expiry time.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import jwt
import msgspec
from jwt.algorithms import Algorithm, get_default_algorithms

from ticker.config.access import AuthConfig, JwtConfig, Rights
from ticker.errors import ConfigError

NS = 1_000_000_000
MAX_TOKEN = 4096  # characters; a request head is at most 8 KiB
MIN_SECRET = 32  # bytes: RFC 7518, section 3.2
CLAIM = "ticker"
KEY_TYPES = {"RSA": "RS256", "OKP": "EdDSA", "oct": "HS256"}
_PEM = re.compile(rb"-----BEGIN [A-Z ]+-----.*?-----END [A-Z ]+-----", re.DOTALL)


class AuthError(Exception):
    """A refused token. The text has the reason and the next step, and never repeats the token."""


@dataclass(frozen=True)
class Grant:
    """The rights of a client. 0 means no bound; `expires` is in ns, 0: never."""

    name: str
    symbols: re.Pattern[str] | None = None
    channels: frozenset[str] = frozenset({"price", "quote", "trades"})
    max_rate: float = 0.0
    max_symbols: int = 0
    connections: int = 0
    metrics: bool = False
    expires: int = 0

    def sees(self, symbol: str) -> bool:
        """Whether the symbol exists for this client."""
        return self.symbols is None or self.symbols.fullmatch(symbol) is not None


EVERYBODY = Grant("", metrics=True)


@dataclass(frozen=True)
class Key:
    """One verification key; `identifier` is its `kid`, if it has one."""

    algorithm: str
    material: Any
    identifier: str | None = None


class Authenticator:
    """Grants by the configuration's tokens and by JSON Web Tokens that `keys` verify."""

    def __init__(self, config: AuthConfig, keys: Sequence[Key] = ()) -> None:
        self.config = config
        self.keys = tuple(keys)
        self.tokens = {token.sha256: granted(token, token.name) for token in config.tokens}

    def grant(self, token: str, now_ns: int) -> Grant:
        """The grant of this token at this time.

        Raises:
            AuthError: it is unknown, not valid yet, expired, or signed with an unknown key.
        """
        if len(token) > MAX_TOKEN:
            raise AuthError(f"the token is longer than {MAX_TOKEN} characters")
        found = self.tokens.get(hash_token(token))
        if found is not None:
            return found
        if self.config.jwt is None:
            raise AuthError("the token is not known here; ask the operator for one")
        return _claimed(self._verified(self.config.jwt, token), self.config, now_ns)

    def _verified(self, config: JwtConfig, token: str) -> dict[str, Any]:
        """The claims of a token whose signature, audience and issuer are right."""
        try:
            header = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError:
            raise AuthError(
                "the token is neither a known one nor a JSON Web Token; ask the operator for one"
            ) from None
        identifier = header.get("kid")
        for key in self.keys:
            if key.algorithm not in config.algorithms or key.algorithm != header.get("alg"):
                continue
            if identifier is not None and key.identifier not in (None, identifier):
                continue
            try:
                return jwt.decode(
                    token,
                    key.material,
                    algorithms=[key.algorithm],
                    audience=config.audience,
                    issuer=config.issuer,
                    options=_OPTIONS | {"verify_aud": config.audience is not None},
                )
            except jwt.InvalidSignatureError:
                continue
            except jwt.MissingRequiredClaimError as error:
                raise AuthError(f"the token lacks the claim {error.claim}") from None
            except (jwt.InvalidAudienceError, jwt.InvalidIssuerError):
                raise AuthError("the token is for another audience or by another issuer") from None
            except jwt.InvalidTokenError:
                raise AuthError("the token cannot be read") from None
        raise AuthError("the token is not signed by a key that this server trusts")


# Times are checked here and not there: no clock below this line (law 6).
_OPTIONS: Any = {
    "require": ["exp"],
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
}


def _claimed(claims: dict[str, Any], config: AuthConfig, now_ns: int) -> Grant:
    assert config.jwt is not None
    now, leeway = now_ns / NS, config.jwt.leeway
    expires, begins = claims["exp"], claims.get("nbf", 0)
    if not _is_time(expires) or not _is_time(begins):
        raise AuthError("the token's exp or nbf is no time")
    if now >= expires + leeway:
        raise AuthError("the token has expired; get a new one")
    if now < begins - leeway:
        raise AuthError("the token is not valid yet; look at its nbf and at the clocks")
    return granted(
        _rights(claims, config), str(claims.get("sub", "")), int((expires + leeway) * NS)
    )


def _rights(claims: dict[str, Any], config: AuthConfig) -> Rights:
    """The rights in the claim `ticker`, which has the keys of an [[auth.tokens]] table; without the
    claim, the default rights of the configuration."""
    if CLAIM in claims:
        try:
            return msgspec.convert(claims[CLAIM], Rights)
        except msgspec.ValidationError as error:
            raise AuthError(f"the token's claim {CLAIM}: {error}") from None
    if config.default is None:
        raise AuthError(
            f"the token lacks the claim {CLAIM}, which says what it opens, and this server has "
            "no auth.default for such tokens; ask its issuer for one"
        )
    return config.default


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1 << 34


def granted(rights: Rights, name: str = "", expires: int = 0) -> Grant:
    """Rights as a grant for this name; an empty name is an unnamed client."""
    return Grant(
        name,
        _pattern(rights.symbols),
        frozenset(rights.channels),
        rights.max_rate,
        rights.max_symbols,
        rights.connections,
        rights.metrics,
        expires,
    )


def _pattern(symbols: Iterable[str]) -> re.Pattern[str] | None:
    """Patterns with `*` and `?` as one expression; None: all symbols."""
    if "*" in symbols:
        return None
    return re.compile("|".join(fnmatch.translate(symbol) for symbol in symbols) or r"(?!)")


def hash_token(token: str) -> str:
    """The hash of a token for the configuration."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def new_token() -> str:
    """A token of 256 random bits, as text."""
    return secrets.token_urlsafe(32)


def parse_keys(data: bytes, algorithms: Sequence[str]) -> tuple[Key, ...]:
    """The keys in a key file: a JWK set (RFC 7517), PEM public keys, or the secret of HS256.

    Raises:
        ConfigError: the file has no key for these algorithms; the text names its contents.
    """
    if data.lstrip().startswith(b"{"):
        keys = tuple(_jwks(data))
    elif tuple(algorithms) == ("HS256",):
        keys = (Key("HS256", _secret(data.strip())),)
    else:
        keys = tuple(_pem_key(found.group(), algorithms) for found in _PEM.finditer(data))
    if not any(key.algorithm in algorithms for key in keys):
        raise ConfigError(
            f"auth.jwt.key_file: no key for {', '.join(algorithms)} in it; "
            "it takes PEM public keys, a JWK set, or a secret for HS256"
        )
    return keys


def _jwks(data: bytes) -> Iterable[Key]:
    try:
        found = json.loads(data)
        documents = found.get("keys", [found])
        for document in documents:
            name = KEY_TYPES.get(document.get("kty"))
            if name is None or document.get("use", "sig") != "sig":
                continue
            material = _algorithm(name).from_jwk(document)
            if name == "HS256":
                _secret(material)
            yield Key(name, material, document.get("kid"))
    except (ValueError, TypeError, KeyError, AttributeError, jwt.PyJWTError) as error:
        raise ConfigError(f"auth.jwt.key_file: not a JWK set ({error})") from None


def _pem_key(pem: bytes, algorithms: Sequence[str]) -> Key:
    if b"PRIVATE" in pem:
        raise ConfigError(
            "auth.jwt.key_file: it holds a private key, which belongs to the issuer alone; "
            "take the public one"
        )
    for name in algorithms:
        try:
            return Key(name, _algorithm(name).prepare_key(pem))
        except (ValueError, TypeError, jwt.PyJWTError):
            continue
    raise ConfigError(f"auth.jwt.key_file: a PEM key is not one for {', '.join(algorithms)}")


def _secret(secret: bytes) -> bytes:
    if len(secret) < MIN_SECRET:
        raise ConfigError(
            f"auth.jwt.key_file: a secret of {len(secret)} bytes is too short for HS256; "
            f"take at least {MIN_SECRET}"
        )
    return secret


def _algorithm(name: str) -> Algorithm:
    return get_default_algorithms()[name]
