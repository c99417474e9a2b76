"""The engines of the bus and of its log, by the configuration.

The code of an engine is loaded only where it is used: confluent-kafka is an extra.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from ticker.cluster.buses.login import login_of
from ticker.cluster.buses.nats import (
    AnswerHandler,
    Handler,
    ManyHandler,
    Message,
    NatsBus,
    Said,
    Subscription,
)
from ticker.cluster.log.reader import LogReader
from ticker.cluster.log.streams import stream_name
from ticker.cluster.log.writing import LogWriting
from ticker.cluster.subjects import Subjects
from ticker.config import ClusterConfig
from ticker.errors import ConfigError

NEEDED = "bus: Kafka needs confluent-kafka: pip install 'ticker[kafka]'"
MOST_FILTERS = 32
"""Shards that are asked for one by one; more than that are read with all others."""


class Bus(Protocol):
    """A connection to the bus, of whichever engine."""

    connected: bool
    pongs: int
    said: Said

    @property
    def ready(self) -> bool: ...

    def subscribe(
        self, subject: str, handler: Handler, many: ManyHandler | None = None
    ) -> Subscription: ...

    def subscribe_to_answer(self, subject: str, handler: AnswerHandler) -> Subscription: ...

    def unsubscribe(self, subscription: Subscription) -> None: ...

    def publish(self, messages: Any) -> bool: ...

    def reconnect(self) -> None: ...

    async def run(self) -> None: ...


class Writing(Protocol):
    """A feed's log, as its relay sees it."""

    fault: str

    @property
    def count(self) -> Any: ...

    @property
    def checkpoints(self) -> Callable[[float], list[int]]: ...

    def listen(self) -> None: ...

    def turn(self, steady: int) -> None: ...

    def publish(self, messages: list[Message], steady: int) -> bool: ...


class Source(Protocol):
    """Frames of a log, from a time on."""

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


def open_bus(config: ClusterConfig, name: str, *, late: float = 0.0, **more: Any) -> Bus:
    """A connection for a box that brokers or servers call `name`; `late`, which is of NATS alone,
    and `more` as in NatsBus.

    Raises:
        ConfigError: the login cannot be used, or the engine's package is not installed.
    """
    if config.bus == "nats":
        return NatsBus(config.servers, name, login_of(config), late=late, **more)
    try:
        from ticker.cluster.buses.kafka import KafkaBus
    except ImportError:
        raise ConfigError(NEEDED) from None
    return KafkaBus(config, name, **more)


def check_login(config: ClusterConfig) -> None:
    """Raises ConfigError: secrets cannot be read, or the engine's package is not installed."""
    if config.bus == "nats":
        login_of(config)
        return
    try:
        from ticker.cluster.buses.kafka_options import options_of
        from ticker.cluster.log import kafka  # noqa: F401
    except ImportError:
        raise ConfigError(NEEDED) from None
    options_of(config, "ticker")


def writing_of(bus: Any, config: ClusterConfig, feed: str, life: int) -> Writing | None:
    """The log that a relay writes; None: there is none."""
    kept = config.kept
    if kept is None:
        return None
    if config.bus == "nats":
        return LogWriting(bus, config, kept, feed, life)
    from ticker.cluster.log.kafka import KafkaWriting

    return KafkaWriting(bus, config, kept, feed)


def deltas_since(
    bus: Any, config: ClusterConfig, feed: str, shards: list[int], since: int
) -> Source:
    """The deltas of these shards, at least, from a time on, ns."""
    subjects = Subjects(config.name, feed, config.lane, config.shards, config.pinned)
    if config.bus == "nats":
        filters = subjects.deltas
        if len(shards) <= MOST_FILTERS:
            filters = [subjects.delta(shard).decode() for shard in shards]
        return LogReader(bus, subjects, stream_name(config.name, feed), filters, since)
    from ticker.cluster.log.kafka import KafkaReader

    prefix = subjects.deltas[0].rstrip("*").encode()
    return KafkaReader(config, (prefix,), shards, since, in_order=False)
