"""[cluster] of ticker.toml: the bus between boxes.

Law: a message starts with the key within the table, says what is wrong, and gives a value that
works.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta, field

from ticker.config.redis import RedisConfig, redis_problems
from ticker.config.section import FilePath, Name, Section, Text

BUSES = {"nats": "NATS", "kafka": "Kafka"}
ENGINES = {"nats": "jetstream", "kafka": "kafka"}
EXAMPLE_PORTS = {"nats": 4222, "kafka": 9092}
MOST_SHARDS = 4096
MOST_PINNED = 512
Pinned = Annotated[str, Meta(pattern=r"^[!-)+-=?-~]{1,23}\Z")]
"""A symbol that can be a part of a subject: without blanks, `*` and `>`."""
Pause = Annotated[float, Meta(ge=0.001, le=10)]


class KafkaConfig(Section, frozen=True, kw_only=True):
    """How a box uses Kafka, where it is the bus.

    `partitions`: of the topic of frames, the same on all boxes. `linger`: s in which messages are
    gathered into a batch. `prices`: the values of a topic for other programs, whose keys are
    symbols: "json" objects, each symbol's "frame"s, or "none"; `topic`: its name. `options`: of
    librdkafka, like {"sasl.mechanism" = "SCRAM-SHA-256"}; no password is among them.
    """

    partitions: Annotated[int, Meta(ge=1, le=4096)] = 16
    linger: Annotated[float, Meta(ge=0, le=1)] = 0.025
    compression: Literal["none", "lz4", "zstd", "snappy", "gzip"] = "lz4"
    prices: Literal["none", "json", "frame"] = "none"
    topic: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,249}\Z")] = "prices"
    options: dict[str, str] = field(default_factory=dict)


class LogConfig(Section, frozen=True, kw_only=True):
    """What the log keeps.

    `engine`: "auto" is that of the bus: "jetstream", a stream of the nats-servers for each feed, or
    "kafka", the topic of frames; "none": there is no log.
    `retention_days`, `max_gigabytes`: of each feed's log; the oldest frames go first. `replicas`:
    servers that keep it. `compression`: of its files. `checkpoint_interval`: s in which each row
    comes into the log once as a whole, so that it can be read from any time on. `catch_up_hours`:
    of so many a gateway box that starts empty takes the trades from the log; 0: of none.
    """

    engine: Literal["auto", "jetstream", "kafka", "none"] = "auto"
    retention_days: Annotated[float, Meta(gt=0, le=3650)] = 7.0
    max_gigabytes: Annotated[float, Meta(gt=0)] = 20.0
    replicas: Annotated[int, Meta(ge=1, le=5)] = 1
    compression: Literal["none", "s2"] = "none"
    checkpoint_interval: Annotated[float, Meta(ge=1, le=3600)] = 60.0
    catch_up_hours: Annotated[float, Meta(ge=0, le=8784)] = 16.0


class ClusterConfig(Section, frozen=True, kw_only=True):
    """The bus, and the part of this box in it.

    `name`: of the cluster, the same on all its boxes; `shards`: among which symbols are spread, the
    same on all of them; `pinned`: symbols with a shard of their own, in the same order on all of
    them. `interest`: the shards whose changes a box takes, "all" or those that are "watched" by its
    clients. `flush_interval`: s between two frames of a shard; `lane`: "ticks" are rows
    with every trade, "rows" are rows alone, each `row_interval`. `rank`: of a box that publishes
    its feeds, another one for each; 0: this box publishes nothing. `silence`: s after which a box
    that waits speaks in the place of one that is not heard.

    To the servers a box shows `user` with the password in the environment variable `password_env`,
    or the token in `token_env`, or the key of `credentials_file` (.creds, or an nkey seed). With
    `tls` the servers are verified, by `tls_ca` or the system's authorities; `tls_certificate` and
    `tls_key` are this box's own.

    A box without a bus may have `redis` alone.
    """

    name: Name = ""
    bus: Literal["nats", "kafka"] = "nats"
    servers: Annotated[tuple[str, ...], Meta(min_length=1, max_length=32)] = ()
    shards: Annotated[int, Meta(ge=1, le=MOST_SHARDS)] = 256
    pinned: Annotated[tuple[Pinned, ...], Meta(max_length=MOST_PINNED)] = ()
    interest: Literal["all", "watched"] = "all"
    flush_interval: Pause = 0.01
    lane: Literal["ticks", "rows"] = "ticks"
    row_interval: Pause = 0.1
    rank: Annotated[int, Meta(ge=0, le=255)] = 1
    silence: Annotated[float, Meta(ge=0.2, le=60)] = 0.4
    user: Text | None = None
    password_env: Text | None = None
    token_env: Text | None = None
    credentials_file: FilePath | None = None
    tls: bool = False
    tls_ca: FilePath | None = None
    tls_certificate: FilePath | None = None
    tls_key: FilePath | None = None
    redis: RedisConfig | None = None
    log: LogConfig | None = None
    kafka: KafkaConfig = KafkaConfig()

    @property
    def kept(self) -> LogConfig | None:
        """The log; None: there is none."""
        return self.log if self.log is not None and self.log.engine != "none" else None

    @property
    def interval(self) -> float:
        """s between two frames of a shard, by the lane."""
        return self.flush_interval if self.lane == "ticks" else self.row_interval


def cluster_problems(
    cluster: ClusterConfig | None, from_bus: tuple[int, ...], keepers: tuple[str, ...] = ()
) -> Iterator[str]:
    """The faults of the table; `from_bus` are the places of the feeds that come from the bus,
    `keepers` the tables of what needs every trade of every symbol."""
    if cluster is not None and cluster.interest == "watched" and from_bus:
        for table in keepers:
            yield (
                f'cluster.interest: "watched" leaves trades out that nobody watches, and {table} '
                f'needs them all: set {table}.enabled = false, or interest = "all"'
            )
    if cluster is not None and cluster.redis is not None:
        yield from redis_problems(cluster.redis)
    if cluster is None or (cluster.redis is not None and not cluster.servers and not cluster.name):
        for place in from_bus:
            yield f'feeds[{place}].from: "bus" needs the table [cluster], which names the servers'
        return
    for key in ("name", "servers"):
        if not getattr(cluster, key):
            yield f"cluster: missing the key `{key}`"
    for index, server in enumerate(cluster.servers):
        reason = server_fault(server, cluster.bus)
        if reason:
            port = EXAMPLE_PORTS[cluster.bus]
            example = f"{cluster.bus}://127.0.0.1:{port}"
            yield f"cluster.servers[{index}]: {server!r} {reason}, like {example}"
    yield from _pinned_problems(cluster)
    yield from _login_problems(cluster)
    if cluster.log is not None:
        yield from log_problems(cluster.log, cluster.bus)
    if cluster.bus == "kafka":
        yield from kafka_problems(cluster)
    elif cluster.kafka.prices != "none":
        yield 'cluster.kafka.prices: only with bus = "kafka"; leave it out, or change the bus'


def log_problems(log: LogConfig, bus: str) -> Iterator[str]:
    """The faults of the table."""
    if log.engine not in ("auto", "none", ENGINES[bus]):
        yield f'cluster.log.engine: the bus is {bus}, whose log is "{ENGINES[bus]}"; or take "auto"'
    if log.engine != "none" and log.replicas % 2 == 0:
        yield "cluster.log.replicas: an even number; a majority is needed, so take 1, 3 or 5"


def kafka_problems(cluster: ClusterConfig) -> Iterator[str]:
    """What Kafka has no use for, or may not be written in a file."""
    if cluster.kafka.topic.startswith("tk.") or set(cluster.kafka.topic) == {"."}:
        yield (
            f"cluster.kafka.topic: {cluster.kafka.topic!r} is a name of the boxes' own topics, or "
            'none at all; take another one, like "prices"'
        )
    for key in ("token_env", "credentials_file"):
        if getattr(cluster, key) is not None:
            yield f"cluster.{key}: only for NATS; Kafka takes user and password_env"
    for key in cluster.kafka.options:
        if "password" in key or key.endswith((".pem", "secret")):
            yield (
                f"cluster.kafka.options: {key!r} is a secret, and a configuration has none; name "
                "the variable that has it in password_env"
            )


def _pinned_problems(cluster: ClusterConfig) -> Iterator[str]:
    twice = {symbol for symbol in cluster.pinned if cluster.pinned.count(symbol) > 1}
    for symbol in cluster.pinned:
        if not all(symbol.split(".")):
            yield f"cluster.pinned: {symbol!r} has a dot at its end, or two in a row: leave it out"
    for symbol in sorted(twice):
        yield f"cluster.pinned: {symbol!r} stands there twice; name it once"
    if cluster.shards + len(cluster.pinned) > MOST_SHARDS:
        yield (
            f"cluster.pinned: {len(cluster.pinned)} symbols and {cluster.shards} shards are more "
            f"than {MOST_SHARDS}, the most together; lower cluster.shards"
        )


def _login_problems(cluster: ClusterConfig) -> Iterator[str]:
    if (cluster.user is None) != (cluster.password_env is None):
        yield "cluster.user: only together with password_env, the variable that has the password"
    ways = [
        key
        for key in ("user", "token_env", "credentials_file")
        if getattr(cluster, key) is not None
    ]
    if len(ways) > 1:
        yield f"cluster.{ways[1]}: not together with {ways[0]}; a box shows one of them"
    if (cluster.tls_certificate is None) != (cluster.tls_key is None):
        yield "cluster.tls_certificate: only together with tls_key"
    for key in ("tls_ca", "tls_certificate"):
        if getattr(cluster, key) is not None and not cluster.tls:
            yield f"cluster.{key}: only with tls = true"


def server_fault(server: str, bus: str = "nats") -> str:
    """The reason why this is no address of a server of the bus; empty: it is one."""
    try:
        parts = urlsplit(server)
        port = parts.port
    except ValueError:
        return "is no address"
    if parts.scheme != bus:
        return f"is no address of a {BUSES[bus]} server"
    if not parts.hostname or port == 0:
        return "has no host, or port 0"
    if parts.username or parts.password:
        return "has a user; a configuration has no secrets: name a host and a port alone"
    if parts.path.strip("/") or parts.query or parts.fragment:
        return "has more than a host and a port"
    return ""
