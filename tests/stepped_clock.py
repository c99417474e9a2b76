"""A wall clock that a test sets forth and back, for whole processes (stepped_clock.c)."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")
NS = 1_000_000_000


class SteppedClock:
    """What to start processes with (`environ`), and how wrong their wall clock is.

    Raises:
        FileNotFoundError: there is no C compiler.
    """

    def __init__(self, folder: Path) -> None:
        self.file = folder / "clock-offset"
        library = folder / "stepped_clock.so"
        self.step(0)
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            raise FileNotFoundError("cc")
        subprocess.run(
            [compiler, "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"], check=True
        )
        self.environ = {"LD_PRELOAD": str(library), "TICKER_CLOCK_OFFSET": str(self.file)}

    def step(self, seconds: float) -> None:
        """From now on the wall clock is wrong by so much."""
        word = struct.pack("=q", int(seconds * NS))
        if self.file.exists():
            with self.file.open("r+b") as file:  # the processes have mapped these very bytes
                file.write(word)
        else:
            self.file.write_bytes(word)
