"""[feeds.pitch]: the settings of a Cboe feed beside its two lines, and their checks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from ticker.config.section import Seconds, Section

Unit = Annotated[int, Meta(ge=1, le=255)]
FourCharacters = Annotated[str, Meta(pattern=r"^[\x21-\x7e]{0,4}\Z")]


class PitchConfig(Section, frozen=True, kw_only=True):
    """Units, gap request proxy, gap lines and spin servers of a PITCH feed.

    `more_lines` are the addresses of further units, each for line A and line B. The n-th of
    `spin` serves the n-th of `units`. The password is in the environment variable `password_env`.
    """

    units: tuple[Unit, ...] = ()
    more_lines: tuple[Annotated[tuple[str, ...], Meta(min_length=1, max_length=2)], ...] = ()
    gap_proxy: str | None = None
    gap_lines: tuple[str, ...] = ()
    spin: tuple[str, ...] = ()
    spin_timeout: Seconds = 5.0
    session_sub_id: FourCharacters = ""
    username: FourCharacters = ""
    password_env: str | None = None

    def addresses(self) -> Iterator[tuple[str, str]]:
        """(key, address) of everything with an address."""
        for index, lines in enumerate(self.more_lines):
            for line, address in enumerate(lines):
                yield f"pitch.more_lines[{index}][{line}]", address
        for index, address in enumerate(self.gap_lines):
            yield f"pitch.gap_lines[{index}]", address
        if self.gap_proxy is not None:
            yield "pitch.gap_proxy", self.gap_proxy
        for index, address in enumerate(self.spin):
            yield f"pitch.spin[{index}]", address


MOST_LINES = 60
"""The most sockets of one feed."""


def pitch_problems(
    protocol: str, rerequest: str | None, pitch: PitchConfig | None, simulated: bool
) -> Iterator[str]:
    """The keys that contradict each other, or the feed."""
    if protocol == "pitch" and rerequest is not None:
        yield "rerequest: PITCH has a gap request proxy; name it by pitch.gap_proxy"
    if pitch is None:
        return
    if protocol != "pitch":
        yield f"pitch: only for protocol pitch, not {protocol}"
    if pitch.gap_proxy is not None and not pitch.gap_lines:
        yield "pitch.gap_lines: missing the key; what the proxy is asked for comes there"
    if pitch.gap_lines and pitch.gap_proxy is None:
        yield "pitch.gap_lines: only with a gap_proxy, which sends there"
    if len(set(pitch.units)) != len(pitch.units):
        yield "pitch.units: the same unit twice"
    if simulated and pitch.units != tuple(range(1, len(pitch.units) + 1)):
        yield f"pitch.units: the simulator speaks of 1 to {len(pitch.units)}, in that order"
    if len(pitch.spin) > len(pitch.units):
        yield (
            f"pitch.spin: {len(pitch.spin)} servers for {len(pitch.units)} units; name one for "
            "each of `units`"
        )
    if 2 * len(pitch.more_lines) + len(pitch.gap_lines) > MOST_LINES:
        yield f"pitch.more_lines: more than {MOST_LINES} addresses; spread the units over feeds"
    if pitch.password_env == "":
        yield "pitch.password_env: name an environment variable, or leave the key out"
