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
    """As `load`, and everything that workers will read is there: mappings, files, certificates,
    credentials.

    Raises:
        ConfigError: all that is wrong, at once.
    """
    # Only now: it brings in protocols, gateways and TLS, which most commands have no use for.
    from ticker.supervisor.surroundings import feed_faults, server_faults

    return config.load(path, feed_faults, server_faults)
