"""A feed's log as a player reads it, whichever engine keeps it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

import msgspec

from ticker.cluster.buses.login import login_of
from ticker.cluster.buses.nats import NatsBus
from ticker.cluster.log.reader import LogReader
from ticker.cluster.log.requests import logs_of
from ticker.cluster.log.streams import stream_name
from ticker.cluster.subjects import Subjects
from ticker.config import ClusterConfig
from ticker.errors import DecodeError, NoServerError, StoreError

CONNECT = 5.0
"""s in which a server must answer."""
NAME = "ticker replay"


@dataclass(frozen=True)
class Logged:
    """A log that is there.

    Attributes:
        cluster: its servers and login, the cluster's name, lane and number of shards.
        checkpoint: s in which each row comes into it as a whole.
    """

    cluster: ClusterConfig
    feed: str
    checkpoint: float


class Source(Protocol):
    """Frames of a log, from a time on, in its order."""

    @property
    def fault(self) -> str:
        """Why nothing comes; empty: it comes."""

    @property
    def at_end(self) -> bool:
        """Whether all that was in the log was taken."""

    async def run(self) -> None:
        """Read until cancelled."""

    def take(self, most: int) -> list[tuple[bytes, bytes]]:
        """The next (subject, frame)s that came."""

    async def wait(self, seconds: float) -> None:
        """Until something comes, or so long."""


class JetStreamSource:
    """The log of a feed in JetStream, from `since` on (ns)."""

    def __init__(self, logged: Logged, since: int) -> None:
        cluster = logged.cluster
        subjects = Subjects(cluster.name, logged.feed, cluster.lane)
        self.bus = NatsBus(cluster.servers, NAME, login_of(cluster), quiet=True)
        self.reader = LogReader(
            self.bus,
            subjects,
            stream_name(cluster.name, logged.feed),
            [subjects.deltas, subjects.images, subjects.checkpoints],
            since,
        )
        self.take, self.wait = self.reader.take, self.reader.wait

    @property
    def fault(self) -> str:
        if not self.bus.connected:
            return self.bus.said.last or "no server answers"
        return self.reader.fault

    @property
    def at_end(self) -> bool:
        return self.reader.at_end

    async def run(self) -> None:
        bus = asyncio.ensure_future(self.bus.run())
        try:
            await connected(self.bus)
            await self.reader.run()
        finally:
            bus.cancel()
            await asyncio.gather(bus, return_exceptions=True)


async def connected(bus: NatsBus) -> None:
    while not bus.connected:
        await asyncio.sleep(0.01)


def open_source(logged: Logged, since: int) -> Source:
    """Read a log from a time on, ns. Raises ConfigError: its login cannot be used."""
    return JetStreamSource(logged, since)


async def find_logs(cluster: ClusterConfig) -> list[Logged]:
    """The logs on these servers: of the cluster with this name, or of all; in order.

    Raises:
        NoServerError: no server answers.
        StoreError: they have no log of it.
    """
    bus = NatsBus(cluster.servers, NAME, login_of(cluster), quiet=True)
    task = asyncio.ensure_future(bus.run())
    try:
        async with asyncio.timeout(CONNECT):
            await connected(bus)
        found = await logs_of(bus, Subjects(cluster.name or "any", "any"))
    except TimeoutError:
        servers = ", ".join(cluster.servers)
        reason = bus.said.last or "no answer"
        raise NoServerError(f"{servers}: no server of the bus there ({reason})") from None
    except DecodeError as error:
        raise StoreError(f"{', '.join(cluster.servers)}: {error}") from None
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return [logged_of(cluster, *each) for each in found if cluster.name in ("", each[0])]


def logged_of(cluster: ClusterConfig, name: str, feed: str, metadata: dict[str, str]) -> Logged:
    """Raises StoreError: another version of ticker made it."""
    try:
        shards, checkpoint = int(metadata["ticker.shards"]), float(metadata["ticker.checkpoint"])
        lane = metadata["ticker.lane"]
    except (KeyError, ValueError):
        raise StoreError(f"the log of feed {feed!r} is of another version of ticker") from None
    of = msgspec.structs.replace(cluster, name=name, shards=shards, lane=lane)
    return Logged(of, feed, checkpoint)
