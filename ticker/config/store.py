"""[store] of ticker.toml: the files in which prices survive a restart.

Law: a message starts with the key within the table, says what is wrong, and gives a value that
works.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from ticker.config.section import Count, Section

AUTO = "auto"


class StoreConfig(Section, frozen=True, kw_only=True):
    """The contents of the store.

    `interval`: seconds between two snapshots; days and bars are committed every ten intervals.
    `symbol_days`: a symbol that did not move for so many days is left out at a start.
    `history_days`, `bars_days`: days for which daily figures and minute bars are kept; 0: none.
    `kept_trades`: the newest trades of a feed, which a break can still take out of their bar.
    """

    enabled: bool = True
    folder: str = AUTO
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


def store_problems(store: StoreConfig) -> Iterator[str]:
    """The faults of the table."""
    if not store.folder:
        yield f'store.folder: empty; name a folder, or "{AUTO}", or set enabled = false'
