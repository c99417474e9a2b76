"""[feeds.pillar]: the settings of an NYSE Pillar feed beside the two lines of its first channel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from ticker.config.section import Section

MOST_CHANNELS = 30
"""Of one feed: two sockets each."""
MOST_SOCKETS = 62
"""The most sockets of one feed."""

Byte = Annotated[int, Meta(ge=0, le=255)]


class PillarConfig(Section, frozen=True, kw_only=True):
    """`more_lines` are the addresses of further channels, each for line A and line B.

    `request_server` is asked for what both lines lost; it comes on `gap_lines`, one for each
    channel. `source` is the name that the venue gave for requests, `product` and `channels` are its
    numbers of the product and of each channel.
    """

    more_lines: tuple[Annotated[tuple[str, ...], Meta(min_length=1, max_length=2)], ...] = ()
    request_server: str | None = None
    gap_lines: tuple[str, ...] = ()
    source: Annotated[str, Meta(pattern=r"^[\x21-\x7e]{0,10}\Z")] = ""
    product: Byte = 0
    channels: tuple[Byte, ...] = ()

    def addresses(self) -> Iterator[tuple[str, str]]:
        """(key, address) of all that has one."""
        for index, lines in enumerate(self.more_lines):
            for line, address in enumerate(lines):
                yield f"pillar.more_lines[{index}][{line}]", address
        for index, address in enumerate(self.gap_lines):
            yield f"pillar.gap_lines[{index}]", address
        if self.request_server is not None:
            yield "pillar.request_server", self.request_server


def pillar_problems(protocol: str, pillar: PillarConfig | None, simulated: bool) -> Iterator[str]:
    """The keys that contradict the feed."""
    if pillar is None:
        return
    if protocol != "pillar":
        yield f"pillar: only for protocol pillar, not {protocol}"
    if len(pillar.more_lines) > MOST_CHANNELS:
        yield f"pillar.more_lines: more than {MOST_CHANNELS}; spread the channels over feeds"
    elif 2 * len(pillar.more_lines) + len(pillar.gap_lines) > MOST_SOCKETS - 2:
        yield f"pillar.gap_lines: more than {MOST_SOCKETS} sockets; spread the channels over feeds"
    if simulated:
        yield "pillar: a simulated exchange speaks on `lines` alone; leave the table out"
    yield from _request_problems(pillar)


def _request_problems(pillar: PillarConfig) -> Iterator[str]:
    """Those of the request server."""
    number = 1 + len(pillar.more_lines)
    if pillar.request_server is None:
        if pillar.gap_lines:
            yield "pillar.gap_lines: only with a request_server, which sends there"
        return
    if len(pillar.gap_lines) != number:
        yield (
            f"pillar.gap_lines: {len(pillar.gap_lines)} addresses for {number} channels; name that "
            "of each channel's retransmissions"
        )
    if len(pillar.channels) != number or len(set(pillar.channels)) != number:
        yield (
            f"pillar.channels: {len(set(pillar.channels))} numbers for {number} channels; name the "
            "venue's number of each"
        )
    if not pillar.source:
        yield "pillar.source: missing the key; a request names who asks"
