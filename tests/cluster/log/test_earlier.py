"""An empty bridge and a log that cannot be played in time, or not at all: prices come anyway."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.cluster.pair import FEED, SHARDS
from tests.cluster.source import GEOMETRY
from ticker.bench.rig.ports import free_port
from ticker.cluster.incoming import Incoming
from ticker.cluster.log.sources import Logged
from ticker.cluster.workers.earlier import Earlier
from ticker.config import ClusterConfig, LogConfig
from ticker.errors import StoreError
from ticker.shm.doorbell import DoorbellRinger
from ticker.shm.segment import private_feed


def played(monkeypatch: pytest.MonkeyPatch, find: Any) -> list[Any]:
    """What is logged."""
    config = ClusterConfig(
        name="test", servers=(f"nats://127.0.0.1:{free_port()}",), shards=SHARDS, log=LogConfig()
    )

    async def found(_: ClusterConfig) -> list[Logged]:
        return [Logged(config, "feed", 1.0)] if find is None else find()

    monkeypatch.setattr("ticker.cluster.workers.earlier.find_logs", found)
    mapping = private_feed(GEOMETRY, 1, 1)
    ringer = DoorbellRinger([])
    incoming = Incoming(mapping, FEED, SHARDS, ringer)

    async def play() -> None:
        async with asyncio.timeout(5):
            await Earlier(config, "feed", mapping, incoming, ringer).play()

    with capture_logs() as logged:
        asyncio.run(play())
    return list(logged)


def test_a_log_that_takes_too_long_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ticker.cluster.workers.earlier.LONGEST", 0.05)
    [said] = played(monkeypatch, None)
    assert said["event"] == "the log is too long to be played before the bus is taken"
    assert said["advice"] == "lower catch_up_hours of [cluster.log]"


def test_a_log_that_cannot_be_read_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> list[Logged]:
        raise StoreError("no JetStream")

    [said] = played(monkeypatch, refused)
    assert (said["event"], said["reason"]) == ("no earlier trades from the log", "no JetStream")


def test_a_feed_without_a_log_waits_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert played(monkeypatch, list) == []
