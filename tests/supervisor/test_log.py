"""A log that nobody reads, or that has no room, costs lines, and no server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

import pytest

from tests.supervised import CONFIG, STANDIN, ask, until

pytestmark = pytest.mark.slow


@contextmanager
def server(
    folder: Path, log: int | IO[Any]
) -> Iterator[tuple[subprocess.Popen[bytes], tuple[str, int]]]:
    """A server with stand-in workers that logs there; its address."""
    config = folder / "ticker.toml"
    config.write_text(CONFIG.format(instance=f"test-log-{os.getpid()}", port=0))
    command = [sys.executable, str(STANDIN), str(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log) as process:
        try:
            assert process.stdout is not None
            host, port = process.stdout.readline().decode().split("/")[2].split(":")
            yield process, (host, int(port))
        finally:
            process.kill()


def replaced(address: tuple[str, int], pid: int) -> bool:
    return ask(address)[1] != pid


def outlives(process: subprocess.Popen[bytes], address: tuple[str, int]) -> None:
    """Dead workers are replaced, and the server ends when it is told to."""
    for _ in range(3):
        _, pid = ask(address)
        os.kill(pid, signal.SIGKILL)
        until(partial(replaced, address, pid))
    assert process.poll() is None
    process.terminate()
    assert process.wait(10) == 0


def test_a_reader_that_is_gone(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    with server(tmp_path, writer) as (process, address):
        os.close(writer)
        os.close(reader)
        outlives(process, address)


def test_a_reader_that_stalls(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    with server(tmp_path, writer) as (process, address):
        filled = os.open(f"/proc/self/fd/{writer}", os.O_WRONLY | os.O_NONBLOCK)
        with pytest.raises(BlockingIOError):
            while True:
                os.write(filled, b"x")
        outlives(process, address)
    for each in (reader, writer, filled):
        os.close(each)


def test_a_full_disk(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full, server(tmp_path, full) as (process, address):
        outlives(process, address)
