"""The table [feeds.filter]: the rules by which a feed's trades are refused or count."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from msgspec import Meta

from ticker.config.section import Section
from ticker.errors import ConfigError, DecodeError
from ticker.units import parse_price

Share = Annotated[float, Meta(ge=0, le=1000)]
Hours = Annotated[tuple[str, ...], Meta(max_length=2)]
NS = 1_000_000_000
MILLION = 1_000_000


class FilterConfig(Section, frozen=True, kw_only=True):
    """The rules; docs/filter.md explains them. False, 0 or an empty list of hours turns one off.

    Shares are of the last good price (0.1: 10 %), times in seconds, hours of the day in the
    feed's time zone.
    """

    duplicates: bool = True
    duplicate_ids: Annotated[int, Meta(ge=1, le=100_000_000)] = 5_000_000
    bad_prices: bool = True
    negative_prices: bool = False
    bad_sizes: bool = True
    older: bool = True
    unknown_symbols: bool = True
    test_symbols: bool = True
    band: Share = 0.10
    band_growth: Share = 0.001
    band_most: Share = 0.5
    band_floor: str = "0.05"
    hold: Annotated[float, Meta(ge=0, le=86_400)] = 0.0
    max_ahead: Annotated[float, Meta(ge=0, le=86_400)] = 10.0
    max_behind: Annotated[float, Meta(ge=0, le=86_400)] = 0.0
    session_hours: Hours = ()
    price_hours: Hours = ()
    odd_lots: Literal["volume", "count"] = "volume"
    odd_lot_below: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    extended_hours: Literal["volume", "count"] = "volume"

    @property
    def band_floor_units(self) -> int:
        """1e-9 units. Raises ConfigError."""
        try:
            return parse_price(self.band_floor)
        except DecodeError:
            raise ConfigError(f"{self.band_floor!r} is no price, like 0.05") from None


def hours_ns(hours: tuple[str, ...]) -> tuple[int, int] | None:
    """Start and end as local times, ns from 00:00; None for no hours. Raises ConfigError."""
    if not hours:
        return None
    if len(hours) != 2:
        raise ConfigError('give two hours, like ["09:30", "16:00"]')
    start, end = (_time_ns(text) for text in hours)
    if start >= end:
        raise ConfigError(f"{hours[0]} is not before {hours[1]}")
    return start, end


def elapsed_hours(hours: tuple[int, int], midnight: int, timezone: str) -> tuple[int, int]:
    """Local times in ns from 00:00, as ns elapsed since `midnight`; the two differ on a day on
    which the clocks change."""
    first, last = (_elapsed(each, midnight, ZoneInfo(timezone)) for each in hours)
    return first, last


def _elapsed(shown: int, midnight: int, zone: ZoneInfo) -> int:
    at_midnight = _offset(midnight, zone)
    elapsed = shown - (_offset(midnight + shown, zone) - at_midnight)
    return shown - (_offset(midnight + elapsed, zone) - at_midnight)


def _offset(now_ns: int, zone: ZoneInfo) -> int:
    """The zone's offset from UTC, in ns."""
    offset = datetime.fromtimestamp(now_ns // NS, UTC).astimezone(zone).utcoffset()
    return 0 if offset is None else int(offset.total_seconds()) * NS


def filter_problems(rules: FilterConfig) -> Iterator[str]:
    """The checks beyond the types; each fault starts with the path of its key in the feed."""
    for key in ("session_hours", "price_hours"):
        try:
            hours_ns(getattr(rules, key))
        except ConfigError as error:
            yield f"filter.{key}: {error}"
    try:
        if rules.band_floor_units < 0:
            yield "filter.band_floor: below 0; take 0 or more"
    except ConfigError as error:
        yield f"filter.band_floor: {error}"
    if rules.band and rules.band_most < rules.band:
        yield f"filter.band_most: {rules.band_most} is less than band, {rules.band}"


def _time_ns(text: str) -> int:
    match = re.fullmatch(r"([01][0-9]|2[0-4]):([0-5][0-9])(?::([0-5][0-9]))?", text)
    hour, minute, second = (int(part or 0) for part in match.groups()) if match else (99, 0, 0)
    seconds = 3600 * hour + 60 * minute + second
    if seconds > 86_400:
        raise ConfigError(f"{text!r} is no time of day, like 09:30")
    return seconds * NS
