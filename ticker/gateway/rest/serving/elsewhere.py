"""Prices of symbols that no feed here has, from the Redis of `[cluster.redis]` with `fallback`.

In: symbols. Out: their objects as GET /prices/{symbol} has them, marked stale. Law: the loop never
waits, a request waits for PATIENCE at most, and nothing is asked for a while after a fault. What
the Redis says is checked like any other bytes: it may be no object of a price.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import msgspec
import orjson
import structlog
from redis.asyncio import BlockingConnectionPool, Redis, SSLConnection
from redis.asyncio.connection import Connection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from ticker.clock import Clock
from ticker.config import RedisConfig
from ticker.config.redis import connection_options
from ticker.shm.counters import Counters

PATIENCE = 0.25
"""s that a request waits for the Redis, at most."""
CONNECTIONS = 4
MOST_WAITING = 64
"""Requests that wait for the Redis at a time; the others are answered without it."""
REST = 500_000_000
"""ns after a fault in which nothing is asked."""
LONGEST = 4096
"""Bytes of an object, at most."""
NUMBERS = frozenset(
    {"price", "size", "volume", "open", "high", "low", "official_close", "previous_close",
     "extended_price", "bid", "bid_size", "ask", "ask_size", "trades", "seq"}
)  # fmt: skip
TEXTS = frozenset(
    {"symbol", "currency", "exchange_timestamp", "server_timestamp", "venue", "extended_timestamp",
     "bid_venue", "ask_venue", "trading_status"}
)  # fmt: skip
NEVER_NULL = frozenset({"symbol", "currency", "seq"})

log = structlog.get_logger()


class Elsewhere:
    """The Redis of a configuration; connected at the first use.

    Args:
        steady: a clock that only runs, ns.

    Raises:
        ConfigError: the environment has no password, or a certificate cannot be read.
    """

    def __init__(self, config: RedisConfig, counters: Counters, steady: Clock) -> None:
        self.counters = counters
        self.steady = steady
        self.waiting = 0
        self._rest_until = 0
        self._failing = False
        self._redis = Redis(
            connection_pool=BlockingConnectionPool(
                max_connections=CONNECTIONS,
                timeout=PATIENCE,
                connection_class=SSLConnection if config.tls else Connection,
                socket_timeout=PATIENCE,
                socket_connect_timeout=PATIENCE,
                retry=Retry(NoBackoff(), 0),
                client_name="ticker-gateway",
                protocol=2,
                **connection_options(config),
            )
        )

    async def read(self, symbols: list[str]) -> dict[str, dict[str, object]]:
        """The objects of those of the symbols that the Redis has."""
        if not symbols or self.steady() < self._rest_until:
            return {}
        if self.waiting >= MOST_WAITING:
            self.counters.add("fallback_refused")
            return {}
        self.waiting += 1
        try:
            async with asyncio.timeout(PATIENCE):
                found = await self._redis.mget([f"latest:{symbol}" for symbol in symbols])
        except (RedisError, OSError, TimeoutError) as error:
            self._failed(str(error) or type(error).__name__)
            return {}
        finally:
            self.waiting -= 1
        self._works()
        self.counters.add("fallback_reads", len(symbols))
        objects = {
            symbol: told
            for symbol, text in zip(symbols, found, strict=True)
            if isinstance(text, bytes) and (told := self._told(symbol, text)) is not None
        }
        self.counters.add("fallback_hits", len(objects))
        return objects

    async def close(self) -> None:
        """Let go of the connections."""
        await self._redis.connection_pool.disconnect()

    def _told(self, symbol: str, text: bytes) -> dict[str, object] | None:
        told = price_of(symbol, text)
        if told is None:
            self.counters.add("fallback_faults")
        return told

    def _failed(self, reason: str) -> None:
        self.counters.add("fallback_faults")
        self._rest_until = self.steady() + REST
        if not self._failing:
            log.warning(
                "the Redis for missing prices does not answer",
                reason=reason,
                advice="look at cluster.redis.url; requests are answered without it meanwhile",
            )
        self._failing = True

    def _works(self) -> None:
        if self._failing:
            log.info("the Redis for missing prices answers again")
        self._failing = False


def price_of(symbol: str, text: bytes) -> dict[str, object] | None:
    """The object of a symbol in a text of the mirror, marked stale, its numbers with their digits;
    None: it is none."""
    if len(text) > LONGEST:
        return None
    try:
        raw = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        plain = msgspec.json.decode(text, type=dict[str, str | int | float | bool | None])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if plain.get("symbol") != symbol or not raw.keys() >= NUMBERS | TEXTS:
        return None
    if not (_are(plain, TEXTS, str) and _are(plain, NUMBERS, int, float)):
        return None
    found: dict[str, object] = {
        name: orjson.Fragment(bytes(raw[name])) if name in NUMBERS else plain[name]
        for name in raw
        if name in NUMBERS or name in TEXTS or name in ("status", "stale")
    }
    return {**found, "status": "stale", "stale": True}


def _are(
    plain: dict[str, str | int | float | bool | None], names: Iterable[str], *kinds: type
) -> bool:
    return all(
        type(plain[name]) in kinds or (plain[name] is None and name not in NEVER_NULL)
        for name in names
    )
