"""JSON Web Tokens: a text in, its claims out; and the keys that verify them.

Law: no clock and no file here. Loaded only where tokens of this kind are configured: cryptography
takes its time at each start.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import jwt
from jwt.algorithms import Algorithm, get_default_algorithms

from ticker.config.access import JwtConfig
from ticker.errors import ConfigError
from ticker.gateway.access.auth import AuthError

MIN_SECRET = 32  # bytes: RFC 7518, section 3.2
KEY_TYPES = {"RSA": "RS256", "OKP": "EdDSA", "oct": "HS256"}
_PEM = re.compile(rb"-----BEGIN [A-Z ]+-----.*?-----END [A-Z ]+-----", re.DOTALL)
# Times are checked here and not there: no clock below this line (law 6).
_OPTIONS: Any = {
    "require": ["exp"],
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
}


@dataclass(frozen=True)
class Key:
    """One verification key; `identifier` is its `kid`, if it has one."""

    algorithm: str
    material: Any
    identifier: str | None = None


class WebTokens:
    """Verifies tokens by keys."""

    def __init__(self, config: JwtConfig, keys: Sequence[Key]) -> None:
        self.config = config
        self.keys = tuple(keys)

    def claims(self, token: str) -> dict[str, Any]:
        """The claims of a token whose signature, audience and issuer are right.

        Raises:
            AuthError: they are not.
        """
        config = self.config
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
