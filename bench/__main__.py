"""`make bench`, or `python -m bench [NAME...]`: run the set, write RESULTS.md, the plots in
bench/plots, ratios.json, and the figures in docs/performance.md.

With names, only those runs are measured again; with --pages none. The pages are made of all
existing reports.
"""

from __future__ import annotations

import sys

from bench import performance, plots, profile, ratios
from bench.results import render
from bench.runs import ROOT, RUNS, measure, reports

PAGE = ROOT / "bench" / "RESULTS.md"
ALL = (*RUNS, "profile")


def main(names: list[str]) -> int:
    """Measure, then write the pages; 1 when a run failed or was void."""
    unknown = set(names) - {*ALL, "--pages"}
    if unknown:
        print(f"no run {', '.join(sorted(unknown))}; there are {', '.join(ALL)}", file=sys.stderr)
        return 2
    failed = [name for name in names or ALL if name != "--pages" and not run(name)]
    write()
    if failed:
        print(f"failed or void: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def run(name: str) -> bool:
    """Run one; returns whether it succeeded."""
    return profile.main() == 0 if name == "profile" else measure(name)


def write() -> None:
    """Write all pages from the existing reports."""
    found = reports()
    drawn = plots.write(found)
    PAGE.write_text(render(found, drawn), encoding="utf-8")
    ratios.keep({**ratios.found(found), **ratios.of_peers()})
    performance.write(found)
    print(f"{PAGE.relative_to(ROOT)}: {len(found)} runs, {len(drawn)} plots")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
