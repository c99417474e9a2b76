"""The mirror: a process that keeps `latest:{symbol}` of all symbols in a Redis.

In: segments of feeds, like a gateway. Out: commands to one Redis server. No feed and no gateway
ever waits for it. While the Redis takes nothing, symbols wait as they change; afterwards all keys
are written anew, as also when the server turns out to be another one, or has lost a key.

`run` is called by the supervisor in a forked child and returns when the mirror was told to stop.
"""

from __future__ import annotations

import errno
import os
import signal
import threading
import time
from pathlib import Path

import structlog

from ticker.clock import now_ns, steady_ns
from ticker.config import Config
from ticker.gateway.prices.board import Board
from ticker.gateway.prices.directory import SymbolDirectory
from ticker.mirror.context import MirrorContext
from ticker.mirror.latest import Latest
from ticker.mirror.redis_server import ADVICE, RedisServer, RefusedError
from ticker.pulse import Pulse
from ticker.shm.counters import Counters, Heartbeat
from ticker.shm.header import KIND_FEED, KIND_MIRROR
from ticker.shm.segment import attach
from ticker.shm.timetable import Timetable

log = structlog.get_logger()

AT_ONCE = 1024
"""Symbols whose commands are sent before their answers are read."""
JUDGE = 500_000_000
"""ns between two looks at the states of all symbols, as gateways take them."""
PROBE = 500_000_000
"""ns between two questions whether the server still is the one that was written to."""
MOST_LOSSES = 6
"""A server that evicts keys loses some again and again: the questions become as rare as 32 s."""
AGAIN = 0.5
"""s to the next attempt when the server takes nothing."""
SAY_AGAIN = 60.0
"""s after which a fault that stays is logged again."""


