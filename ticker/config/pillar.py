"""[feeds.pillar]: the settings of an NYSE Pillar feed beside the two lines of its first channel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from ticker.config.section import Section

MOST_CHANNELS = 30
"""Of one feed: two sockets each."""


class PillarConfig(Section, frozen=True, kw_only=True):
    """`more_lines` are the addresses of further channels, each for line A and line B."""

    more_lines: tuple[Annotated[tuple[str, ...], Meta(min_length=1, max_length=2)], ...] = ()

    def addresses(self) -> Iterator[tuple[str, str]]:
        """(key, address) of all that has one."""
        for index, lines in enumerate(self.more_lines):
            for line, address in enumerate(lines):
                yield f"pillar.more_lines[{index}][{line}]", address


def pillar_problems(protocol: str, pillar: PillarConfig | None, simulated: bool) -> Iterator[str]:
    """The keys that contradict the feed."""
    if pillar is None:
        return
    if protocol != "pillar":
        yield f"pillar: only for protocol pillar, not {protocol}"
    if len(pillar.more_lines) > MOST_CHANNELS:
        yield f"pillar.more_lines: more than {MOST_CHANNELS}; spread the channels over feeds"
    if simulated:
        yield "pillar: a simulated exchange speaks on `lines` alone; leave the table out"
