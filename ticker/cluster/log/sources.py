"""A feed's log as a player reads it, whichever engine keeps it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import msgspec

from ticker.cluster.buses.login import login_of
from ticker.cluster.buses.nats import NatsBus
from ticker.cluster.log.engines import NEEDED, Source
from ticker.cluster.log.reader import LogReader
from ticker.cluster.log.requests import logs_of
from ticker.cluster.log.streams import stream_name
from ticker.cluster.subjects import Subjects
from ticker.config import ClusterConfig, LogConfig
from ticker.errors import ConfigError, DecodeError, NoServerError, StoreError

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


class JetStreamSource:
    """The log of a feed in JetStream, from `since` on (ns)."""

    def __init__(self, logged: Logged, since: int) -> None:
        cluster = logged.cluster
        subjects = Subjects(cluster.name, logged.feed, cluster.lane, cluster.shards, cluster.pinned)
        self.bus = NatsBus(cluster.servers, NAME, login_of(cluster), quiet=True)
        self.reader = LogReader(
            self.bus,
            subjects,
            stream_name(cluster.name, logged.feed),
            [],
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
    cluster = logged.cluster
    if cluster.bus == "nats":
        return JetStreamSource(logged, since)
    from ticker.cluster.log.kafka import KafkaReader

    subjects = Subjects(cluster.name, logged.feed, cluster.lane)
    wanted = (*subjects.deltas, subjects.images, subjects.checkpoints)
    prefixes = tuple(each.rstrip("*").encode() for each in wanted)
    return KafkaReader(cluster, prefixes, None, since, in_order=True)


async def find_logs(cluster: ClusterConfig) -> list[Logged]:
    """The logs on these servers: of the cluster with this name, or of all; in order.

    Raises:
        NoServerError: no server answers.
        StoreError: they have no log of it.
        ConfigError: the login cannot be used, or a package is missing.
    """
    if cluster.bus == "kafka":
        return _logs_in_kafka(cluster)
    return await _logs_in_jetstream(cluster)


def _logs_in_kafka(cluster: ClusterConfig) -> list[Logged]:
    try:
        from confluent_kafka import KafkaException

        from ticker.cluster.log.kafka import feeds_in, partitions_in
    except ImportError:
        raise ConfigError(NEEDED) from None
    if not cluster.name:
        raise ConfigError("--cluster: name the cluster whose topics are to be read")
    try:
        partitions = partitions_in(cluster)
        feeds = feeds_in(cluster) if partitions else {}
    except KafkaException as error:
        reason = error.args[0].str() if error.args else str(error)
        raise NoServerError(f"{', '.join(cluster.servers)}: no log there ({reason})") from None
    kept = cluster.kept or LogConfig()
    found = []
    for feed, (shards, pinned) in sorted(feeds.items()):
        hashed = max(partitions - len(pinned), 1)
        kafka = msgspec.structs.replace(cluster.kafka, partitions=hashed)
        of = msgspec.structs.replace(cluster, shards=shards, pinned=pinned, kafka=kafka)
        found.append(Logged(of, feed, kept.checkpoint_interval))
    return found


async def _logs_in_jetstream(cluster: ClusterConfig) -> list[Logged]:
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
        pinned = tuple(metadata.get("ticker.pinned", "").split())
    except (KeyError, ValueError):
        raise StoreError(f"the log of feed {feed!r} is of another version of ticker") from None
    of = msgspec.structs.replace(cluster, name=name, shards=shards, lane=lane, pinned=pinned)
    return Logged(of, feed, checkpoint)
