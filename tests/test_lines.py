"""Lines to a descriptor that is full, broken or nobody's: dropped and counted, never waited for."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ticker.lines import Lines

LONG = "x" * 200_000
DROPPED = "log lines dropped"


@pytest.fixture(autouse=True)
def closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """All that a test opens is closed after it."""
    made: list[Lines] = []
    init = Lines.__init__

    def noted(self: Lines, descriptor: int) -> None:
        init(self, descriptor)
        made.append(self)

    monkeypatch.setattr(Lines, "__init__", noted)
    yield
    for each in made:
        each.close()


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    for each in (reader, writer):
        try:
            os.close(each)
        except OSError:
            continue


def read_all(reader: int) -> list[str]:
    os.set_blocking(reader, False)
    found = b""
    try:
        while part := os.read(reader, 1 << 20):
            found += part
    except BlockingIOError:
        pass
    return found.decode().splitlines()


def test_lines_come_as_they_are(pipe: tuple[int, int]) -> None:
    lines = Lines(pipe[1])
    lines.write("one\n")
    lines.write("two")
    print("three", file=lines)
    assert read_all(pipe[0]) == ["one", "two", "three"]
    assert not lines.isatty()


def test_a_reader_that_stalls_costs_lines_and_no_time(pipe: tuple[int, int]) -> None:
    lines = Lines(pipe[1])
    for number in range(10_000):
        lines.write(f"line {number} {'x' * 50}\n")
    assert lines.dropped > 5_000
    kept = read_all(pipe[0])
    assert kept == [f"line {number} {'x' * 50}" for number in range(10_000 - lines.dropped)]
    dropped = lines.dropped
    lines.write("after\n")
    said, last = read_all(pipe[0])
    assert json.loads(said) == {"event": DROPPED, "count": dropped, "pid": os.getpid()}
    assert (last, lines.dropped) == ("after", 0)


def test_the_reader_sees_no_flag_of_ours(pipe: tuple[int, int]) -> None:
    Lines(pipe[1]).write("one\n")
    assert not fcntl.fcntl(pipe[1], fcntl.F_GETFL) & os.O_NONBLOCK


def test_a_line_longer_than_the_pipe_is_whole_in_the_end(pipe: tuple[int, int]) -> None:
    lines = Lines(pipe[1])
    lines.write(f"{LONG}\n")
    found = "".join(read_all(pipe[0]))
    while len(found) < len(LONG):
        lines.write("next\n")
        found += "".join(read_all(pipe[0]))
    assert found.startswith(LONG)
    assert set(found[len(LONG) :]) <= set(
        "next" + json.dumps({"event": DROPPED, "count": 0, "pid": 1234567890})
    )


def test_a_pipe_that_nobody_reads(pipe: tuple[int, int]) -> None:
    lines = Lines(pipe[1])
    os.close(pipe[0])
    lines.write("to nobody\n")
    assert lines.dropped == 1


def test_a_full_disk_and_then_room(tmp_path: Path) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    lines = Lines(full)
    lines.write("no room\n")
    lines.write("no room\n")
    assert lines.dropped == 2
    os.close(full)
    file = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    lines.descriptor = lines._target = file
    lines.write("room\n")
    os.close(file)
    said, last = (tmp_path / "log").read_text().splitlines()
    assert (json.loads(said)["count"], last) == (2, "room")


def test_a_file_is_written_where_the_others_write(tmp_path: Path) -> None:
    """`2> log` without >>: what Python itself says of a crash shares the place in the file."""
    file = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    lines = Lines(file)
    lines.write("one\n")
    os.write(file, b"two\n")
    lines.write("three\n")
    os.close(file)
    assert (tmp_path / "log").read_text().split() == ["one", "two", "three"]


def test_a_socket_as_of_a_service_manager() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        lines = Lines(ours.fileno())
        lines.write("one\n")
        assert theirs.recv(100) == b"one\n"
        for _ in range(100):
            lines.write(f"{LONG}\n")
        assert lines.dropped > 0
        theirs.close()
        lines.write("to nobody\n")


def test_a_terminal_that_is_held_up() -> None:
    ours, theirs = pty.openpty()
    lines = Lines(theirs)
    assert lines.isatty()
    for _ in range(1_000):
        lines.write(f"{'x' * 100}\n")  # nobody reads
    assert lines.dropped > 0
    os.close(ours)
    os.close(theirs)


@pytest.mark.slow
def test_the_whole_log_goes_on_beside_a_full_disk() -> None:
    code = (
        "import logging, structlog; from ticker import log; log.configure('json');"
        "structlog.get_logger().error('one', reason='r'); logging.error('two');"
        "structlog.get_logger().exception('three'); print('alive')"
    )
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        run = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=full)
    assert (run.returncode, run.stdout) == (0, b"alive\n")
