"""A real `ticker serve` for a bench, with all its processes, and `ticker simulate` to feed it.

Law: a bench asks nothing of them that an operator could not: a configuration file, signals, the
public port, and the segments, which any process of the machine may map read-only.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from ticker.bench.rig.ports import free_port
from ticker.errors import BenchError
from ticker.shm import segment
from ticker.shm.counters import Counters, Heartbeat
from ticker.shm.header import KIND_FEED, KIND_GATEWAY, Mapping

START_TIMEOUT = 60.0
STOP_TIMEOUT = 20.0
SETTLE_TIMEOUT = 20.0
QUIET = 0.5
"""s without a message after which a feed has taken in all there was."""
WHERE = re.compile(rb"http://[\d.]+:(\d+)/")


class Process:
    """`python -m ticker ARGUMENTS`, ended by SIGTERM when the context is left."""

    def __init__(self, name: str, *arguments: object, core: int | None = None) -> None:
        self.name = name
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  (lives as long as the process)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ticker", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=self._log,
            preexec_fn=None if core is None else pin(core),
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def check_alive(self) -> None:
        """Raises BenchError when the process has ended."""
        if self._process.poll() is not None:
            raise BenchError(f"{self.name} ended with {self._process.returncode}: {self._said()}")

    def await_output(self, pattern: re.Pattern[bytes], timeout: float) -> re.Match[bytes]:
        """The first match in what the process prints.

        Raises:
            BenchError: it ended, or printed nothing of the kind in time.
        """
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)
        said = b""
        end = time.monotonic() + timeout
        while not (found := pattern.search(said)):
            self.check_alive()
            if time.monotonic() > end:
                raise BenchError(f"{self.name} did not come up: {self._said()}")
            time.sleep(0.02)
            said += self._process.stdout.read() or b""
        return found

    def finish(self) -> bytes:
        """SIGTERM, and what is still printed until the end. Raises BenchError: it failed."""
        self._process.send_signal(signal.SIGTERM)
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), True)
        printed = self._process.stdout.read()
        if self._process.wait(STOP_TIMEOUT):
            raise BenchError(f"{self.name} ended with {self._process.returncode}: {self._said()}")
        return printed

    def close(self) -> None:
        """SIGTERM, then SIGKILL."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._log.close()

    def _said(self) -> str:
        return tail(self._log)

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Server(Process):
    """`ticker serve`, up, with one ITCH feed on two lines, and everything else as shipped.

    Args:
        folder: where its configuration is written.
        lines: of the feed, ADDR:PORT.
        gateways: workers.
        core: pinned there with all its workers; None leaves them to the scheduler.
    """

    def __init__(
        self, folder: Path, lines: tuple[str, str], *, gateways: int = 1, core: int | None = None
    ) -> None:
        instance = f"bench-{os.getpid()}"
        config = folder / "ticker.toml"
        config.write_text(configuration(instance, lines, gateways), encoding="utf-8")
        super().__init__("`ticker serve`", "serve", "--config", config, core=core)
        try:
            self.port = int(self.await_output(WHERE, START_TIMEOUT)[1])
            self.feed = segment.attach(segment.feed_name(instance, "sim"), KIND_FEED)
            self.gateways = [
                segment.attach(segment.gateway_name(instance, index), KIND_GATEWAY)
                for index in range(gateways)
            ]
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Server:
        return self

    def pids(self) -> dict[str, list[int]]:
        """Of each kind of process."""
        return {
            "feed": [Heartbeat(self.feed).pid],
            "gateways": [Heartbeat(each).pid for each in self.gateways],
            "supervisor": [self.pid],
        }


class Simulator(Process):
    """`ticker simulate itch` on two lines, until `finish`.

    Its messages have the time at which they were due, so a late simulator makes latencies longer.
    """

    def __init__(
        self, lines: tuple[str, str], symbols: int, rate: float, seed: int, loss: float = 0.0
    ) -> None:
        super().__init__(
            "`ticker simulate itch`", "simulate", "itch", "--symbols", symbols, "--rate", rate,
            "--seed", seed, "--loss", loss, "--line-a", lines[0], "--line-b", lines[1],
            "--rerequest", "none", "--stamp", "due", "--die-with-parent", "--json",
        )  # fmt: skip

    def __enter__(self) -> Simulator:
        return self

    def statistics(self) -> dict[str, Any]:
        """End it: its counts over its whole life."""
        found: dict[str, Any] = json.loads(self.finish())
        return found


def configuration(instance: str, lines: tuple[str, str], gateways: int = 1) -> str:
    """A ticker.toml: what names the instance, its feed and its workers; the rest is the default."""
    return f"""
[server]
instance = "{instance}"
port = 0
gateways = {gateways}
log = "json"

[[feeds]]
name = "sim"
protocol = "itch50"
session = "moldudp64"
venue = "XNAS"
lines = ["{lines[0]}", "{lines[1]}"]
source = ["127.0.0.1"]
"""


def free_lines() -> tuple[str, str]:
    """Two multicast groups and a port that is free."""
    port = free_port()
    number = secrets.randbelow(250) + 1
    return f"239.192.{number}.1:{port}", f"239.192.{number}.2:{port}"


def settle(feed: Mapping, timeout: float = SETTLE_TIMEOUT) -> None:
    """Wait until the feed worker has taken in nothing for a while."""
    counters = Counters(feed)
    end = time.monotonic() + timeout
    seen, since = -1, time.monotonic()
    while time.monotonic() - since < QUIET and time.monotonic() < end:
        if counters["messages"] != seen:
            seen, since = counters["messages"], time.monotonic()
        time.sleep(0.05)


def pin(core: int) -> Callable[[], None]:
    """For a child to call before it becomes another program."""
    return lambda: os.sched_setaffinity(0, (core,))


def tail(log: IO[bytes]) -> str:
    """The end of what a process wrote to a file."""
    log.seek(0)
    return log.read()[-2000:].decode(errors="replace").strip()
