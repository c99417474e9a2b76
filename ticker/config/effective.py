"""A configuration with all its defaults, as TOML that can be read again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import tomli_w

from ticker.config import Config
from ticker.config.store import without_password

HIDDEN = "(not shown)"


def effective_text(config: Config) -> str:
    """All tables and keys. Keys without a value are left out, as they are in a file. Credentials
    and headers that are written out, and not taken from the environment, are not shown; of a
    database's url only its password is not."""
    tree = _written(msgspec.to_builtins(config))
    if config.store.url is not None:
        tree["store"]["url"] = without_password(config.store.url)
    if config.cluster is not None and config.bus is None:  # a mirror alone
        del tree["cluster"]["name"], tree["cluster"]["servers"]
    for feed in tree["feeds"]:
        for key in ("protocol", "venue"):  # of a feed from the bus
            if not feed[key]:
                del feed[key]
        for table in ("credentials", "headers"):
            feed[table] = {
                name: value if "$" in value else HIDDEN for name, value in feed[table].items()
            }
    return tomli_w.dumps(tree)


def _written(value: Any) -> Any:
    """Without None, which TOML cannot say."""
    if isinstance(value, Mapping):
        return {key: _written(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_written(inner) for inner in value]
    return value
