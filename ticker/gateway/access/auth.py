"""Tokens: a text and a time in, a grant or the reason of a refusal out.

Law: no clock and no file here; keys and `now_ns` are passed in. A static token is recognized by its
SHA-256 only. A JSON Web Token (RFC 7519, with the advice of RFC 8725) must have an expiry time;
web_tokens.py verifies it.
"""

from __future__ import annotations

import fnmatch
import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from ticker.config.access import AuthConfig, Rights

NS = 1_000_000_000
MAX_TOKEN = 4096  # characters; a request head is at most 8 KiB
CLAIM = "ticker"


class AuthError(Exception):
    """A refused token. The text has the reason and the next step, and never repeats the token."""


@dataclass(frozen=True)
class Grant:
    """The rights of a client. 0 means no bound; `expires` is in ns, 0: never."""

    name: str
    symbols: re.Pattern[str] | None = None
    channels: frozenset[str] = frozenset({"price", "quote", "trades", "depth", "movers", "bars"})
    max_rate: float = 0.0
    max_symbols: int = 0
    connections: int = 0
    metrics: bool = False
    wildcard: bool = False
    expires: int = 0

    def sees(self, symbol: str) -> bool:
        """Whether the symbol exists for this client."""
        return self.symbols is None or self.symbols.fullmatch(symbol) is not None


EVERYBODY = Grant("", metrics=True, wildcard=True)


class Claims(Protocol):
    """Reads tokens that others have signed (web_tokens.py)."""

    def claims(self, token: str) -> dict[str, Any]:
        """The claims of a token whose signature, audience and issuer are right.

        Raises:
            AuthError: they are not.
        """


class Authenticator:
    """Grants by the configuration's tokens, and by JSON Web Tokens where they are configured."""

    def __init__(self, config: AuthConfig, web_tokens: Claims | None = None) -> None:
        self.config = config
        self.web_tokens = web_tokens
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
        if self.web_tokens is None:
            raise AuthError("the token is not known here; ask the operator for one")
        return _claimed(self.web_tokens.claims(token), self.config, now_ns)


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
        rights.wildcard,
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
