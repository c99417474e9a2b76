"""How a box shows a NATS server who it is: a user, a token, an nkey or a credentials file; and TLS.

Source: https://docs.nats.io/running-a-nats-service/configuration/securing_nats. An nkey's text is
base32 of its bytes with a CRC-16 (XMODEM) behind them; a seed has two bytes of prefix before it.
The server's nonce is signed by Ed25519.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ticker.config import ClusterConfig
from ticker.errors import ConfigError

PART = re.compile(r"-{3,}BEGIN [^-]*(JWT|SEED)-{3,}\s*([A-Za-z0-9_.=-]+?)\s*-{3,}END", re.DOTALL)
USER_KEY = 20 << 3
SEED = 18 << 3
SEED_BYTES = 36


@dataclass(frozen=True)
class Login:
    """What a client shows; nothing of it is in its repr.

    Attributes:
        options: of CONNECT, beside those of every client.
        key: signs the server's nonce, None: none is asked for.
        tls: None: only where the server asks for it, and then by the system's authorities.
    """

    options: tuple[tuple[str, str], ...] = ()
    key: Ed25519PrivateKey | None = None
    tls: ssl.SSLContext | None = None

    def __repr__(self) -> str:
        return "Login(...)"

    def answer(self, nonce: str) -> dict[str, str]:
        """The options of CONNECT for a server that has said this nonce."""
        found = dict(self.options)
        if self.key is not None:
            signature = base64.urlsafe_b64encode(self.key.sign(nonce.encode()))
            found["sig"] = signature.rstrip(b"=").decode()
        return found


def login_of(config: ClusterConfig) -> Login:
    """The login that a configuration names, with its secrets from files and the environment.

    Raises:
        ConfigError: one of them is not there, or is none.
    """
    options: dict[str, str] = {}
    key = None
    if config.user is not None and config.password_env is not None:
        options |= {"user": config.user, "pass": _secret("password_env", config.password_env)}
    if config.token_env is not None:
        options["auth_token"] = _secret("token_env", config.token_env)
    if config.credentials_file is not None:
        key, more = read_key(config.credentials_file)
        options |= more
    return Login(tuple(options.items()), key, _tls(config))


def read_key(path: str) -> tuple[Ed25519PrivateKey, dict[str, str]]:
    """The key in a file of credentials (.creds) or of a seed (.nk), and what CONNECT says of it.

    Raises:
        ConfigError: it cannot be read, or has no key.
    """
    try:
        text = Path(path).expanduser().read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not ASCII text"
        raise ConfigError(f"credentials_file: {path}: cannot be read ({reason})") from None
    parts = dict(PART.findall(text))
    seed = parts.get("SEED") or text.strip()
    try:
        key = Ed25519PrivateKey.from_private_bytes(seed_of(seed))
    except ValueError as error:
        raise ConfigError(
            f"credentials_file: {path}: {error}; name a .creds file, or one with an nkey seed "
            "that begins with SU"
        ) from None
    if "JWT" in parts:
        return key, {"jwt": parts["JWT"]}
    return key, {"nkey": public_text(key)}


def seed_of(text: str) -> bytes:
    """The 32 bytes of a user's seed. Raises ValueError: it is none."""
    try:
        raw = base64.b32decode(text + "=" * (-len(text) % 8))
    except binascii.Error:
        raise ValueError("no seed of an nkey") from None
    if len(raw) != SEED_BYTES or check_of(raw[:-2]) != raw[-2:]:
        raise ValueError("no seed of an nkey, or a misspelt one")
    if raw[0] & 0xF8 != SEED or ((raw[0] & 7) << 5 | raw[1] >> 3) != USER_KEY:
        raise ValueError("the seed is not of a user")
    return raw[2:-2]


def public_text(key: Ed25519PrivateKey) -> str:
    """The user's public key as servers name it: U..."""
    raw = bytes([USER_KEY]) + key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return base64.b32encode(raw + check_of(raw)).decode().rstrip("=")


def check_of(raw: bytes) -> bytes:
    """The CRC-16 behind the bytes of an nkey."""
    return binascii.crc_hqx(raw, 0).to_bytes(2, "little")


def _secret(key: str, name: str) -> str:
    if name not in os.environ:
        raise ConfigError(f"{key}: set {name} in the environment")
    return os.environ[name]


def _tls(config: ClusterConfig) -> ssl.SSLContext | None:
    if not config.tls:
        return None
    try:
        context = ssl.create_default_context(cafile=config.tls_ca)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"tls_ca: {config.tls_ca}: has no certificates ({error})") from None
    if config.tls_certificate is not None:
        try:
            context.load_cert_chain(config.tls_certificate, config.tls_key)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"tls_certificate: {config.tls_certificate} and tls_key: cannot be used together "
                f"({error})"
            ) from None
    return context
