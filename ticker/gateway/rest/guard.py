"""What every REST request passes: its rate on this connection, its origin, its token.

In: a request and the access rules. Out: `request[GRANT]`, or a Refusal that http.py answers with.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from ticker.clock import Clock, now_ns, steady_ns
from ticker.gateway.access.access import Access
from ticker.gateway.access.auth import EVERYBODY, Grant
from ticker.gateway.access.problems import TOO_MANY_REQUESTS, Refusal
from ticker.gateway.rest.runner import ProblemProtocol

NS = 1_000_000_000
GRANT = web.RequestKey("grant", Grant)
PROTECTED = ("/prices", "/symbols", "/status", "/metrics")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Guard:
    """`rate` requests a second on one connection, `burst` at once."""

    def __init__(
        self,
        access: Access | None,
        rate: float,
        burst: int,
        *,
        clock: Clock = now_ns,
        steady: Clock = steady_ns,
    ) -> None:
        self.access = access
        self.clock = clock
        self.steady = steady
        self.rate = rate
        self.burst = float(burst)

    @property
    def tokens(self) -> bool:
        """Whether tokens are known here at all."""
        return self.access is not None and self.access.authenticator is not None

    @property
    def tokens_required(self) -> bool:
        """Whether everybody has to show one."""
        return self.access is not None and self.access.required

    def check(self, request: web.Request) -> None:
        """Let the request pass. Raises Refusal: 429, 401 or 403."""
        self._count(request, self.steady())
        request[GRANT] = EVERYBODY
        if self.access is None:
            return
        origins = request.headers.getall("Origin", [])
        if origins:
            self.access.check_origin(origins, [request.host])
        if request.path.startswith(PROTECTED):
            headers = request.headers.getall("Authorization", [])
            request[GRANT] = self.access.request_grant(headers, self.clock())

    def _count(self, request: web.Request, steady_ns: int) -> None:
        protocol = request.protocol
        if not isinstance(protocol, ProblemProtocol):
            return
        tokens, at = protocol.bucket or (self.burst, steady_ns)
        tokens = min(tokens + max(steady_ns - at, 0) * self.rate / NS, self.burst)
        protocol.bucket = (max(tokens - 1, 0.0), steady_ns)
        if tokens < 1:
            request.protocol.close()
            raise Refusal(
                TOO_MANY_REQUESTS,
                f"More than {self.rate:g} requests a second on one connection; ask for several "
                "prices at once by /prices?symbols=, or watch them on /stream.",
                headers={"Retry-After": "1"},
            )

    def allow_reading(self, request: web.Request, response: web.StreamResponse) -> None:
        """Tell a browser that a page of a listed origin may read the answer (CORS)."""
        origin = request.headers.get("Origin")
        if origin is None or self.access is None:
            return
        if "*" in self.access.origins or origin in self.access.origins:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Vary"] = "Origin"


def visible(request: web.Request, symbol: str) -> bool:
    """Whether this request's token may see the symbol."""
    return request[GRANT].sees(symbol)
