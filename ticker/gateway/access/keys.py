"""The key file of JSON Web Tokens: a new authenticator whenever the file changes.

An edge: it reads files. If the file becomes wrong, the log names it, and the old keys stay in
force, so a half-written file locks no client out.
"""

from __future__ import annotations

from pathlib import Path

import structlog

from ticker.config.access import AuthConfig
from ticker.errors import ConfigError
from ticker.gateway.access.auth import Authenticator


class WatchedKeys:
    """Makes the authenticator of a configuration, and a new one when its key file changes."""

    def __init__(self, config: AuthConfig) -> None:
        self.config = config
        self._seen: tuple[int, int, int] | None = None

    def authenticator(self) -> Authenticator:
        """An authenticator with the keys that are in the file now.

        Raises:
            ConfigError: it cannot be read, or holds no key for the algorithms.
        """
        jwt = self.config.jwt
        if jwt is None:
            return Authenticator(self.config)
        self._seen = self._mark(jwt.key_file)
        try:
            data = Path(jwt.key_file).read_bytes()
        except OSError as error:
            raise ConfigError(
                f"auth.jwt.key_file: {jwt.key_file}: cannot be read ({error.strerror})"
            ) from None
        from ticker.gateway.access.web_tokens import WebTokens, parse_keys

        return Authenticator(self.config, WebTokens(jwt, parse_keys(data, jwt.algorithms)))

    def changed(self) -> Authenticator | None:
        """A new authenticator if the file has changed since the last look, else None."""
        jwt = self.config.jwt
        if jwt is None or self._mark(jwt.key_file) == self._seen:
            return None
        try:
            return self.authenticator()
        except ConfigError as error:
            structlog.get_logger().error(
                "keys not reloaded, the old ones stay in force", reason=str(error)
            )
            return None

    @staticmethod
    def _mark(path: str) -> tuple[int, int, int] | None:
        try:
            found = Path(path).stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size
