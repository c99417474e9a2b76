"""`python -m tests.fuzz`: runs of mutated inputs, one input, or a coverage-guided run.

python -m tests.fuzz --list
python -m tests.fuzz --count 1000000 [--target NAME ...] [--seed S]
python -m tests.fuzz --target NAME --input HEX|@FILE
python -m tests.fuzz --atheris NAME|all -- -runs=100000
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path


def main() -> int:
    """The command; 1 if an input broke the law."""
    if "--atheris" in sys.argv:
        return _guided()
    from tests.fuzz.campaign import FuzzError, campaign
    from tests.fuzz.target import all_targets

    targets = all_targets()
    options = argparse.ArgumentParser(prog="tests.fuzz", description="fuzz runs")
    options.add_argument("--target", action="append", choices=sorted(targets), metavar="NAME")
    options.add_argument("--count", type=int, default=100_000, help="inputs for each target")
    options.add_argument("--seed", type=int, help="of the inputs  [default: another each time]")
    options.add_argument(
        "--slack", type=int, default=1, help="times its budget that an input may take (sanitizers)"
    )
    options.add_argument("--input", type=_input, metavar="HEX|@FILE", help="only this one")
    options.add_argument("--list", action="store_true", help="name the targets")
    options.add_argument("--atheris", metavar="NAME", help="coverage-guided; `all` of them, too")
    chosen = options.parse_args()
    seed = time.time_ns() % 10**9 if chosen.seed is None else chosen.seed
    if not chosen.list and chosen.input is None:
        print(f"seed of the inputs: {seed}", flush=True)
    failed = 0
    for name in chosen.target or targets:
        target = replace(targets[name], budget_ns=targets[name].budget_ns * chosen.slack)
        if chosen.list:
            print(f"{name:18} {', '.join(target.covers)}")
        elif chosen.input is not None:
            print(target.start()(chosen.input))
        else:
            try:
                print(campaign(target, chosen.count, seed).line(), flush=True)
            except FuzzError as failure:
                failed = 1
                print(failure, flush=True)
    return failed


def _input(text: str) -> bytes:
    return Path(text[1:]).read_bytes() if text.startswith("@") else bytes.fromhex(text)


def _guided() -> int:
    """What comes after the name goes to libFuzzer. Imported here: atheris comes before all that
    it is to see the branches of."""
    from tests.fuzz.guided import guided

    at = sys.argv.index("--atheris")
    names, arguments = sys.argv[at + 1 : at + 2], sys.argv[at + 2 :]
    return guided([] if names == ["all"] else names, [each for each in arguments if each != "--"])


if __name__ == "__main__":
    sys.exit(main())
