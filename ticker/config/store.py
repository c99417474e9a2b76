"""[store] of ticker.toml: the files in which prices survive a restart.

Law: a message starts with the key within the table, says what is wrong, and gives a value that
works.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from ticker.config.section import Count, Section
from ticker.errors import ConfigError

AUTO = "auto"
SCHEMES = ("postgresql://", "postgres://")
HIDDEN = "***"
OF_USER = re.compile(r"^([a-z]+://[^:@]*:).*(?=@)", re.DOTALL)
OF_QUERY = re.compile(r"([?&](?:ssl)?password=)[^&]*")
"""Passwords in a database's url; one that is not written as it must be is found, too."""


class StoreConfig(Section, frozen=True, kw_only=True):
    """The contents of the store.

    `url`: a PostgreSQL database for days and bars, or `$NAME` of it in the environment; last prices
    stay in the folder.
    `interval`: seconds between two snapshots; days and bars are committed every ten intervals.
    `symbol_days`: a symbol that did not move for so many days is left out at a start.
    `history_days`, `bars_days`: days for which daily figures and minute bars are kept; 0: none.
    `kept_trades`: the newest trades of a feed, which a break can still take out of their bar.
    """

    enabled: bool = True
    folder: str = AUTO
    url: str | None = None
    interval: Annotated[float, Meta(ge=0.1, le=3600)] = 1.0
    symbol_days: Count = 30
    history_days: Annotated[int, Meta(ge=0, le=36_500)] = 3650
    bars_days: Annotated[int, Meta(ge=0, le=36_500)] = 90
    kept_trades: Annotated[int, Meta(ge=1024, le=1 << 28)] = 1_000_000


def store_folder(
    store: StoreConfig, instance: str, environment: Mapping[str, str] = os.environ
) -> Path | None:
    """The folder of an instance's files; None if the store is off.

    "auto" is systemd's `$STATE_DIRECTORY`, else `$XDG_STATE_HOME/ticker/<instance>`, else
    `~/.local/state/ticker/<instance>`.
    """
    if not store.enabled:
        return None
    if store.folder != AUTO:
        return Path(store.folder).expanduser()
    if given := environment.get("STATE_DIRECTORY", ""):
        return Path(given.split(":")[0]) / instance
    home = Path(environment.get("HOME") or "/")
    state = environment.get("XDG_STATE_HOME") or home / ".local" / "state"
    return Path(state) / "ticker" / instance


def database_url(url: str, environment: Mapping[str, str] = os.environ) -> str:
    """`url` of the table, from the environment where it is written `$NAME`.

    Raises:
        ConfigError: the environment has it not, or it is no address of a database.
    """
    name = url[1:] if url.startswith("$") else None
    found = url if name is None else environment.get(name, "")
    if name is not None and not found:
        raise ConfigError(f"store.url: set {name} in the environment")
    if not found.startswith(SCHEMES):
        where = "" if name is None else f" (from {name})"
        raise ConfigError(
            f"store.url{where}: begins with no {SCHEMES[0]}; write it like "
            "postgresql://user@host:5432/database, or $NAME to take it from the environment"
        )
    return found


def without_password(url: str) -> str:
    """A database's url as it may be shown."""
    if url.startswith("$"):
        return url
    return OF_QUERY.sub(r"\1" + HIDDEN, OF_USER.sub(r"\1" + HIDDEN, url))


def store_problems(store: StoreConfig) -> Iterator[str]:
    """The faults of the table."""
    if not store.folder:
        yield f'store.folder: empty; name a folder, or "{AUTO}", or set enabled = false'
    if store.url is not None and not store.url.startswith("$"):
        try:
            database_url(store.url)
        except ConfigError as error:
            yield str(error)
