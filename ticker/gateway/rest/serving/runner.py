"""aiohttp's runner, with unreadable requests answered by problems as well.

The front refuses a bad first request of a connection; what comes later on it is read by aiohttp,
which by itself would answer in plain text and log a traceback for each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from ticker.gateway.access.problems import BAD_REQUEST, HEAD_TOO_LARGE, Refusal

KEEP_ALIVE = 75.0  # s that an idle HTTP connection stays open
HEAD_TIMEOUT = 5.0  # s for a request head to come whole, as for the first one (worker.py)


class ProblemProtocol(web.RequestHandler):
    """One HTTP connection. It differs from aiohttp's in two points: it refuses unreadable requests
    with problems, and every request head has a deadline, not only the first.

    Attributes:
        lost: called once when the connection is gone.
        address: the address that the connection counts for, if it is counted (access.py).
        bucket: the requests that it may still make, and the time of this count (ns).
    """

    __slots__ = ("address", "bucket", "head_timer", "loop", "lost")

    def __init__(
        self, manager: web.Server, *, loop: asyncio.AbstractEventLoop, **settings: Any
    ) -> None:
        super().__init__(manager, loop=loop, **settings)
        self.loop = loop
        self.head_timer: asyncio.TimerHandle | None = None
        self.lost: Callable[[], None] | None = None
        self.address: str | None = None
        self.bucket: tuple[float, int] | None = None

    def data_received(self, data: bytes) -> None:
        if self.head_timer is None:
            self.head_timer = self.loop.call_later(HEAD_TIMEOUT, self.force_close)
        super().data_received(data)

    def head_came(self) -> None:
        """Note that a request head is complete; the next bytes belong to the next one."""
        if self.head_timer is not None:
            self.head_timer.cancel()
            self.head_timer = None

    def connection_lost(self, exc: BaseException | None) -> None:
        self.head_came()
        super().connection_lost(exc)
        if self.lost is not None:
            self.lost()
            self.lost = None

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """400 and 431 as problems, closing the connection; all else as aiohttp has it."""
        if status != 400:
            return super().handle_error(request, status, exc, message)
        if isinstance(exc, LineTooLong):
            refusal = Refusal(
                HEAD_TOO_LARGE,
                "A line of the request head is over 8,190 bytes; "
                "ask for fewer symbols at once, or send fewer headers.",
            )
        else:
            refusal = Refusal(
                BAD_REQUEST, "The bytes are not an HTTP/1.1 request; the connection is closed."
            )
        response = refusal.response("")
        response.force_close()
        return response


class ProblemServer(web.Server):
    """Makes a ProblemProtocol for each connection."""

    def __call__(self) -> ProblemProtocol:
        return ProblemProtocol(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """Runs an application whose connections are accepted elsewhere; `server()` is a protocol."""

    __slots__ = ()

    def __init__(self, app: web.Application) -> None:
        super().__init__(app, handle_signals=False)

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()

        def begin(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> Any:
            protocol.head_came()
            return made.request_factory(message, payload, protocol, writer, task)

        return ProblemServer(
            made.request_handler,
            request_factory=begin,
            access_log=None,
            handler_cancellation=True,  # do not log a client that hung up
            keepalive_timeout=KEEP_ALIVE,
            auto_decompress=False,  # bodies are refused, never inflated
        )
