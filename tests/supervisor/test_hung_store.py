"""A store worker that hangs is replaced; one that waits for its disk is not."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.supervised import Server, serve, until
from ticker.shm.counters import Heartbeat
from ticker.shm.header import KIND_FEED, KIND_STORE
from ticker.shm.segment import attach, feed_name, store_name
from ticker.shm.table import TableWriter

__all__ = ["serve"]
SECOND = 1_000_000_000
HUNG = 0.8
"""s, of the stand-in's supervisor."""


def heartbeat(server: Server) -> Heartbeat:
    """Of the store worker, once it has come up."""
    found = Heartbeat(attach(store_name(server.instance), KIND_STORE))
    until(lambda: found.pid == server.workers()["store"])
    return found


@pytest.mark.slow
def test_one_that_hangs_is_replaced(serve: Callable[..., Server]) -> None:
    server = serve(TEST_STORE="1")
    server.where()
    pid = heartbeat(server).pid
    os.kill(pid, signal.SIGSTOP)
    until(lambda: server.log("hung"))
    assert server.log("hung")[0]["worker"] == "store"
    until(lambda: server.workers()["store"] != pid)
    assert heartbeat(server).epoch == 2


@pytest.mark.slow
def test_one_that_waits_for_its_disk_is_not(serve: Callable[..., Server]) -> None:
    """The file of the next snapshot is a pipe that nobody reads, so its opening does not return."""
    instance = f"test-{os.getpid()}"
    folder = Path(os.environ["XDG_STATE_HOME"]) / "ticker" / instance / "last"
    folder.mkdir(0o700, parents=True)
    os.mkfifo(folder / "sim.new")
    server = serve(instance, TEST_STORE="1")
    server.where()
    beat = heartbeat(server)
    pid, begun = beat.pid, beat.time_ns
    segment = attach(feed_name(instance, "sim"), KIND_FEED, writable=True)
    TableWriter(segment).add("AAPL", "XNAS")
    until(lambda: beat.time_ns > begun + 2.5 * HUNG * SECOND)
    assert beat.pid == pid
    assert not server.log("hung")
    assert not list(folder.glob("sim.[01]")), "it waits"
    os.kill(pid, signal.SIGKILL)  # it would not end by itself
