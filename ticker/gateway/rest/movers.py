"""Movers by REST: `/movers`, the symbols that gain, lose or trade most.

In: a request, and the board. Out: a short list of each kind. Law: the board is ranked once in an
interval for all who ask, whatever they may see.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from decimal import Decimal

import orjson
from aiohttp import web

from ticker.clock import Clock, now_ns, steady_ns
from ticker.gateway.prices.board import Board
from ticker.gateway.prices.movers import ranked
from ticker.gateway.prices.view import PriceView
from ticker.gateway.rest.guard import ENTITLED
from ticker.gateway.rest.parameters import integer, read_query
from ticker.units import format_price, format_size, format_timestamp

DEFAULT_LIMIT = 10
MAX_LIMIT = 100
INTERVAL_NS = 1_000_000_000
"""Between two rankings of the board."""


class Movers:
    """The rankings of a board, and the handler of the address."""

    def __init__(self, board: Board, clock: Clock = now_ns, steady: Clock = steady_ns) -> None:
        self.board = board
        self.clock = clock
        self.steady = steady
        self.changes = array("I")
        self.volumes = array("I")
        self.ranked_at: int | None = None

    async def get(self, request: web.Request) -> web.Response:
        """`/movers`"""
        parameters = read_query(request.query.items(), ("limit",))
        request[ENTITLED].require("quote")
        limit = integer(parameters, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
        return web.Response(
            body=orjson.dumps(self.lists(limit, request[ENTITLED].sees)),
            content_type="application/json",
            headers={"Cache-Control": "no-store"},
        )

    def lists(self, limit: int, sees: Callable[[str], bool]) -> dict[str, object]:
        """Up to `limit` movers of each kind, of the symbols that a client sees."""
        now = self.steady()
        if self.ranked_at is None or now - self.ranked_at >= INTERVAL_NS:
            self.changes, self.volumes = ranked(self.board)
            self.ranked_at = now
        return {
            "timestamp": format_timestamp(self.clock()),
            "gainers": self._of(self.changes, limit, sees, 1),
            "losers": self._of(reversed(self.changes), limit, sees, -1),
            "most_active": self._of(self.volumes, limit, sees, 0),
        }

    def _of(
        self, numbers: Iterable[int], limit: int, sees: Callable[[str], bool], sign: int
    ) -> list[dict[str, object]]:
        """The first of these that a client sees; with a sign, only those that moved so."""
        found: list[dict[str, object]] = []
        for number in numbers:
            if len(found) == limit:
                break
            symbol = self.board.name(number)
            view = self.board.price(symbol) if sees(symbol) else None
            if view is None or view.price is None:
                continue
            base = base_of(view)
            if sign and (base is None or (view.price - base) * sign <= 0):
                break  # the others moved less, or the other way
            found.append(mover(view, view.price, base))
        return found


def base_of(view: PriceView) -> int | None:
    """The price that a change is counted from: the previous close, else the day's open."""
    base = view.open if view.previous_close is None else view.previous_close
    return base if base is not None and base > 0 else None


def mover(view: PriceView, price: int, base: int | None) -> dict[str, object]:
    """A mover as the contract has it (resources.py)."""
    return {
        "symbol": view.symbol,
        "price": orjson.Fragment(format_price(price)),
        "base": None if base is None else orjson.Fragment(format_price(base)),
        "change": None if base is None else orjson.Fragment(format_price(price - base)),
        "change_percent": None if base is None else percent(price - base, base),
        "volume": orjson.Fragment(format_size(view.volume, view.size_exponent)),
        "trades": view.trades,
        "exchange_timestamp": format_timestamp(view.price_time),
    }


def percent(change: int, base: int) -> orjson.Fragment:
    """A change in percent of `base`, above 0, with up to four decimals, half up."""
    rounded = Decimal((2 * change * 10**6 + base) // (2 * base)).scaleb(-4)
    return orjson.Fragment(format(rounded.normalize(), "f"))


def add_movers(app: web.Application, movers: Movers) -> None:
    """The address."""
    app.router.add_get("/movers", movers.get)
