"""The latencies of a run: percentiles, maximum, and the whole distribution for other tools.

Law: all figures come from the `hdrhistogram` package, except the maximum, which is exact.
"""

from __future__ import annotations

from typing import Any

from ticker.bench.swarm.histogram import empty

PERCENTILES = (50.0, 90.0, 99.0, 99.9, 99.99)


class Latencies:
    """Durations in ns, merged from those that each process of a swarm dumped."""

    def __init__(self) -> None:
        self._counts = empty()
        self.maximum = 0

    @staticmethod
    def load(dumped: dict[str, Any]) -> Latencies:
        """Those of `Histogram.dump`.

        Raises:
            ValueError: the counts are none that HdrHistogram wrote.
        """
        made = Latencies()
        try:
            made._counts.decode_and_add(dumped["counts"])
        except Exception as error:  # the package has no common base for its errors
            raise ValueError(f"no encoded HdrHistogram: {error or type(error).__name__}") from error
        made.maximum = dumped["maximum"]
        return made

    @property
    def total(self) -> int:
        """The number of durations."""
        total: int = self._counts.get_total_count()
        return total

    def merge(self, other: Latencies) -> None:
        """Add the counts of another one."""
        if other.total:
            self._counts.add(other._counts)
            self.maximum = max(self.maximum, other.maximum)

    def percentile(self, percent: float) -> int:
        """The value in ns that so many of a hundred durations are at or below, at most 0.1 % too
        high; 0 when there are none."""
        return self.percentiles((percent,))[percent]

    def percentiles(self, percents: tuple[float, ...]) -> dict[float, int]:
        """Many in one pass; see `percentile`.

        Raises:
            ValueError: one of them is not from 0 to 100.
        """
        for percent in percents:
            if not 0 <= percent <= 100:
                raise ValueError(f"percentile {percent}: from 0 to 100")
        found = self._counts.get_percentile_to_value_dict(percents) if self.total else {}
        return {
            percent: self.maximum if percent == 100 else min(found.get(percent, 0), self.maximum)
            for percent in percents
        }

    def encoded(self) -> str:
        """HdrHistogram's V2 form, compressed, in base64: for HdrHistogram's own tools, in ns."""
        text: bytes = self._counts.encode()
        return text.decode("ascii")

    def summary(self) -> dict[str, Any]:
        """Count, percentiles and maximum in µs by their usual names, and all of it encoded."""
        found: dict[str, Any] = {"count": self.total}
        for percent, value in self.percentiles(PERCENTILES).items():
            found[f"p{percent:g}_us"] = value / 1000
        found["max_us"] = self.maximum / 1000
        found["histogram"] = self.encoded()
        return found
