"""Mapping files: those that come with ticker in ticker/feeds/mappings, and a user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ticker.errors import ConfigError
from ticker.feeds.json.mapping import Mapping, parse_mapping
from ticker.feeds.workers.known import MAPPINGS, advice, mappings


def options_of(mapping: Mapping) -> dict[str, Any]:
    """The options of `pipeline.build` for a mapping."""
    return {"protocol_options": {"mapping": mapping}, "size_exponent": mapping.size_decimals}


def load_mapping(name: str | Path) -> Mapping:
    """A shipped mapping by its name, or the one in a file.

    Raises:
        ConfigError: there is none, or it is refused; the message names file and key.
    """
    path = Path(name)
    if path.suffix != ".toml":
        if name not in (known := mappings()):
            raise ConfigError(
                f"no mapping {str(name)!r}, {advice(str(name), known)}; or name a .toml file"
            )
        path = MAPPINGS / f"{name}.toml"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise ConfigError(f"{path}: cannot be read ({reason}); name a mapping file") from None
    try:
        return parse_mapping(text)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
