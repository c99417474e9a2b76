"""The checks of every REST request: its rate on this connection, its host and origin, its token.

In: a request and the access rules. Out: `request[ENTITLED]`, or a Refusal, which http.py sends. An
address needs a token unless it was left open.
"""

from __future__ import annotations

from functools import partial

from aiohttp import web

from ticker.clock import Clock, now_ns, steady_ns
from ticker.gateway.access.access import Access
from ticker.gateway.access.handshake import authority_of
from ticker.gateway.access.notes import Notes
from ticker.gateway.access.pace import Pace
from ticker.gateway.access.problems import FORBIDDEN_ORIGIN, TOO_MANY_REQUESTS, Refusal
from ticker.gateway.rest.entitled import UNBOUND, Entitled
from ticker.gateway.rest.serving.cors import PAGE, is_preflight
from ticker.gateway.rest.serving.runner import ProblemProtocol

NS = 1_000_000_000
ENTITLED = web.RequestKey("entitled", Entitled)


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
        notes: Notes | None = None,
    ) -> None:
        self.access = access
        self.clock = clock
        self.steady = steady
        self.rate = rate
        self.burst = float(burst)
        self.notes = notes or Notes()
        self.pace = Pace()  # of prices, by token and symbol
        self.open: set[str] = set()
        self.files: set[str] = set()

    @property
    def tokens(self) -> bool:
        """Whether any tokens are configured."""
        return self.access is not None and self.access.authenticator is not None

    @property
    def tokens_required(self) -> bool:
        """Whether every client has to show a token."""
        return self.access is not None and self.access.required

    def leave_open(self, path: str, *, file: bool = False) -> None:
        """Open an address to all clients: it shows no prices, and nothing about clients.

        Args:
            file: the answer is a file of the package. A browser asks for the watch page's scripts
            with the page's origin. They are sent even if that origin is refused, so that the page
            can show the refusal.
        """
        self.open.add(path)
        if file:
            self.files.add(path)

    def check(self, request: web.Request) -> None:
        """Let the request pass. Raises Refusal: 429, 421, 403 or 401."""
        self._count(request, self.steady())
        request[ENTITLED] = UNBOUND
        if self.access is None:
            return
        self._check_page(request, self.access)
        if request.path not in self.open and not is_preflight(request):
            request[ENTITLED] = self._entitled(request, self.access)

    def _check_page(self, request: web.Request, access: Access) -> None:
        transport = request.transport
        encrypted = transport is not None and transport.get_extra_info("tls") is not None
        values = partial(_values, request)
        try:
            access.check_page(
                values,
                request.remote or "",
                encrypted=encrypted,
                authority=authority_of(request.method, request.raw_path),
            )
        except Refusal as refusal:
            if refusal.kind is FORBIDDEN_ORIGIN and request.path in self.files:
                return
            self.notes.refused(refusal, self.steady())
            raise
        origin = request.headers.get("Origin")
        if origin is not None:
            request[PAGE] = origin

    def _entitled(self, request: web.Request, access: Access) -> Entitled:
        grant = access.request_grant(_values(request, "Authorization"), self.clock())
        client = ""
        if grant.max_rate and not grant.name:
            client = access.client(partial(_values, request), request.remote or "")
        return Entitled(grant, self.pace, client, self.steady())

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


def visible(request: web.Request, symbol: str) -> bool:
    """Whether the symbol exists for this request's token."""
    return request[ENTITLED].sees(symbol)


def _values(request: web.Request, name: str) -> list[str]:
    return request.headers.getall(name, [])
