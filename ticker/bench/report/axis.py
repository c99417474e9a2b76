"""The axes of a chart: range, ticks, and the text of a value.

Law: a tick is at 1, 2 or 5 times a power of ten, and has its unit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

# (from this value on, the suffix), smallest first; a time is in microseconds, a size in bytes
UNITS: dict[str, tuple[tuple[float, str], ...]] = {
    "us": ((1e-3, " ns"), (1.0, " µs"), (1e3, " ms"), (1e6, " s")),
    "count": ((1.0, ""), (1e3, "k"), (1e6, "M"), (1e9, "G")),
    "bytes": ((1.0, " B"), (1e3, " kB"), (1e6, " MB"), (1e9, " GB")),
    "share": ((0.01, " %"),),
    "ratio": ((1.0, ""),),
}
MOST_TICKS = 8


@dataclass(frozen=True)
class Axis:
    """One axis of a chart.

    `unit` is one of UNITS (values of "us" are µs, of "bytes" bytes, of "share" fractions of 1),
    or any other text, which then follows the number. A linear axis begins at 0 unless `zero` is
    False. `ticks` are (value, text) instead of those that the range asks for.
    """

    label: str
    unit: str = "count"
    log: bool = False
    zero: bool = True
    ticks: tuple[tuple[float, str], ...] = ()

    def scale(self, values: Sequence[float]) -> Scale:
        """The range and the ticks that these values need.

        Raises:
            ValueError: there are none, one is not finite, or one is not above 0 on a log axis.
        """
        if not values:
            raise ValueError(f"{self.label}: no values")
        for value in values:
            if not math.isfinite(value) or (self.log and value <= 0):
                raise ValueError(f"{self.label}: {value} has no place on this axis")
        shown = [*values, *(value for value, _ in self.ticks)]
        low, high, steps = (_decades if self.log else self._linear)(min(shown), max(shown))
        ticks = self.ticks or tuple((step, "") for step in steps)
        named = _named(self.unit, ticks, one_unit=not self.log)
        return Scale(low, high, named, self.log)

    def _linear(self, low: float, high: float) -> tuple[float, float, list[float]]:
        low = min(low, 0.0) if self.zero else low
        if high == low:
            high = low + (abs(low) or 1.0)
        step = _step((high - low) / MOST_TICKS)
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        steps = [number * step for number in range(first, last + 1)]
        return steps[0], steps[-1], steps


@dataclass(frozen=True)
class Scale:
    """A range, with its ticks as (value, text)."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    log: bool

    def place(self, value: float) -> float:
        """The position of a value in the range: 0 at its beginning, 1 at its end."""
        low, high = self.low, self.high
        if self.log:
            low, high, value = math.log10(low), math.log10(high), math.log10(value)
        return (value - low) / (high - low)


def text(value: float, unit: str, digits: int = 3) -> str:
    """A value as text for people: 2,500 µs as "2.5 ms"."""
    divisor, suffix = _division(value, unit)
    return f"{_digits(value / divisor, digits)}{suffix}"


def _division(value: float, unit: str) -> tuple[float, str]:
    """The divisor and the suffix for a value of this size."""
    steps = UNITS.get(unit) or ((1.0, f" {unit}" if unit else ""),)
    fitting = [step for step in steps if abs(value) >= step[0] * 0.9995]
    return fitting[-1] if fitting else steps[0]


def _digits(value: float, digits: int) -> str:
    shown = float(f"{value:.{digits}g}")
    return f"{shown:.0f}" if abs(shown) >= 100 and shown == round(shown) else f"{shown:g}"


def _named(
    unit: str, ticks: tuple[tuple[float, str], ...], *, one_unit: bool
) -> tuple[tuple[float, str], ...]:
    """Texts for the ticks that have none; on a linear axis all in the unit of the highest."""
    if not one_unit:
        return tuple((value, given or text(value, unit)) for value, given in ticks)
    divisor, suffix = _division(max(abs(value) for value, _ in ticks), unit)
    return tuple(
        (value, given or ("0" if not value else f"{round(value / divisor, 9):g}{suffix}"))
        for value, given in ticks
    )


def _step(least: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is at least so much."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * 0.9999)


def _decades(low: float, high: float) -> tuple[float, float, list[float]]:
    """A logarithmic range from a 1-2-5 value to another; few of them are all ticks, of many the
    powers of ten."""
    first, last = math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1
    steps = [float(f"{factor}e{power}") for power in range(first, last + 1) for factor in (1, 2, 5)]
    begin = max(step for step in steps if step <= low)
    end = min(step for step in steps if step >= high and step > begin)
    inside = [step for step in steps if begin <= step <= end]
    if len(inside) > MOST_TICKS:
        inside = [step for step in inside if f"{step:e}".startswith("1.000000e")]
        every = -(-len(inside) // MOST_TICKS)
        inside = inside[::every]
    return begin, end, inside
