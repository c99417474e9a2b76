"""Commands whose standard streams are closed or full."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ticker.lines import print_line

COMMAND = f"exec {sys.executable} -m ticker check --config nowhere.toml"


@pytest.mark.slow
@pytest.mark.parametrize("closed", ["2>&-", "<&- >&- 2>&-"])
def test_a_command_without_streams_does_what_it_does(tmp_path: Path, closed: str) -> None:
    """Its first sockets would otherwise get what it prints."""
    done = subprocess.run(["sh", "-c", f"{COMMAND} {closed}"], cwd=tmp_path, timeout=30)
    assert done.returncode == 3


def test_a_server_does_not_end_because_nobody_hears_where_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with Path("/dev/full").open("w") as full, os.fdopen(writer, "w") as closed:
        for stream in (full, closed):
            monkeypatch.setattr(sys, "stdout", stream)
            print_line("ticker: http://127.0.0.1:8700/")
