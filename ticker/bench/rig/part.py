"""A process of a bench: takes commands by line on stdin, answers each with one line of JSON.

Parts end with their stdin, so a bench that dies leaves none behind.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from typing import Any

from ticker.bench.report import machine
from ticker.errors import BenchError

ANSWER_TIMEOUT = 120.0


class Part:
    """One started process. `name` is what messages call it; a `server` takes no commands and
    is ended by SIGTERM instead of by its stdin."""

    def __init__(
        self, name: str, argv: list[str], pass_fds: tuple[int, ...] = (), *, server: bool = False
    ) -> None:
        self.name = name
        self._server = server
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  (lives as long as the part)
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            pass_fds=pass_fds,
        )
        self._buffer = b""

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def cpu_ns(self) -> int:
        """CPU time that the process has used so far."""
        return machine.cpu_ns(self.pid)

    def tell(self, line: str) -> None:
        """Send a command and don't wait. Raises BenchError when the part is gone."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._gone() from None

    def answer(self, timeout: float = ANSWER_TIMEOUT) -> dict[str, Any]:
        """The answer to the oldest command without one.

        Raises:
            BenchError: the part is gone, is late, or says that it failed.
        """
        end = time.monotonic() + timeout
        while b"\n" not in self._buffer:
            self._more(end - time.monotonic(), timeout)
        line, _, self._buffer = self._buffer.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise BenchError(f"{self.name}: {answer['error']}")
        return answer

    def ask(self, do: str, timeout: float = ANSWER_TIMEOUT, **arguments: Any) -> dict[str, Any]:
        """`tell` and `answer`, for the parts in Python."""
        self.tell(json.dumps({"do": do, **arguments}))
        return self.answer(timeout)

    def check_alive(self) -> None:
        """Raises BenchError when the process has ended."""
        if self._process.poll() is not None:
            raise self._gone()

    def close(self) -> None:
        """End the process: stdin first, then SIGTERM, then SIGKILL."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        ends = (self._process.terminate, self._process.kill)
        for end in ends if self._server else (None, *ends):
            if end is not None:
                end()
            try:
                self._process.wait(5)
                break
            except subprocess.TimeoutExpired:
                continue
        self._process.stdout.close()
        self._stderr.close()

    def _more(self, wait: float, timeout: float) -> None:
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if wait <= 0 or not selector.select(wait):
                raise BenchError(f"{self.name}: no answer within {timeout:g} s")
        read = os.read(self._process.stdout.fileno(), 1 << 20)
        if not read:
            raise self._gone()
        self._buffer += read

    def _gone(self) -> BenchError:
        self._process.wait(5)
        self._stderr.seek(0)
        said = self._stderr.read().decode(errors="replace").strip()
        return BenchError(f"{self.name} ended with {self._process.returncode}: {said[-2000:]}")


def python_part(
    name: str,
    role: str,
    settings: dict[str, Any],
    pass_fds: tuple[int, ...] = (),
    *,
    server: bool = False,
) -> Part:
    """A part that runs ticker/bench/rig/actor.py in a fresh interpreter."""
    argv = [sys.executable, "-m", "ticker.bench.rig.actor", role, json.dumps(settings)]
    return Part(name, argv, pass_fds, server=server)


def limit_command(name: str, *arguments: str) -> list[str]:
    """The command of one of the programs in ticker/bench/limits: they are compiled with ticker, so
    that a bench needs neither a source tree nor a compiler."""
    return [sys.executable, "-m", "ticker.bench.limits", name, *arguments]


def limit_part(name: str, *arguments: str) -> Part:
    """A part that is one of the programs in ticker/bench/limits."""
    return Part(name, limit_command(name, *arguments))
