"""Progress is for a terminal alone."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time

import pytest

from ticker.bench.report import progress

SCRIPT = """
from ticker.bench.report import progress
with progress.on_terminal(), progress.within("step 1 of 2"):
    progress.say("20 clients connect")
    progress.wait(0.05, "measuring")
"""


def test_nothing_is_drawn_where_nobody_looks(capfd: pytest.CaptureFixture[str]) -> None:
    begin = time.monotonic()
    with progress.on_terminal(), progress.within("step 1 of 2"):
        progress.say("20 clients connect")
        progress.wait(0.02, "measuring")
    assert time.monotonic() - begin >= 0.02
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_a_terminal_sees_a_bar_on_stderr_and_stdout_stays_clean() -> None:
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, stderr=theirs, timeout=60
    )
    os.close(theirs)
    drawn = os.read(ours, 65536).decode()
    os.close(ours)
    assert done.returncode == 0
    assert done.stdout == b""
    assert "step 1 of 2: 20 clients connect" in drawn
    assert "step 1 of 2: measuring" in drawn
    assert "100%" in drawn
