"""The aiohttp application: REST, health, metrics and the watch page.

`/stream` is not here: the front does that handshake itself and hands every other connection to
this application. Law: no price passes through a float; JSON numbers carry the tick's digits.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from functools import partial
from typing import Protocol

import orjson
from aiohttp import web

from ticker.clock import Clock, now_ns
from ticker.gateway.access.auth import Grant
from ticker.gateway.access.headers import SECURITY_HEADERS
from ticker.gateway.access.problems import (
    FAULT,
    INTERNAL,
    NO_PRICE_YET,
    NOT_ON_VENUE,
    TOO_LARGE,
    UNKNOWN_SYMBOL,
    Refusal,
    from_http_exception,
)
from ticker.gateway.prices.board import Board
from ticker.gateway.prices.directory import SymbolDirectory
from ticker.gateway.prices.view import PriceView
from ticker.gateway.rest.bars import BarSource, add_bars
from ticker.gateway.rest.gaps import MOST_GAPS, USUAL_GAPS, gaps_report
from ticker.gateway.rest.guard import ENTITLED, Guard, visible
from ticker.gateway.rest.health import add_health
from ticker.gateway.rest.metrics import Metrics
from ticker.gateway.rest.movers import Movers, add_movers
from ticker.gateway.rest.openapi import MAX_SYMBOLS, MOST_CONNECTION
from ticker.gateway.rest.page import NO_BOOKS, Books, add_documents, add_page
from ticker.gateway.rest.parameters import bad, integer, read_query, symbol_list, venue_of
from ticker.gateway.rest.serving.cors import allow_reading, is_preflight, preflight_answer
from ticker.gateway.rest.serving.price import exact_price, price_object
from ticker.gateway.rest.status import Status
from ticker.gateway.rest.store import reports_beside
from ticker.gateway.rest.trades import add_trades
from ticker.shm.counters import Counters
from ticker.shm.lineage.lineage import lineage
from ticker.units import format_timestamp

DEFAULT_LIMIT = 20
MAX_LIMIT = 1000
MAX_QUERY = 64
REQUESTS_PER_SECOND = 200
REQUESTS_BURST = 500
NO_STORE = {"Cache-Control": "no-store"}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Elsewhere = Callable[[list[str]], Awaitable[dict[str, dict[str, object]]]]


class Sends(Protocol):
    """Knows when a connection was sent a symbol's price."""

    def of(self, name: int, symbol: str, grant: Grant) -> dict[str, object]:
        """As ConnectionSends (resources.py); `grant` is of the one who asks."""


def make_app(
    board: Board,
    status: Status,
    *,
    counters: Counters | None = None,
    clock: Clock = now_ns,
    max_symbols: int = MAX_SYMBOLS,
    guard: Guard | None = None,
    directory: SymbolDirectory | None = None,
    past: BarSource | None = None,
    books: Books = NO_BOOKS,
    elsewhere: Elsewhere | None = None,
    instance: str | None = None,
    sends: Sends | None = None,
) -> web.Application:
    """The application over one worker's board.

    `counters` are in the worker's own segment, for the count of requests. `max_symbols` limits
    `?symbols=`. `past` has the bars; None if the store is off. `elsewhere` has prices that no feed
    here has. `instance`: of the server, where messages of traced symbols are. `sends` knows when
    connections were sent prices. The caller calls the board's look().
    """
    guard = guard or Guard(None, REQUESTS_PER_SECOND, REQUESTS_BURST)
    rest = Rest(
        board,
        status,
        clock,
        max_symbols,
        directory or SymbolDirectory(),
        elsewhere,
        instance,
        sends,
    )
    app = web.Application(middlewares=[_answering(counters, guard)], client_max_size=1024)
    app.on_response_prepare.append(_add_headers)
    app.router.add_get("/prices/{symbol}", rest.price)
    app.router.add_get("/prices", rest.prices)
    app.router.add_get("/symbols", rest.symbols)
    app.router.add_get("/status", rest.get_status)
    app.router.add_get("/gaps", rest.gaps)
    app.router.add_get("/lineage/{symbol}", rest.get_lineage)
    app.router.add_get("/metrics", rest.get_metrics)
    app.router.add_get("/depth/{symbol}", partial(books.answer, rest))
    add_bars(app, past, rest, clock, max_symbols)
    add_trades(app, lambda: status.feeds, rest)
    add_movers(app, Movers(board, clock))
    add_health(app, status, guard)
    add_documents(app, guard, max_symbols, books.levels)
    add_page(app, guard)
    return app


