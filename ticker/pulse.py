"""Signs of life of a worker that waits for a disk or another server.

A thread of its own gives them. So they say that the process runs: that it is not stopped, and that
no code keeps the interpreter. What its other threads wait for is a state of the worker.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

BEAT = 0.25
"""s between two signs of life."""


class Pulse:
    """Calls `beat` for as long as this context is open."""

    def __init__(self, beat: Callable[[], None]) -> None:
        self.beat = beat
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)

    def _run(self) -> None:
        while not self._over.wait(BEAT):
            self.beat()

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
