"""Movers by REST: `/movers`, the symbols that gain, lose or trade most.

In: a request, and the board. Out: a short list of each kind (gateway/movers/ranking.py).
"""

from __future__ import annotations

import orjson
from aiohttp import web

from ticker.clock import Clock, now_ns, steady_ns
from ticker.gateway.movers.ranking import Ranked, Ranking, See, percent
from ticker.gateway.prices.board import Board
from ticker.gateway.rest.guard import ENTITLED
from ticker.gateway.rest.parameters import integer, read_query
from ticker.units import format_price, format_size, format_timestamp

DEFAULT_LIMIT = 10
MAX_LIMIT = 100
CHANNELS = ("quote", "movers")
"""One of them shows the lists."""


class Movers:
    """The handler of the address, and its rankings of a board."""

    def __init__(self, board: Board, clock: Clock = now_ns, steady: Clock = steady_ns) -> None:
        self.ranking = Ranking(board)
        self.clock = clock
        self.steady = steady

    async def get(self, request: web.Request) -> web.Response:
        """`/movers`"""
        parameters = read_query(request.query.items(), ("limit",))
        request[ENTITLED].require_one(CHANNELS)
        limit = integer(parameters, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
        return web.Response(
            body=orjson.dumps(self.lists(limit, request[ENTITLED].sees)),
            content_type="application/json",
            headers={"Cache-Control": "no-store"},
        )

    def lists(self, limit: int, sees: See) -> dict[str, object]:
        """Up to `limit` movers of each kind, of the symbols that a client sees."""
        found = self.ranking.lists(limit, sees, self.steady())
        return {
            "timestamp": format_timestamp(self.clock()),
            **{kind: [*map(mover, ranked)] for kind, ranked in found._asdict().items()},
        }


def mover(ranked: Ranked) -> dict[str, object]:
    """A mover as the contract has it (resources.py)."""
    view, price, base = ranked
    return {
        "symbol": view.symbol,
        "price": orjson.Fragment(format_price(price)),
        "base": None if base is None else orjson.Fragment(format_price(base)),
        "change": None if base is None else orjson.Fragment(format_price(price - base)),
        "change_percent": None if base is None else orjson.Fragment(percent(price - base, base)),
        "volume": orjson.Fragment(format_size(view.volume, view.size_exponent)),
        "trades": view.trades,
        "exchange_timestamp": format_timestamp(view.price_time),
    }


def add_movers(app: web.Application, movers: Movers) -> None:
    """The address."""
    app.router.add_get("/movers", movers.get)