class Rest:
    """The handlers; each reads the board or the segments and answers at once."""

    def __init__(
        self,
        board: Board,
        status: Status,
        clock: Clock,
        max_symbols: int,
        directory: SymbolDirectory,
        elsewhere: Elsewhere | None = None,
        instance: str | None = None,
        sends: Sends | None = None,
    ) -> None:
        self.board = board
        self.instance = instance
        self.sends = sends
        self.elsewhere = elsewhere
        self.directory = directory
        self.status = status
        self.clock = clock
        self.max_symbols = max_symbols
        self.metrics = Metrics(status, clock)
        self.sorted_symbols: list[str] = []
        self.sorted_at = -1  # of the board's symbol_changes

    async def price(self, request: web.Request) -> web.Response:
        parameters = read_query(request.query.items(), ("venue",))
        symbol = request.match_info["symbol"]
        venue = venue_of(parameters)
        known = self.known(request, symbol)
        view = self.board.price(symbol, venue) if known else None
        if venue is None and not (view is not None and view.traded):
            found = await self._kept(request, [symbol])
            if found:
                return _json(found[symbol])
        if not known:
            raise self.unknown(request, symbol)
        request[ENTITLED].read([symbol])
        if view is None and venue is not None:
            raise Refusal(
                NOT_ON_VENUE,
                f"{symbol} is known, but not on {venue}; leave ?venue= out for the price "
                "over all venues.",
                symbol=symbol,
                venue=venue,
            )
        if view is None or not view.traded:
            raise Refusal(
                NO_PRICE_YET,
                f"{symbol} is known, but has not traded yet in this session; ask again, or "
                "subscribe to it on /stream and its first trade comes by itself.",
                symbol=symbol,
            )
        return _json(self._price_object(request, view))

    async def prices(self, request: web.Request) -> web.Response:
        parameters = read_query(request.query.items(), ("symbols", "venue"))
        most = request[ENTITLED].most_symbols(self.max_symbols)
        symbols = symbol_list(parameters, most)
        venue = venue_of(parameters)
        request[ENTITLED].read([each for each in symbols if self.known(request, each)])
        prices: list[dict[str, object]] = []
        unknown, elsewhere, unpriced = [], [], []
        for symbol in symbols:
            known = self.known(request, symbol)
            view = self.board.price(symbol, venue) if known else None
            if not known:
                unknown.append(symbol)
            elif view is not None and view.traded:
                prices.append(self._price_object(request, view))
            elif view is None and venue is not None:
                elsewhere.append(symbol)
            else:
                unpriced.append(symbol)
        found = await self._kept(request, unknown + unpriced) if venue is None else {}
        return _json(
            {
                "prices": [*prices, *found.values()],
                "unknown": [symbol for symbol in unknown if symbol not in found],
                "no_price_yet": [symbol for symbol in unpriced if symbol not in found],
                "not_on_venue": elsewhere,
            }
        )

    async def symbols(self, request: web.Request) -> web.Response:
        parameters = read_query(request.query.items(), ("q", "limit", "symbols", "after"))
        wanted = parameters.get("q", "")
        if len(wanted) > MAX_QUERY:
            raise bad("q", f"is longer than {MAX_QUERY} characters; shorten it")
        limit = integer(parameters, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
        found = [name for name in self._search(wanted.strip().upper()) if visible(request, name)]
        if "symbols" in parameters:
            among = set(symbol_list(parameters, self.max_symbols))
            found = [name for name in found if name in among]
        total = len(found)
        if "after" in parameters:
            found = self._behind(found, parameters["after"], wanted.strip().upper())
        shown = [self._listing(symbol) for symbol in found[:limit]]
        following = found[limit - 1] if len(found) > limit else None
        return _json({"symbols": shown, "total": total, "next": following})

    async def _kept(self, request: web.Request, symbols: list[str]) -> dict[str, dict[str, object]]:
        """The objects that a Redis has of symbols without a price here."""
        if self.elsewhere is None:
            return {}
        rights = request[ENTITLED]
        found = await self.elsewhere([each for each in symbols if rights.sees(each)])
        rights.read(list(found))
        return {symbol: rights.narrowed(told) for symbol, told in found.items()}

    def _listing(self, symbol: str) -> dict[str, object]:
        """The directory's entry of a symbol; fields without a value are left out."""
        said: dict[str, object] = {"symbol": symbol}
        listing = self.directory.get(symbol)
        if listing is None:
            return said
        for key in ("name", "venue", "currency"):
            if getattr(listing, key):
                said[key] = getattr(listing, key)
        if listing.tick_size is not None:
            said["tick_size"] = exact_price(listing.tick_size)
        if listing.test:
            said["test"] = True
        return said

    def _price_object(self, request: web.Request, view: PriceView) -> dict[str, object]:
        listing = self.directory.get(view.symbol)
        found = request[ENTITLED].narrowed(price_object(view))
        if listing is not None and listing.currency:
            found["currency"] = listing.currency
        return found

    async def get_status(self, request: web.Request) -> web.Response:
        read_query(request.query.items(), ())
        now = self.clock()
        feeds = [asdict(report) for report in self.status.feed_reports(now)]
        for feed in feeds:
            feed["rejects"] = request[ENTITLED].rejects(feed["rejects"])
        return _json(
            {
                "version": self.status.version,
                "epoch": self.status.epoch,
                "timestamp": format_timestamp(now),
                "ready": not (self.status.waiting_for() or self.status.draining()),
                "draining": self.status.draining(),
                "symbols": len(self._sorted()),
                "markets": [asdict(market) for market in self.status.market_sessions(now)],
                "feeds": feeds,
                "gateways": [asdict(report) for report in self.status.gateway_reports(now)],
                **reports_beside(self.status, now),
            }
        )

    async def gaps(self, request: web.Request) -> web.Response:
        parameters = read_query(request.query.items(), ("feed", "limit"))
        limit = integer(parameters, "limit", USUAL_GAPS, 0, MOST_GAPS)
        return _json(gaps_report(self.status, parameters.get("feed"), limit))

    async def get_lineage(self, request: web.Request) -> web.Response:
        parameters = read_query(request.query.items(), ("connection",))
        symbol = request.match_info["symbol"]
        request[ENTITLED].require("trades")
        if not self.known(request, symbol):
            raise self.unknown(request, symbol)
        request[ENTITLED].read([symbol])
        found: dict[str, object] = {
            "symbol": symbol,
            "prices": lineage(self.status.feeds, symbol, instance=self.instance),
        }
        name = integer(parameters, "connection", 0, 1, MOST_CONNECTION)
        if name and self.sends is not None:
            found["connection"] = self.sends.of(name, symbol, request[ENTITLED].grant)
        return _json(found)

    async def get_metrics(self, request: web.Request) -> web.Response:
        request[ENTITLED].require_metrics()
        # Scrapers may send any parameters, so none is refused here.
        body, content_type = self.metrics.render(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type, **NO_STORE})

    def known(self, request: web.Request, symbol: str) -> bool:
        """Whether a feed has the symbol, and the token sees it."""
        if not visible(request, symbol):
            return False
        if self.board.index(symbol) >= 0:
            return True
        return self.board.refresh() > 0 and self.board.index(symbol) >= 0

    def unknown(self, request: web.Request, symbol: str) -> Refusal:
        """The refusal of a symbol that is not known: how to find the right one."""
        said = f"No feed has {symbol[:32]!r}."
        upper = symbol.upper()
        if upper != symbol and self.known(request, upper):
            said += f" Symbols are exact: did you mean {upper}?"
        else:
            said += " Look it up with /symbols?q=."
        return Refusal(UNKNOWN_SYMBOL, said, symbol=symbol[:32])

    def _sorted(self) -> list[str]:
        """The symbols that some feed has, as of the board's last look."""
        if self.sorted_at != self.board.symbol_changes:
            self.sorted_at = self.board.symbol_changes
            self.sorted_symbols = sorted(self.board.symbols())
        return self.sorted_symbols

    def _search(self, wanted: str) -> list[str]:
        """The symbol itself, then those that start so, then those with a name in which a word
        starts so, then those that contain it."""
        self.board.refresh()
        symbols = self._sorted()
        if not wanted:
            return symbols
        named = self.directory.named(wanted)
        found = [each for each in symbols if wanted in each.upper() or each in named]
        return sorted(found, key=lambda symbol: self._rank(symbol, wanted))

    def _rank(self, symbol: str, wanted: str) -> tuple[bool, bool, bool, str]:
        """By which symbols are in the order of _search."""
        if not wanted:
            return False, False, False, symbol
        upper, named = symbol.upper(), symbol in self.directory.named(wanted)
        return upper != wanted, not upper.startswith(wanted), not named, symbol

    def _behind(self, found: list[str], last: str, wanted: str) -> list[str]:
        """Those behind the last one of the page before, which may be gone."""
        place = self._rank(last, wanted)
        return [symbol for symbol in found if self._rank(symbol, wanted) > place]


def _json(content: object) -> web.Response:
    return web.Response(
        body=orjson.dumps(content), content_type="application/json", headers=NO_STORE
    )


def _answering(
    counters: Counters | None, guard: Guard
) -> Callable[..., Awaitable[web.StreamResponse]]:
    """Middleware that counts requests, refuses bodies, and answers refusals as problems."""

    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        if counters is not None:
            counters.add("http_requests")
        try:
            if request.body_exists:
                raise Refusal(TOO_LARGE, "Send the request without a body.")
            guard.check(request)
            return preflight_answer() if is_preflight(request) else await handler(request)
        except Refusal as refusal:
            return refusal.response(request.path)
        except web.HTTPException as error:
            return from_http_exception(error).response(request.path)
        except Exception:
            request.app.logger.exception("%s %s failed", request.method, request.path)
            return Refusal(INTERNAL, FAULT).response(request.path)

    return answer


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    allow_reading(request, response.headers)
    response.headers.update(SECURITY_HEADERS)
    response.headers["Server"] = "ticker"
