"""REST: one request, one typed answer."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec
from yarl import URL

from .errors import AuthError, NoServerError, RedirectError, RequestError, reason_of
from .messages import Bar, Bars, Book, ListedSymbol, PriceObject, Prices, Symbols

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

    async def metrics(self) -> str:
        """The server's metrics, as Prometheus reads them."""
        return (await self.content("/metrics")).decode()

    async def _get(self, kind: type[T], path: str, **parameters: str | None) -> T:
        return msgspec.json.decode(await self.content(path, **parameters), type=kind)

    async def content(self, path: str, **parameters: str | None) -> bytes:
        """The bytes of an answer; parameters that are None or empty are left out."""
        given = {name: value for name, value in parameters.items() if value}
        try:
            async with self.session.get(self.url + path, params=given) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NoServerError(self.url, reason_of(error) or "no answer") from None
        if answer.status < 400:
            return body
        try:
            problem = msgspec.json.decode(body, type=Problem)
        except msgspec.DecodeError:
            said = f"status {answer.status}, and no problem document; is it a ticker server?"
            raise RequestError(answer.status, "", said) from None
        if answer.status == 401:
            raise AuthError(f"{problem.code}: {problem.detail}")
        raise RequestError(answer.status, problem.code, problem.detail)


def new_session(token: str | None, timeout: aiohttp.ClientTimeout) -> aiohttp.ClientSession:
    """A session that sends the token. A redirect raises RedirectError: the token is for the server
    that was named, and another one's answer is not its answer."""
    rules = aiohttp.TraceConfig()
    rules.on_request_redirect.append(_refuse_redirect)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return aiohttp.ClientSession(headers=headers, timeout=timeout, trace_configs=[rules])


async def _refuse_redirect(
    _: aiohttp.ClientSession, __: SimpleNamespace, told: aiohttp.TraceRequestRedirectParams
) -> None:
    where = told.response.headers.get("Location") or told.response.headers.get("URI") or ""
    target = told.url.join(URL(where))
    raise RedirectError(
        f"{told.url.origin()} redirects to {target.scheme}://{target.authority}{target.path}; "
        "if that is right, name that server"
    )


def _time(moment: datetime | None) -> str | None:
    if moment is not None and moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone; give it one, like datetime.now(UTC)")
    return None if moment is None else moment.isoformat()
