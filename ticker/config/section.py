"""The base of every table of ticker.toml, and the types of its values."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}\Z")]
# A module of ticker/feeds/protocols, or a file of one's own.
ProtocolName = Annotated[str, Meta(pattern=r"^([a-z0-9][a-z0-9_-]{0,31}|[^\0]{1,4000}\.(py|so))\Z")]
FilePath = Annotated[str, Meta(pattern=r"^[^\0]{1,4000}\Z")]
Text = Annotated[str, Meta(pattern=r"^[\x20-\x7e]{1,100}\Z")]
Port = Annotated[int, Meta(ge=0, le=65535)]
Count = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of ticker.toml."""
