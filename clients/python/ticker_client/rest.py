"""REST: one request, one typed answer."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec

from ticker_client.errors import AuthError, NoServerError, RequestError
from ticker_client.messages import Bar, Bars, Book, ListedSymbol, PriceObject, Prices, Symbols

T = TypeVar("T")


class Problem(msgspec.Struct):
    """A refusal (RFC 9457)."""

    status: int
    code: str
    detail: str


class Rest:
    """Requests to the server at `url`. Every method raises NoServerError, AuthError or
    RequestError."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self.session = session

    async def price(self, symbol: str, venue: str | None = None) -> PriceObject:
        """Everything known of a symbol, over all venues or of one (its ISO 10383 MIC)."""
        return await self._get(PriceObject, f"/prices/{quote(symbol, safe='')}", venue=venue)

    async def several(self, *symbols: str, venue: str | None = None) -> Prices:
        """Several at once; those without a price are listed by the reason."""
        listed = ",".join(symbols)
        return await self._get(Prices, "/prices", symbols=listed, venue=venue)

    async def book(self, symbol: str, levels: int = 10, venue: str | None = None) -> Book:
        """The best levels of bids and asks, by price, over all venues or of one."""
        path = f"/depth/{quote(symbol, safe='')}"
        return await self._get(Book, path, levels=str(levels), venue=venue)

    async def bars(
        self,
        symbol: str,
        interval: str = "1m",
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int = 120,
        venue: str | None = None,
    ) -> list[Bar]:
        """Bars, oldest first: the first `limit` from `start` on, or the newest without one.

        Args:
            interval: "1m", "5m", "15m", "30m", "1h" or "1d".
            start, end: with a time zone; bars start in start <= time < end.
        """
        parameters = {"from": _time(start), "to": _time(end), "limit": str(limit)}
        path = f"/bars/{quote(symbol, safe='')}"
        found = await self._get(Bars, path, interval=interval, venue=venue, **parameters)
        return found.bars

    async def symbols(self, query: str = "", limit: int = 20) -> list[ListedSymbol]:
        """Symbols whose ticker or name matches."""
        return (await self._get(Symbols, "/symbols", q=query, limit=str(limit))).symbols

    async def status(self) -> dict[str, Any]:
        """Feeds, markets and gateways at this moment."""
        return await self._get(dict[str, Any], "/status")

    async def _get(self, kind: type[T], path: str, **parameters: str | None) -> T:
        given = {name: value for name, value in parameters.items() if value}
        try:
            async with self.session.get(self.url + path, params=given) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NoServerError(f"{self.url}: {str(error) or 'no answer'}") from None
        if answer.status < 400:
            return msgspec.json.decode(body, type=kind)
        try:
            problem = msgspec.json.decode(body, type=Problem)
        except msgspec.DecodeError:
            problem = Problem(answer.status, "no_problem", "this is no answer of a ticker server")
        if answer.status == 401:
            raise AuthError(problem.detail)
        raise RequestError(answer.status, problem.code, problem.detail)


def _time(moment: datetime | None) -> str | None:
    if moment is not None and moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone; give it one, like datetime.now(UTC)")
    return None if moment is None else moment.isoformat()
