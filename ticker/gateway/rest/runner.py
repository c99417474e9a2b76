"""aiohttp's runner, with unreadable requests answered by problems as well.

The front refuses a bad first request of a connection; what comes later on it is read by aiohttp,
which by itself would answer in plain text and log a traceback for each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from ticker.gateway.access.problems import BAD_REQUEST, HEAD_TOO_LARGE, Refusal

KEEP_ALIVE = 75.0  # s that an idle HTTP connection stays open


class ProblemProtocol(web.RequestHandler):
    """One HTTP connection; differs from aiohttp's own in how it refuses what it cannot read.

    Attributes:
        lost: called once when the connection is gone.
        address: what the connection counts for, if it is counted (access.py).
        bucket: requests that it may still make, and when that was so (ns).
    """

    __slots__ = ("address", "bucket", "lost")

    def __init__(self, manager: web.Server, **settings: Any) -> None:
        super().__init__(manager, **settings)
        self.lost: Callable[[], None] | None = None
        self.address: str | None = None
        self.bucket: tuple[float, int] | None = None

    def connection_lost(self, exc: BaseException | None) -> None:
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
        return ProblemServer(
            made.request_handler,
            request_factory=made.request_factory,
            access_log=None,
            keepalive_timeout=KEEP_ALIVE,
        )
