"""Polls snapshots over HTTP: one request per batch of symbols, each at its own pace.

Requests are conditional (If-None-Match, If-Modified-Since; RFC 9110, section 13) and obey
Retry-After (section 10.2.3) with any status. Polls are spread by a random tenth of their interval,
so that batches and several servers do not fall into step.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

import aiohttp
import structlog

from ticker.clock import Clock, now_ns
from ticker.errors import FeedError
from ticker.feeds.transports.compression import TooLongError, inflated
from ticker.feeds.transports.origin import Redirects, proxy_of, redirect_rules
from ticker.feeds.transports.reconnect import LONGEST_WAIT, Backoff, Sink, retry_after
from ticker.feeds.transports.tls import ADVICE, refusal

log = structlog.get_logger()

LONGEST = 1 << 24
"""Bytes of a body; a longer one is refused."""
TIMEOUT = 10.0
JITTER = 0.1


@dataclass
class Poll:
    """One URL, with the validators of its last answer."""

    url: str
    symbol: str = ""
    """The symbol, if it asks for only one."""
    etag: str = ""
    modified: str = ""
    heard: int = 0
    """The time of its last usable answer, ns."""
    useful: bool = False
    """Whether its last answer was usable."""

    def headers(self) -> dict[str, str]:
        """The headers of a conditional request."""
        headers = {}
        if self.etag:
            headers["If-None-Match"] = self.etag
        elif self.modified:
            headers["If-Modified-Since"] = self.modified
        return headers


class HttpTransport:
    """Polls a URL for all symbols: `${symbols}` in it is a batch of them, comma-separated.

    Args:
        interval: s from the end of a poll to the next one of the same batch.
        shown: the URL as messages may have it, without credentials.
        proxy: an HTTP proxy; None: that of the environment, "": none.
    """

    def __init__(
        self,
        url: str,
        symbols: Sequence[str] = (),
        *,
        feed: str = "",
        interval: float,
        batch: int = 100,
        headers: Mapping[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        shown: str = "",
        redirects: Redirects = "same_origin",
        proxy: str | None = None,
        clock: Clock = now_ns,
    ) -> None:
        self.feed = feed
        self.redirects = redirects
        self.proxy = proxy_of(url, proxy)
        self.tls = tls
        self.shown = shown or url.partition("?")[0]
        self.clock = clock
        self.interval = interval
        self.headers = dict(headers or {})
        each_by_itself = "${symbol}" in url
        self.polls = [
            Poll(each, symbols[index] if each_by_itself else "")
            for index, each in enumerate(batch_urls(url, symbols, batch))
        ]

    async def run_forever(self, sink: Sink) -> None:
        """Poll until cancelled."""
        timeout = aiohttp.ClientTimeout(total=TIMEOUT)
        sink.connected()
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self.tls or True),
                timeout=timeout,
                headers={"Accept-Encoding": "gzip", **self.headers},
                auto_decompress=False,
                trace_configs=[redirect_rules(self.redirects)],
            ) as http,
            asyncio.TaskGroup() as group,
        ):
            for index, poll in enumerate(self.polls):
                first = self.interval * index / len(self.polls)
                group.create_task(self._keep_polling(http, poll, first, sink))

    @property
    def heard(self) -> int:
        """The oldest of the batches' last usable answers, ns; 0 if a batch had none."""
        return min((poll.heard for poll in self.polls), default=0)

    async def _keep_polling(
        self, http: aiohttp.ClientSession, poll: Poll, first: float, sink: Sink
    ) -> None:
        backoff = Backoff(max(self.interval, 0.25), max(self.interval, LONGEST_WAIT))
        await asyncio.sleep(first)
        while True:
            told, problem = 0.0, ""
            try:
                told, problem = await self._ask(http, poll, sink)
            except (aiohttp.ClientError, OSError, TimeoutError, FeedError) as error:
                problem = self._reason(error, poll)
            wait = self.interval * random.uniform(1 - JITTER, 1 + JITTER)
            if problem:
                wait = max(told, backoff.next(), self.interval)
                log.warning(
                    "poll failed", feed=self.feed, url=self.shown, reason=problem,
                    retry_in=round(wait, 2),
                )  # fmt: skip
                sink.failed(problem)
            else:
                backoff.reset()
            await asyncio.sleep(max(wait, told))

    async def _ask(self, http: aiohttp.ClientSession, poll: Poll, sink: Sink) -> tuple[float, str]:
        """One request; returns the wait that the server asks for (s), and the reason if there is no
        usable answer, else "".

        Raises:
            aiohttp.ClientError, OSError, TimeoutError, FeedError: no usable answer.
        """
        async with http.get(poll.url, headers=poll.headers(), proxy=self.proxy) as answer:
            told = retry_after(answer.headers.get("Retry-After", ""), datetime.now(UTC))
            if answer.status == 304:
                if poll.useful:
                    poll.heard = self.clock()
                    sink.confirmed()
                return told, ""
            if not answer.ok:
                return told, f"status {answer.status} {answer.reason or ''}".rstrip()
            try:
                body = inflated(await read_body(answer))
            except FeedError as error:
                sink.unreadable(str(error), too_long=isinstance(error, TooLongError))
                return told, ""
            marks = answer.headers.get("ETag", ""), answer.headers.get("Last-Modified", "")
        poll.useful = sink.received(body, poll.symbol)
        # After an unusable answer the next request is not conditional.
        poll.etag, poll.modified = marks if poll.useful else ("", "")
        if poll.useful:
            poll.heard = self.clock()
        return told, ""

    def _reason(self, error: BaseException, poll: Poll) -> str:
        """The error in words without the URL, which aiohttp's own message may have."""
        return refusal(error, ADVICE).replace(poll.url, self.shown)


async def read_body(answer: aiohttp.ClientResponse) -> bytes:
    """The whole body as it comes. Raises TooLongError: it is longer than LONGEST."""
    body = bytearray()
    async for chunk in answer.content.iter_chunked(1 << 16):
        body += chunk
        if len(body) > LONGEST:
            raise TooLongError(f"the body is longer than {LONGEST} bytes")
    return bytes(body)


def batch_urls(url: str, symbols: Sequence[str], batch: int) -> list[str]:
    """The URLs to poll: one, or one per batch of symbols, or with `${symbol}` one per symbol."""
    if "${symbol}" in url:
        return [url.replace("${symbol}", quote(each, safe="")) for each in symbols]
    if "${symbols}" not in url:
        return [url]
    return [
        url.replace(
            "${symbols}", ",".join(quote(each, safe="") for each in symbols[first : first + batch])
        )
        for first in range(0, len(symbols), batch)
    ]