def run(config: Config, context: MirrorContext) -> None:
    """Write until SIGTERM or SIGINT, then once more.

    Raises:
        SegmentError: a segment is missing or not the expected one.
        ConfigError: the environment has no password, or a certificate cannot be read.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    Mirror(config, context).serve(stop)


class Mirror:
    """All feeds of a server in one Redis."""

    def __init__(self, config: Config, context: MirrorContext) -> None:
        assert config.cluster is not None
        assert config.cluster.redis is not None
        redis, boot = config.cluster.redis, context.boot_id
        segment = attach(context.segment, KIND_MIRROR, boot_id=boot, writable=True)
        self.heartbeat = Heartbeat(segment)
        self.counters = Counters(segment)
        self.interval = redis.interval
        self.timetable = Timetable([name for name, _ in context.feeds], context.timetable)
        self.board = Board(
            [(name, attach(shared, KIND_FEED, boot_id=boot)) for name, shared in context.feeds]
        )
        file = config.directory.file
        self.directory = SymbolDirectory(Path(file) if file else None)
        self.server = RedisServer(redis)
        self.latest = Latest(self.board, boot, redis.ttl, redis.publish, self._currency)
        self.faults = Faults(self.counters)
        self.run_id = b""
        self._judge_due = self._probe_due = 0
        self._losses = 0

    def serve(self, stop: threading.Event) -> None:
        """Work until `stop` is set; then write the last changes, if the server takes them."""
        self.heartbeat.take_over(os.getpid(), now_ns())
        with Pulse(lambda: self.heartbeat.beat(now_ns())):
            self._serve(stop)
        self.heartbeat.leave()

    def _serve(self, stop: threading.Event) -> None:
        while not stop.is_set():
            begun = time.monotonic()
            works = self.turn()
            took = time.monotonic() - begun
            stop.wait(max(0.0, (self.interval if works else max(self.interval, AGAIN)) - took))
        self._judge_due = 0
        if self.server.connected:
            self.turn()
        self.server.close()
        self.counters.put("connected", 0)

    def turn(self) -> bool:
        """Write the symbols that have news; whether the server has taken them all."""
        now, steady = now_ns(), steady_ns()
        judge = steady >= self._judge_due
        if judge:
            self._judge_due = steady + JUDGE
            self.timetable.look()
        self.board.look(now, self.timetable.sessions(now), steady)
        self.latest.look(steady, judge)
        try:
            self._reach(steady)
            refused = self._write()
        except OSError as error:
            refused = error
        if refused is None:
            self.counters.put("written_time_ns", now_ns())
            self.faults.over()
        else:
            self.faults.found(refused)
        self.counters.put("connected", int(self.server.connected))
        self.counters.put("cpu_ns", time.process_time_ns())
        return refused is None

    def _reach(self, steady: int) -> None:
        """Be connected with the server that has what was written."""
        if not self.server.connected:
            self.server.connect()
            self.counters.add("connections")
            self._renew()
            self.run_id = self._run_id()
            self._probe_due = steady + PROBE
        elif steady >= self._probe_due:
            run_id = self._run_id()
            lost = not self._has_its_keys()
            if lost or run_id != self.run_id:
                self.run_id = run_id
                self._renew()
            self._losses = min(self._losses + 1, MOST_LOSSES) if lost else 0
            self._probe_due = steady + (PROBE << self._losses)

    def _renew(self) -> None:
        self.latest.renew()
        self.counters.add("renewals")

    def _run_id(self) -> bytes:
        """The server's name of its own run; empty: it does not say it to us."""
        try:
            said = self.server.call("INFO", "server")
        except RefusedError:
            return b""
        lines = said.splitlines() if isinstance(said, bytes) else []
        return next((line for line in lines if line.startswith(b"run_id:")), b"")

    def _has_its_keys(self) -> bool:
        """Whether the key that was written the longest time ago is there: if the server was
        emptied, that one is gone the longest."""
        self.counters.put("keys", self.latest.keys)
        oldest = self.latest.oldest()
        if oldest < 0:
            return True
        try:
            return self.server.call("EXISTS", self.latest.key(oldest)) != 0
        except RefusedError:
            return True

    def _write(self) -> OSError | None:
        """Write what is due; the newest refusal, if there was one.

        Raises:
            OSError: the connection is lost.
        """
        refused = None
        due = self.latest.due()
        for begin in range(0, len(due), AT_ONCE):
            commands, told = self.latest.commands(due[begin : begin + AT_ONCE])
            if told:
                refused = self._send(commands, told) or refused
        return refused

    def _send(self, commands: memoryview, told: list[tuple[int, int]]) -> OSError | None:
        try:
            refusals = self.server.send(commands, len(told))
        except OSError:
            for symbol, news in told:
                self.latest.failed(symbol, news)
            raise
        wrote, published = self.latest.settle(told, refusals.keys(), steady_ns())
        self.counters.add("writes", wrote)
        self.counters.add("published", published)
        self.counters.add("refused", len(refusals))
        self.counters.add("bytes", len(commands))
        return next(iter(refusals.values()), None)

    def _currency(self, symbol: str) -> str:
        listing = self.directory.get(symbol)
        return listing.currency if listing is not None else ""


class Faults:
    """The fault that there is now: a state, a counter and a line in the log."""

    def __init__(self, counters: Counters) -> None:
        self.counters = counters
        self._code = 0
        self._said = 0.0
        counters.put("failing", 0)  # a predecessor's, which was killed

    def found(self, error: OSError) -> None:
        """Count it; log it when it is another one, and once a minute."""
        code, now = error.errno or errno.EPROTO, time.monotonic()
        self.counters.add("faults")
        if code != self._code or now - self._said >= SAY_AGAIN:
            self._said = now
            log.error(
                "the mirror cannot write",
                reason=error.strerror or str(error),
                advice=ADVICE.get(code, ADVICE[errno.EPROTO]),
            )
        self._code = code
        self.counters.put("fault", code)
        self.counters.put("failing", 1)

    def over(self) -> None:
        """All that was due is written."""
        if self._code:
            self._code = 0
            self.counters.put("failing", 0)
            log.info("the mirror writes again")
