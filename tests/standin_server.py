"""A whole server with small stand-in workers: real processes, sockets and segments.

Run as `python tests/standin_server.py CONFIG.toml`; TEST_MISBEHAVE says what goes wrong. With
TEST_STORE it has a real store worker, or one that never comes up ("late"). With TEST_PRICE its feed
publishes that price of AAPL.
"""

from __future__ import annotations

import errno
import itertools
import os
import select
import signal
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

from ticker import log
from ticker.config import Config, FeedConfig, load
from ticker.errors import ConfigError, FeedError, GatewayError, TickerError
from ticker.feeds.workers.worker import FeedContext
from ticker.gateway.context import GatewayContext
from ticker.shm.counters import Heartbeat
from ticker.shm.header import KIND_FEED, KIND_GATEWAY, Mapping
from ticker.shm.segment import attach
from ticker.shm.table import TableWriter
from ticker.store.context import StoreContext
from ticker.supervisor.feed_slots import Mains
from ticker.supervisor.feeds import calendar
from ticker.supervisor.serve import serve
from ticker.supervisor.slot import Patience

MISBEHAVE = os.environ.get("TEST_MISBEHAVE", "")


def beating(kind: int, segment: str, boot_id: int) -> Heartbeat:
    if MISBEHAVE == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    if MISBEHAVE == "slow" and kind == KIND_GATEWAY:
        signal.signal(signal.SIGTERM, leave_slowly)
    heartbeat = Heartbeat(attach(segment, kind, boot_id=boot_id, writable=True))
    heartbeat.take_over(os.getpid(), time.time_ns())
    return heartbeat


def leave_slowly(*_: object) -> None:
    time.sleep(2.5)
    sys.exit(0)


def feed(_config: FeedConfig, context: FeedContext) -> None:
    if MISBEHAVE == "boot":
        raise FeedError("interface 10.9.9.9: not of this machine")
    if MISBEHAVE == "edited" and not Path(os.environ["TEST_MENDED"]).exists():
        segment = attach(context.segment, KIND_FEED, boot_id=context.boot_id)
        if Heartbeat(segment).epoch:  # not the first
            raise ConfigError("mine.toml: not TOML")
    if price := int(os.environ.get("TEST_PRICE", "0")):
        publish(attach(context.segment, KIND_FEED, boot_id=context.boot_id, writable=True), price)
    heartbeat = beating(KIND_FEED, context.segment, context.boot_id)
    first = heartbeat.epoch == 1
    while True:
        if not (MISBEHAVE == "hang" and first):
            heartbeat.beat(time.time_ns())
        time.sleep(0.02)


def publish(segment: Mapping, price: int) -> None:
    """One trade more of AAPL."""
    table, now = TableWriter(segment), time.time_ns()
    row = 0 if len(table) else table.add("AAPL", "XNAS")
    seq = (table.values(row) or {"seq": 0})["seq"] + 1
    table.put(row, price=price, seq=seq, exchange_time=now, publish_time=now, session_start=now)


def gateway(_config: Config, context: GatewayContext) -> None:
    """Answers every connection with its slot and pid."""
    if MISBEHAVE == "successor" and context.index == 2:
        raise GatewayError("the successor cannot start")
    heartbeat = beating(KIND_GATEWAY, context.segment, context.boot_id)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # there is nothing to read again
    while True:
        heartbeat.beat(time.time_ns())
        if select.select([context.listener], [], [], 0.02)[0]:
            # in a rolling restart a successor accepts from the same socket
            with suppress(BlockingIOError), context.listener.accept()[0] as client:
                client.sendall(f"{context.index} {os.getpid()}\n".encode())


def store(config: Config, context: StoreContext) -> None:
    from ticker.store import worker

    if os.environ["TEST_STORE"] == "late":
        signal.pause()
    worker.run(config, context)


def misbehave() -> None:
    """What goes wrong outside of feeds and gateways."""
    if MISBEHAVE == "fork":
        fork, calls = os.fork, itertools.count()

        def every_other() -> int:
            if next(calls) % 2 == 0:
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
            return fork()

        os.fork = every_other
    elif MISBEHAVE == "calendar":

        def refuse(markets: object, path: Path, heartbeat: object) -> None:  # noqa: ARG001
            raise ConfigError("no calendar today")

        calendar.run = refuse


if __name__ == "__main__":
    log.configure("json")
    misbehave()
    try:
        sys.exit(
            serve(
                load(Path(sys.argv[1])),
                lambda line: print(line, flush=True),
                mains=Mains(feed=feed, store=store if "TEST_STORE" in os.environ else None),
                gateway_main=gateway,
                reload=partial(load, Path(sys.argv[1])),
                patience=Patience(
                    hung=0.8, last_words=0.2, drain=(1.0, 1.0, 1.0, 1.0), backoff=0.05
                ),
            )
        )
    except TickerError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
