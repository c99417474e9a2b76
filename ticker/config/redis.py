"""[cluster.redis] of ticker.toml: a Redis that has the newest prices, for other programs.

Law: a message starts with the key, says what is wrong, and gives a value that works. No message has
a password.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Annotated, Any
from urllib.parse import urlsplit

from msgspec import Meta

from ticker.config.section import FilePath, Section, Text
from ticker.errors import ConfigError

PORT = 6379
EXAMPLE = "redis://127.0.0.1:6379/0"


class RedisConfig(Section, frozen=True, kw_only=True):
    """Where the mirror writes, and how often.

    `url`: redis://HOST:PORT/DATABASE, or rediss:// with TLS. `interval`: s between two turns, each
    of which writes the symbols that have changed; `publish`: changed symbols are published, too.
    `ttl`: s for which a key stays when this server writes no more. `fallback`: this box writes
    nothing, and reads in there the prices of symbols that none of its feeds has.

    The mirror shows `user` (of the server's ACL) with the password in the environment variable
    `password_env`, or the password alone. With rediss:// the server is verified, by `tls_ca` or the
    system's authorities; `tls_certificate` and `tls_key` are this box's own.
    """

    url: str
    interval: Annotated[float, Meta(ge=0.01, le=60)] = 0.1
    publish: bool = False
    fallback: bool = False
    ttl: Annotated[int, Meta(ge=2, le=604_800)] = 60
    user: Text | None = None
    password_env: Text | None = None
    tls_ca: FilePath | None = None
    tls_certificate: FilePath | None = None
    tls_key: FilePath | None = None

    @property
    def tls(self) -> bool:
        return self.url.startswith("rediss://")


def redis_problems(redis: RedisConfig) -> Iterator[str]:
    """The faults of the table."""
    reason = url_fault(redis.url)
    if reason:
        yield f"cluster.redis.url: {reason}; write it like {EXAMPLE}"
    if redis.user is not None and redis.password_env is None:
        yield "cluster.redis.user: only together with password_env, the variable with the password"
    if (redis.tls_certificate is None) != (redis.tls_key is None):
        yield "cluster.redis.tls_certificate: only together with tls_key"
    for key in ("tls_ca", "tls_certificate"):
        if getattr(redis, key) is not None and not redis.tls:
            yield f"cluster.redis.{key}: only with a url that begins with rediss://"
    if redis.fallback and redis.publish:
        yield "cluster.redis.publish: not with fallback = true, by which this box writes nothing"
    if redis.ttl < 4 * redis.interval:
        yield "cluster.redis.ttl: shorter than four intervals, so keys would expire between turns"


def url_fault(url: str) -> str:
    """The reason why this is no address of a Redis; empty: it is one. It never has the url, which
    may have a password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "is no address"
    if parts.username or parts.password or "@" in url:
        return (
            "has a user or a password; a configuration has no secrets, so name the password's "
            "variable in password_env"
        )
    if parts.scheme not in ("redis", "rediss"):
        return "begins with neither redis:// nor rediss://"
    if not parts.hostname or port == 0:
        return "has no host, or port 0"
    database = parts.path.strip("/")
    if parts.query or parts.fragment or (database and not database.isdecimal()):
        return "has more than a host, a port and the number of a database"
    return ""


def connection_options(config: RedisConfig) -> dict[str, Any]:
    """The address and the login as redis-py takes them.

    Raises:
        ConfigError: the environment has no password, or a certificate cannot be read.
    """
    parts = urlsplit(config.url)
    options: dict[str, Any] = {
        "host": parts.hostname,
        "port": parts.port or PORT,
        "db": int(parts.path.strip("/") or 0),
        "username": config.user,
        "password": _password(config),
    }
    if not config.tls:
        return options
    for key in ("tls_ca", "tls_certificate", "tls_key"):
        path = getattr(config, key)
        if path is not None and not os.access(path, os.R_OK):
            raise ConfigError(f"cluster.redis.{key}: {path} cannot be read; name another file")
    return options | {
        "ssl_ca_certs": config.tls_ca,
        "ssl_certfile": config.tls_certificate,
        "ssl_keyfile": config.tls_key,
    }


def _password(config: RedisConfig) -> str | None:
    """The one in the environment; None: none is asked for."""
    name = config.password_env
    if name is None:
        return None
    if name not in os.environ:
        raise ConfigError(f"cluster.redis.password_env: set {name} in the environment")
    return os.environ[name]
