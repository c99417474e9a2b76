"""Recent trades by REST: `/trades/{symbol}`, from the rings of the feeds.

In: a request, and the segments. Out: the newest trades as JSON, prices and sizes with their
decimals. Reading takes some milliseconds at most, and no disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import orjson
from aiohttp import web

from ticker.gateway.rest.bars import Symbols
from ticker.gateway.rest.guard import ENTITLED
from ticker.gateway.rest.parameters import integer, read_query, venue_of
from ticker.shm.header import Mapping
from ticker.shm.lineage.recent import recent_trades
from ticker.units import format_price, format_size, format_timestamp

DEFAULT_LIMIT = 50
MAX_LIMIT = 1000
NO_STORE = {"Cache-Control": "no-store"}

Feeds = Callable[[], Iterable[tuple[str, Mapping]]]


class Trades:
    """The handler; `feeds` are the segments that are read at the time."""

    def __init__(self, feeds: Feeds, symbols: Symbols) -> None:
        self.feeds = feeds
        self.symbols = symbols

    async def recent(self, request: web.Request) -> web.Response:
        """`/trades/{symbol}`"""
        parameters = read_query(request.query.items(), ("limit", "venue"))
        symbol = request.match_info["symbol"]
        request[ENTITLED].require("trades")
        if not self.symbols.known(request, symbol):
            raise self.symbols.unknown(request, symbol)
        request[ENTITLED].read([symbol])
        limit = integer(parameters, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
        found = recent_trades(self.feeds(), symbol, limit, venue_of(parameters))
        content = {"symbol": symbol, "trades": [trade(one) for one in found]}
        return web.Response(
            body=orjson.dumps(content), content_type="application/json", headers=NO_STORE
        )


def add_trades(app: web.Application, feeds: Feeds, symbols: Symbols) -> None:
    """The address."""
    app.router.add_get("/trades/{symbol}", Trades(feeds, symbols).recent)


def trade(found: dict[str, Any]) -> dict[str, object]:
    """A trade as the contract has it (resources.py)."""
    exponent = found["size_exponent"]
    return {
        "trade_id": str(found["trade_id"]) if found["trade_id"] else None,
        "price": _price(found["price"]),
        "size": _size(found["size"], exponent),
        "venue": found["venue"] or None,
        "feed": found["feed"],
        "exchange_timestamp": _time(found["exchange_time"]),
        "server_timestamp": _time(found["publish_time"]),
        "conditions": found["conditions"],
        "counts_for": found["counts_for"],
        "state": found["state"],
        "new_trade_id": str(found["new_trade_id"]) if found["new_trade_id"] else None,
        "original_price": _price(found["original_price"]),
        "original_size": _size(found["original_size"], exponent),
        "changed_timestamp": _time(found["changed_time"]),
    }


def _price(price: int | None) -> orjson.Fragment | None:
    return None if price is None else orjson.Fragment(format_price(price))


def _size(size: int | None, exponent: int) -> orjson.Fragment | None:
    return None if size is None else orjson.Fragment(format_size(size, exponent))


def _time(ns: int) -> str | None:
    return format_timestamp(ns) if ns else None
