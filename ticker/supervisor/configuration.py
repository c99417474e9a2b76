"""The configuration of a server, checked against what this installation has."""

from __future__ import annotations

from pathlib import Path

from ticker import config
from ticker.config import Config
from ticker.feeds.workers.known import name_problems


def load(path: Path | None = None) -> Config:
    """The configuration in the file at `path`, or the shipped one; every name in it is known.

    Raises:
        ConfigError: as `ticker.config.load`; or a protocol, session or mapping does not exist.
    """
    return config.load(path, name_problems)


def load_all(path: Path | None = None) -> Config:
    """Like `load`, but also reads everything that workers will read: mappings, files, certificates,
    credentials.

    Raises:
        ConfigError: it has all faults at once.
    """
    # Imported late: it loads protocols, gateways and TLS, which most commands do not need.
    from ticker.supervisor.surroundings import feed_faults, server_faults

    return config.load(path, feed_faults, server_faults)
