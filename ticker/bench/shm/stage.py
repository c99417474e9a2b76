"""Where shared memory is put under stress: a segment, control words, and forked processes.

Law: all that a run starts or makes is gone at its end, also after an error.
"""

from __future__ import annotations

import itertools
import json
import mmap
import os
import select
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from ticker.bench.shm.stress import READY, Control
from ticker.errors import TickerError
from ticker.shm import segment
from ticker.shm.header import KIND_FEED, Mapping
from ticker.shm.table import TableWriter

PATIENCE = 600.0
_numbers = itertools.count()


class Child:
    """A forked process that does `work` and hands back its result as JSON."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._results, write_end = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                os.close(self._results)
                os.write(write_end, json.dumps(work()).encode())
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        os.close(write_end)
        self.status: int | None = None

    def result(self, patience: float = PATIENCE) -> Any:
        """The result of `work`.

        Raises:
            TickerError: it failed, or is not done after `patience` seconds (and is killed).
        """
        found = b""
        deadline = time.monotonic() + patience
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._results], [], [], left)[0]:
                self.end()
                raise TickerError(f"process {self.pid} was not done after {patience} s")
            chunk = os.read(self._results, 65536)
            if not chunk:
                break
            found += chunk
        if self.wait() != 0:
            raise TickerError(f"process {self.pid} failed, status {self.status}; see stderr")
        return json.loads(found)

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        """Its wait status: 0, or (killed) the signal's number."""
        if self.status is None:
            self.status = os.waitpid(self.pid, 0)[1]
            os.close(self._results)
        return self.status

    def end(self) -> None:
        """Make sure that it is gone."""
        if self.status is None:
            self.kill()
            self.wait()


@dataclass
class Stage:
    """One run: a feed segment by name, shared control words, and the processes started."""

    name: str
    control: Control
    children: list[Child]

    def start(self, work: Callable[[], object], place: int) -> Child:
        """Fork; `place` is a core, counted round. Left alone, the scheduler keeps some runs on
        one core, where nothing meets nothing."""

        def pinned() -> object:
            cores = sorted(os.sched_getaffinity(0))
            os.sched_setaffinity(0, {cores[place % len(cores)]})
            return work()

        child = Child(pinned)
        self.children.append(child)
        return child

    def end(self) -> None:
        for child in self.children:
            child.end()

    def attach(self, *, writable: bool = False) -> Mapping:
        return segment.attach(self.name, KIND_FEED, writable=writable)

    def wait_ready(self, readers: int) -> None:
        while not all(self.control[READY + reader] for reader in range(readers)):
            for child in self.children:
                if child.status is None and os.waitpid(child.pid, os.WNOHANG)[0]:
                    child.status = -1
                    raise TickerError(f"process {child.pid} died at start; see stderr")
            time.sleep(0.001)


@contextmanager
def stage(rows: int, ring_capacity: int) -> Iterator[Stage]:
    """A fresh feed segment; at the end its processes are ended and it is removed."""
    name = segment.feed_name("stress", f"{os.getpid()}-{next(_numbers)}")
    segment.create_feed(name, segment.Geometry(rows, 1, ring_capacity), 1, time.time_ns())
    with ExitStack() as stack:
        stack.callback(segment.remove, name)
        found = Stage(name, Control(mmap.mmap(-1, mmap.PAGESIZE)), [])
        stack.callback(found.end)
        table = TableWriter(found.attach(writable=True))
        for row in range(rows):
            table.add(f"S{row}", "XNAS")
        del table
        yield found
