"""[cluster] and feeds from the bus: refused with the key that is wrong, and a value that works."""

from __future__ import annotations

import pytest

from ticker.config import ClusterConfig, parse
from ticker.config.effective import effective_text
from ticker.errors import ConfigError

CLUSTER = "[cluster]\nname = 'prod'\nservers = ['nats://127.0.0.1:4222']\n"
REDIS = "[cluster.redis]\nurl = 'redis://127.0.0.1:6379/2'\n"
FEED = "[[feeds]]\nname = 'sim'\nfrom = 'bus'\n"


def test_a_cluster_has_its_defaults() -> None:
    cluster = parse(CLUSTER).cluster
    assert cluster == ClusterConfig(name="prod", servers=("nats://127.0.0.1:4222",))
    assert (cluster.shards, cluster.rank, cluster.lane) == (256, 1, "ticks")
    assert cluster.interval == 0.01


def test_the_lane_of_rows_has_its_own_interval() -> None:
    cluster = parse(CLUSTER + "lane = 'rows'\nrow_interval = 0.2").cluster
    assert cluster is not None
    assert cluster.interval == 0.2


def test_a_feed_from_the_bus_needs_no_lines_no_protocol_and_no_venue() -> None:
    (feed,) = parse(CLUSTER + FEED).feeds
    assert (feed.origin, feed.protocol, feed.lines) == ("bus", "", ())
    (feed,) = parse(CLUSTER + FEED + "venue = 'XNAS'").feeds
    assert feed.venue == "XNAS"


def test_its_effective_text_can_be_read_again() -> None:
    config = parse(CLUSTER + FEED)
    assert parse(effective_text(config)) == config


def test_a_mirror_needs_no_bus() -> None:
    config = parse(REDIS)
    assert config.bus is None
    assert config.cluster is not None
    redis = config.cluster.redis
    assert redis is not None
    assert (redis.interval, redis.publish, redis.ttl, redis.tls) == (0.1, False, 60, False)
    assert parse(effective_text(config)) == config
    both = parse(CLUSTER + REDIS)
    assert both.bus is both.cluster
    assert parse(effective_text(both)) == both


def test_no_message_has_the_password_of_a_url() -> None:
    for url in ("redis://me:hunter2@h:1", "redis://:hunter2@h", "http://a:hunter2@[", "x@hunter2"):
        with pytest.raises(ConfigError) as refused:
            parse(f"[cluster.redis]\nurl = '{url}'")
        assert "cluster.redis.url: " in str(refused.value)
        assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (FEED, 'feeds[0].from: "bus" needs the table [cluster]'),
        ("[cluster]\nname = 'prod'", "cluster: missing the key `servers`"),
        ("[cluster]\nservers = ['nats://a:1']", "cluster: missing the key `name`"),
        ("[cluster]\nname = 'prod'\nservers = []", "cluster.servers: expected `array` of length"),
        (CLUSTER + "rnk = 1", "cluster.rnk: unknown key, did you mean rank?"),
        (CLUSTER + "bus = 'redis'", "cluster.bus: invalid enum value 'redis'"),
        (CLUSTER + "rank = 256", "cluster.rank: expected `int` <= 255"),
        (CLUSTER + "shards = 0", "cluster.shards: expected `int` >= 1"),
        (CLUSTER + "lane = 'x'", "cluster.lane: invalid enum value 'x'"),
        (CLUSTER + "silence = 0.1", "cluster.silence: expected `float` >= 0.2"),
        (CLUSTER.replace("prod", "Prod.x"), "cluster.name: expected `str` matching"),
        (CLUSTER.replace("nats://127.0.0.1:4222", "127.0.0.1:4222"), "cluster.servers[0]: "),
        (CLUSTER.replace("127.0.0.1:4222", "a:b@h"), "has a user; a configuration has no secrets"),
        (CLUSTER.replace(":4222", ":99999"), "cluster.servers[0]: "),
        (CLUSTER + "user = 'a'", "cluster.user: only together with password_env"),
        (
            CLUSTER + "token_env = 'T'\ncredentials_file = 'f'",
            "cluster.credentials_file: not together with token_env",
        ),
        (CLUSTER + "tls = true\ntls_key = 'k'", "cluster.tls_certificate: only together with"),
        (CLUSTER + "tls_ca = 'ca.pem'", "cluster.tls_ca: only with tls = true"),
        (CLUSTER + FEED + "lines = ['239.192.0.1:1']", 'feeds[0].lines: not with from = "bus"'),
        (CLUSTER + FEED + "protocol = 'itch50'", 'feeds[0].protocol: not with from = "bus"'),
        (CLUSTER + FEED + "ring_capacity = 1000", "feeds[0].ring_capacity: 1000 is not a power"),
        (CLUSTER + FEED.replace("bus", "moon"), "feeds[0]"),
        (REDIS + FEED, 'feeds[0].from: "bus" needs the table [cluster]'),
        ("[cluster]\nrank = 1", "cluster: missing the key `servers`"),
        ("[cluster]\nname = 'a'\n" + REDIS, "cluster: missing the key `servers`"),
        ("[cluster.redis]", "cluster.redis: missing the key `url`"),
        (REDIS + "tll = 3", "cluster.redis.tll: unknown key, did you mean ttl?"),
        (REDIS.replace("redis:/", "http:/"), "cluster.redis.url: begins with neither redis://"),
        (REDIS.replace("/2", "/prices"), "cluster.redis.url: has more than a host, a port"),
        (REDIS.replace("127.0.0.1:6379", ":6379"), "cluster.redis.url: has no host"),
        (REDIS.replace("6379", "99999"), "cluster.redis.url: is no address"),
        (REDIS + "ttl = 1", "cluster.redis.ttl: expected `int` >= 2"),
        (REDIS + "ttl = 5\ninterval = 2", "cluster.redis.ttl: shorter than four intervals"),
        (REDIS + "interval = 0", "cluster.redis.interval: expected `float` >= 0.01"),
        (REDIS + "user = 'a'", "cluster.redis.user: only together with password_env"),
        (REDIS + "tls_ca = 'a'", "cluster.redis.tls_ca: only with a url that begins with rediss"),
        (REDIS + FEED.replace("sim", "mirror"), "feeds[0].name: 'mirror' is reserved"),
        (CLUSTER + FEED.replace("sim", "relay"), "feeds[0].name: 'relay' is reserved"),
    ],
)
def test_refused_by_path(text: str, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(text)
    assert words in str(refused.value)
