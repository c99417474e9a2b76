"""`make bench-check`, or `python -m bench.check [RUN...]`: compares ratios with the committed ones.

Each run is measured anew and its ratio compared with bench/ratios.json. A ratio that is worse by
more than 15 %, or void, is measured up to twice more, and the median counts: a single run on a
shared machine proves nothing. Peers' ratios are compared when `make
bench-peers` has left results; they are not measured here.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bench import ratios
from bench.runs import ROOT, measure, reports

TURNS = 3
FRESH = ROOT / "build" / "bench" / "check"


@dataclass
class Checked:
    """One ratio: the committed one, and those measured now."""

    name: str
    committed: dict[str, Any]
    measured: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float | None:
        return round(statistics.median(self.measured), 3) if self.measured else None

    @property
    def failed(self) -> bool:
        """Whether it got worse, or could not be measured at all."""
        return self.ratio is None or ratios.fails(self.committed, self.ratio)

    def line(self) -> str:
        """For the terminal."""
        before = self.committed["ratio"]
        if self.ratio is None:
            return f"{self.name:<24} {before:>8}        –           not measured: void or failed"
        worse = ratios.worse_by(self.committed, self.ratio)
        verdict = "FAILED" if self.failed else "better" if worse < -0.05 else "held"
        turns = f" (median of {self.measured})" if len(self.measured) > 1 else ""
        side = "worse" if worse > 0 else "better"
        change = f"{abs(worse):>7.1%} {side:<7}"
        return f"{self.name:<24} {before:>8} {self.ratio:>8} {change} {verdict}{turns}"


def check(name: str, committed: dict[str, Any], turn: Callable[[str], float | None]) -> Checked:
    """Measure at most three times, until the ratio is good. `turn` gives a run's ratio, None if
    void."""
    found = Checked(name, committed)
    for _ in range(TURNS):
        ratio = turn(name)
        if ratio is not None:
            found.measured.append(ratio)
        if not found.failed:
            break
    return found


def fresh(name: str) -> float | None:
    """The ratio of a run made now."""
    measure(name, FRESH)
    found = ratios.found(reports(FRESH)).get(name)
    return None if found is None else float(found["ratio"])


def main(names: list[str]) -> int:
    """Measure and compare; 1 when a ratio got worse, 2 when there is nothing to compare."""
    kept = ratios.load()
    known = [each.run for each in ratios.RATIOS if each.run in kept]
    unknown = set(names) - set(known)
    if unknown or not known:
        print(
            f"no ratio of {', '.join(sorted(unknown)) or 'any run'} in {ratios.KEPT.name}; "
            f"there are {', '.join(known) or 'none'}: `make bench` writes them",
            file=sys.stderr,
        )
        return 2
    checked = [check(name, kept[name], fresh) for name in names or known]
    if not names:
        checked += [
            Checked(name, kept[name], [each["ratio"]])
            for name, each in ratios.of_peers().items()
            if name in kept
        ]
    print(f"\n{'ratio':<24} {'before':>8} {'now':>8}")
    print("\n".join(each.line() for each in checked))
    return 1 if any(each.failed for each in checked) else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
