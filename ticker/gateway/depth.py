"""`GET /depth/{symbol}`: a symbol's book.

A book is in shared memory only while somebody wants it. A question about another one says so to the
feeds and waits until they show it; for a while the book then stays there for the next question.
"""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from aiohttp import web

from ticker.clock import Clock
from ticker.config.depth import DepthConfig
from ticker.gateway.access.problems import DEPTH_FULL, NO_BOOK, NOT_ON_VENUE, Refusal
from ticker.gateway.books.views import Views
from ticker.gateway.books.wanted import TooManyBooksError, Wanted
from ticker.gateway.prices.board import Board
from ticker.gateway.rest.guard import ENTITLED
from ticker.gateway.rest.http import NO_STORE, Rest
from ticker.gateway.rest.parameters import bad, read_query, venue_of
from ticker.units import format_price, format_size, format_timestamp

WAIT = 1.0
"""s until a symbol that no feed shows the book of has none."""
OTHERS = 0.25
"""s for the books of a symbol's other venues, when the first is there."""
STEP = 0.01


class DepthRoute:
    """The handler of one worker."""

    def __init__(
        self, board: Board, views: Views, wanted: Wanted, config: DepthConfig, clock: Clock
    ) -> None:
        self.board = board
        self.views = views
        self.wanted = wanted
        self.config = config
        self.levels = config.levels
        self.clock = clock
        self.asked: dict[str, float] = {}  # when the book of a symbol was wanted anew

    async def answer(self, rest: Rest, request: web.Request, /) -> web.Response:
        """The book of the symbol in the request's path."""
        parameters = read_query(request.query.items(), ("levels", "venue"))
        request[ENTITLED].require("depth")
        symbol = request.match_info["symbol"]
        levels, venue = self._levels(parameters), venue_of(parameters)
        if not rest.known(request, symbol):
            raise rest.unknown(request, symbol)
        if not self.views.levels.on_venue(self.board.index(symbol), venue or ""):
            raise Refusal(
                NOT_ON_VENUE,
                f"{symbol} is known, but not on {venue}; leave ?venue= out for the book over all "
                "venues.",
                symbol=symbol,
                venue=venue,
            )
        request[ENTITLED].read([symbol])
        book = await self._book(symbol, venue or "", levels)
        view = self.board.price(symbol, venue)
        exponent = book["size_exponent"]
        content = {
            "symbol": symbol,
            "venue": venue,
            "timestamp": format_timestamp(book["time"] or book["publish_time"]),
            "seq": book["seq"],
            "levels": levels,
            "bids": _exact(book["bids"], exponent),
            "asks": _exact(book["asks"], exponent),
            "status": view.status if view is not None else "stale",
            "stale": view.stale if view is not None else True,
        }
        return web.Response(
            body=orjson.dumps(content), content_type="application/json", headers=NO_STORE
        )

    def _levels(self, parameters: dict[str, str]) -> int:
        text = parameters.get("levels")
        if text is None:
            return self.config.usual
        if text not in map(str, self.config.levels):
            known = ", ".join(map(str, self.config.levels))
            raise bad("levels", f"must be one of {known}")
        return int(text)

    async def _book(self, symbol: str, venue: str, levels: int) -> dict[str, Any]:
        number = self.board.index(symbol)
        try:
            new = self.wanted.ask(symbol, levels, self.clock())
        except TooManyBooksError as error:
            raise Refusal(
                DEPTH_FULL,
                f"{str(error).capitalize()}; ask for one of them, or raise `rows` of [depth].",
                headers={"Retry-After": "10"},
            ) from None
        now = begun = asyncio.get_running_loop().time()
        self.asked = {name: at for name, at in self.asked.items() if now < at + OTHERS}
        if new:
            self.asked[symbol] = now
        others = self.asked.get(symbol, now - OTHERS) + OTHERS
        while now < begun + WAIT:
            book = self.views.book(number, venue, levels)
            settled = now >= others or not self.views.levels.missing(number, venue)
            if book is not None and settled:
                return book
            await asyncio.sleep(STEP)
            now = asyncio.get_running_loop().time()
        if self.views.levels.missing(number, venue, self.views.levels.full()):
            raise Refusal(
                DEPTH_FULL,
                f"No row of depth is left for {symbol}; ask again when fewer books are watched, or "
                "raise `rows` of [depth].",
                headers={"Retry-After": "10"},
            )
        raise Refusal(
            NO_BOOK,
            f"No feed shows a book of {symbol} now: its feeds send no orders and no levels, or "
            "none yet. /prices has its quote.",
            symbol=symbol,
        )


def _exact(levels: list[tuple[int, int]], exponent: int) -> list[list[orjson.Fragment]]:
    return [
        [orjson.Fragment(format_price(price)), orjson.Fragment(format_size(size, exponent))]
        for price, size in levels
    ]
