"""Simulated faults of a line: lost, duplicated and reordered events, and silences.

In: the times of events in their order. Out: the events that come, in the order in which they come.
The same faults with the same seed give the same run: one generator is asked in the order of the
events.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from zoneinfo import ZoneInfo

from ticker.errors import StoreError

SECOND = 1_000_000_000
EXAMPLE = "loss=1%,reorder=32,duplicate=0.1%,gap=2s@10:00"
MOST_REORDER = 65_536


@dataclass(frozen=True)
class Silence:
    """Nothing comes for `length` ns from a time of day on, ns since midnight."""

    begin: int
    length: int


@dataclass(frozen=True)
class Faults:
    """The faults of a simulated line.

    Attributes:
        loss, duplicate: shares of the events.
        reorder: places by which an event is displaced, at most.
    """

    loss: float = 0.0
    duplicate: float = 0.0
    reorder: int = 0
    silences: tuple[Silence, ...] = ()


def parse_faults(text: str) -> Faults:
    """Faults as the command line has them: EXAMPLE.

    Raises:
        StoreError: a part cannot be read.
    """
    shares = {"loss": 0.0, "duplicate": 0.0}
    reorder = 0
    silences = []
    for part in text.split(","):
        name, _, value = part.strip().partition("=")
        if name in shares:
            shares[name] = _share(part, value)
        elif name == "reorder" and value.isdigit() and int(value) <= MOST_REORDER:
            reorder = int(value)
        elif name == "gap" and (found := re.fullmatch(r"(\d+(?:\.\d+)?)s@(.+)", value)):
            silences.append(Silence(time_of_day(found[2]), int(float(found[1]) * SECOND)))
        else:
            raise StoreError(f"--faults: {part!r} cannot be read; like {EXAMPLE}")
    return Faults(reorder=reorder, silences=tuple(silences), **shares)


def _share(part: str, value: str) -> float:
    try:
        share = float(value.removesuffix("%")) / (100 if value.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share < 1:
        raise StoreError(f"--faults: {part!r} is no share below 100 %, like loss=1%")
    return share


def time_of_day(text: str) -> int:
    """ns since midnight of a time like 09:30 or 09:30:05.5. Raises StoreError."""
    found = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d(?:\.\d{1,9})?))?", text)
    if not found:
        raise StoreError(f"{text!r} is no time of day, like 09:30 or 09:30:05")
    return int(found[1]) * 3600 * SECOND + int(found[2]) * 60 * SECOND + _ns(found[3] or "0")


def _ns(seconds: str) -> int:
    whole, _, part = seconds.partition(".")
    return int(whole) * SECOND + int(part.ljust(9, "0"))


def at_time_of_day(near_ns: int, of_day_ns: int, timezone: str) -> int:
    """When it is a time of day, by the clocks of the zone, on the day of `near_ns`; ns since the
    epoch."""
    day = datetime.fromtimestamp(near_ns // SECOND, ZoneInfo(timezone)).date()
    hours, rest = divmod(of_day_ns // SECOND, 3600)
    local = datetime(
        day.year, day.month, day.day, hours, rest // 60, rest % 60, tzinfo=ZoneInfo(timezone)
    )
    return int(local.astimezone(UTC).timestamp()) * SECOND + of_day_ns % SECOND


class Line:
    """A line with faults, on which events come one batch after the other.

    Attributes:
        lost: events that did not come.
        doubled: events that came once more.
    """

    def __init__(self, faults: Faults, timezone: str, seed: int) -> None:
        self.faults = faults
        self.timezone = timezone
        self.random = Random(seed)
        self.lost = self.doubled = 0
        self._silences: list[tuple[int, int]] | None = None

    def arrivals(self, times: Sequence[int], kept: Iterable[int] = ()) -> list[int]:
        """Of events at these times, ns, the places of those that come, in the order in which they
        come; one that comes twice is named twice. Those of `kept` come in any case, at their
        place."""
        sure = frozenset(kept)
        keys = [key for place, time in enumerate(times) for key in self._keys(place, time, sure)]
        keys.sort()
        return [place for _, place in keys]

    def order(self, times: Sequence[int], kept: Iterable[int] = ()) -> array[int]:
        """As `arrivals`, for a receiver that knows an event that comes again."""
        return array("I", dict.fromkeys(self.arrivals(times, kept)))

    def _keys(self, place: int, time: int, sure: frozenset[int]) -> Iterator[tuple[float, int]]:
        faults, random = self.faults, self.random
        if place in sure:
            yield float(place), place
            return
        if self._silent(time) or (faults.loss and random.random() < faults.loss):
            self.lost += 1
            return
        yield place + faults.reorder * random.random() if faults.reorder else float(place), place
        if faults.duplicate and random.random() < faults.duplicate:
            self.doubled += 1
            late = faults.reorder * random.random() if faults.reorder else 0.5
            yield place + late, place

    def _silent(self, time: int) -> bool:
        if not self.faults.silences:
            return False
        if self._silences is None:
            begins = (
                (at_time_of_day(time, each.begin, self.timezone), each.length)
                for each in self.faults.silences
            )
            self._silences = [(begin, begin + length) for begin, length in begins]
        return any(begin <= time < end for begin, end in self._silences)
