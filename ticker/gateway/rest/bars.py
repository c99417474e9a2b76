"""Bars by REST: `/bars/{symbol}` and `/bars?symbols=`, from what the store keeps.

In: a request, and the rows of a BarSource. Out: bars as JSON, prices and sizes with their decimals.
Law: the disk is read in threads, a few at a time, so that no client of the stream waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import orjson
import structlog
from aiohttp import web

from ticker.clock import Clock
from ticker.errors import StoreError
from ticker.gateway.access.problems import NO_HISTORY, STORE_FAILING, Refusal
from ticker.gateway.rest.guard import ENTITLED
from ticker.gateway.rest.parameters import bad, integer, read_query, symbol_list, venue_of
from ticker.units import format_price, format_size, format_timestamp

NS = 1_000_000_000
INTERVALS = {"1m": 60, "5m": 300, "15m": 900, "30m": 1800, "1h": 3600, "1d": 86_400}
DAY = "1d"
DEFAULT_LIMIT = 120
MAX_LIMIT = 1000
MOST_BARS = 10_000
"""The most bars in one answer, over all symbols."""
AT_ONCE = 2
CHANNELS = ("quote", "trades", "bars")
"""One of them shows a bar: it has what a token for `price` alone does not see."""

Row = dict[str, Any]


class BarSource(Protocol):
    """The bars of the store; both calls block, and raise StoreError if they cannot be read."""

    def bars(
        self,
        symbols: list[str],
        span: int,
        begin: int | None,
        end: int,
        count: int,
        venue: str | None,
    ) -> dict[str, tuple[list[Row], int | None]]:
        """Of each symbol its bars of `span` s, oldest first, and the start of the next one."""

    def days(
        self, symbol: str, begin: int | None, end: int, count: int, venue: str | None
    ) -> tuple[list[Row], str | None]:
        """Days of a symbol, oldest first, and the one that follows."""


class Symbols(Protocol):
    """The symbols that exist for a request (http.py)."""

    def known(self, request: web.Request, symbol: str) -> bool:
        """Whether a feed has the symbol, and the token may see it."""

    def unknown(self, request: web.Request, symbol: str) -> Refusal:
        """The refusal of an unknown symbol."""


class Bars:
    """The handlers."""

    def __init__(
        self, source: BarSource | None, symbols: Symbols, clock: Clock, max_symbols: int
    ) -> None:
        self.source = source
        self.symbols = symbols
        self.clock = clock
        self.max_symbols = max_symbols
        self.turns = asyncio.Semaphore(AT_ONCE)

    async def one(self, request: web.Request) -> web.Response:
        """`/bars/{symbol}`"""
        parameters = read_query(request.query.items(), ("interval", "from", "to", "limit", "venue"))
        symbol = request.match_info["symbol"]
        source = self._opened(request)
        if not self.symbols.known(request, symbol):
            raise self.symbols.unknown(request, symbol)
        request[ENTITLED].read([symbol])
        interval = interval_of(parameters)
        limit = integer(parameters, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
        venue = venue_of(parameters)
        begin = moment_of(parameters, "from", None)
        end = moment_of(parameters, "to", self._soon())
        assert end is not None
        return await self._read(lambda: _one(source, symbol, interval, begin, end, limit, venue))

    async def several(self, request: web.Request) -> web.Response:
        """`/bars`: the newest of each."""
        parameters = read_query(request.query.items(), ("symbols", "interval", "limit", "venue"))
        source = self._opened(request)
        symbols = symbol_list(parameters, request[ENTITLED].most_symbols(self.max_symbols))
        interval = interval_of(parameters)
        limit = integer(parameters, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
        if len(symbols) * limit > MOST_BARS:
            raise bad("limit", f"times the symbols is more than {MOST_BARS}; ask for fewer")
        known = [symbol for symbol in symbols if self.symbols.known(request, symbol)]
        request[ENTITLED].read(known)
        venue = venue_of(parameters)
        end = self._soon()
        unknown = [symbol for symbol in symbols if symbol not in known]

        def content() -> dict[str, object]:
            bars = _several(source, known, interval, end, limit, venue)
            return {"bars": bars, "unknown": unknown}

        return await self._read(content)

    async def _read(self, content: Callable[[], dict[str, object]]) -> web.Response:
        """The answer with what a thread has read."""
        async with self.turns:
            try:
                return await asyncio.to_thread(lambda: _answer(content()))
            except StoreError as error:
                structlog.get_logger().error("bars not read", reason=str(error))
        raise Refusal(
            STORE_FAILING,
            "The history of the store cannot be read now; the log of the server says why.",
            headers={"Retry-After": "5"},
        )

    def _opened(self, request: web.Request) -> BarSource:
        request[ENTITLED].require_one(CHANNELS)
        if self.source is None:
            raise Refusal(
                NO_HISTORY, "This server keeps no history; [store] enabled = true switches it on."
            )
        return self.source

    def _soon(self) -> int:
        """After the minute that is now, by any clock that stamps trades."""
        return self.clock() // NS + 3600


def add_bars(
    app: web.Application,
    source: BarSource | None,
    symbols: Symbols,
    clock: Clock,
    max_symbols: int,
) -> None:
    """The two addresses."""
    bars = Bars(source, symbols, clock, max_symbols)
    app.router.add_get("/bars/{symbol}", bars.one)
    app.router.add_get("/bars", bars.several)


def interval_of(parameters: dict[str, str]) -> str:
    """The interval, one of INTERVALS; 1m where none is given."""
    interval = parameters.get("interval", "1m")
    if interval not in INTERVALS:
        raise bad("interval", f"must be one of {', '.join(INTERVALS)}")
    return interval


def moment_of(parameters: dict[str, str], name: str, default: int | None) -> int | None:
    """A time as seconds since the epoch, rounded up."""
    text = parameters.get(name)
    if text is None:
        return default
    if text.isascii() and text.isdigit() and len(text) <= 11:
        return int(text)
    try:
        # the + of an offset is a blank in a query that was not escaped
        moment = datetime.fromisoformat(text.replace(" ", "+"))
        day_alone = len(text) == len("2026-03-31")
        moment = moment.replace(tzinfo=UTC) if day_alone else moment
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or not text.isascii():
        raise bad(
            name,
            "must be a time like 2026-03-31T13:30:00Z, with its offset, or seconds since 1970",
        )
    return -(-(moment - EPOCH) // timedelta(seconds=1))


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _one(
    source: BarSource,
    symbol: str,
    interval: str,
    begin: int | None,
    end: int,
    limit: int,
    venue: str | None,
) -> dict[str, object]:
    following: str | None
    if interval == DAY:
        found, following = source.days(symbol, begin, end, limit, venue)
        rows = [*map(day, found)]
    else:
        found, after = source.bars([symbol], INTERVALS[interval], begin, end, limit, venue)[symbol]
        rows = [*map(bar, found)]
        following = None if after is None else format_timestamp(after * NS)
    return {"symbol": symbol, "interval": interval, "bars": rows, "next": following}


def _several(
    source: BarSource, symbols: list[str], interval: str, end: int, limit: int, venue: str | None
) -> list[dict[str, object]]:
    if interval == DAY:
        each = {
            symbol: [*map(day, source.days(symbol, None, end, limit, venue)[0])]
            for symbol in symbols
        }
    else:
        span = INTERVALS[interval]
        found = source.bars(symbols, span, None, end, limit, venue)
        each = {symbol: [*map(bar, rows)] for symbol, (rows, _) in found.items()}
    return [
        {"symbol": symbol, "interval": interval, "bars": rows, "next": None}
        for symbol, rows in each.items()
    ]


def bar(row: Row) -> dict[str, object]:
    """A bar as the contract has it (resources.py)."""
    volume, exponent = row["volume"], row["size_exponent"]
    vwap = (2 * row["notional"] + volume) // (2 * volume) if volume else None
    return {
        "start": format_timestamp(row["minute"] * NS),
        **_figures(row),
        "volume": orjson.Fragment(format_size(volume, exponent)),
        "trades": row["trades"],
        "vwap": _price(vwap),
        "revision": row["revision"],
        "exact": bool(row["exact"]),
        "complete": row["complete"],
    }


def day(row: Row) -> dict[str, object]:
    """A day as a bar: the official open and close where there are any."""
    official = {
        name: row[name] if row[f"official_{name}"] is None else row[f"official_{name}"]
        for name in ("open", "close")
    }
    return {
        "start": row["day"],
        **_figures({**row, **official}),
        "volume": orjson.Fragment(format_size(row["volume"], row["size_exponent"])),
        "trades": row["trades"],
        "vwap": None,
        "revision": row["corrections"],
        "exact": True,
        "complete": None,
    }


def _figures(row: Row) -> dict[str, object]:
    return {name: _price(row[name]) for name in ("open", "high", "low", "close")}


def _price(price: int | None) -> orjson.Fragment | None:
    return None if price is None else orjson.Fragment(format_price(price))


def _answer(content: dict[str, object]) -> web.Response:
    return web.Response(
        body=orjson.dumps(content),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
