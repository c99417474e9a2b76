"""`python -m ticker.bench.limits NAME ARGUMENT...`: one of the C programs, in its own process."""

from __future__ import annotations

import sys
from importlib import import_module


def main(arguments: list[str]) -> int:
    """Run the program; its exit status."""
    status: int = import_module(f"ticker.bench.limits.{arguments[0]}").main(arguments)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
