"""Whether the server is alive, and whether it may be used: what probes and balancers ask.

Both answers have a header `Load`: the share of its core or of its connections that the server's
busiest worker has taken, from 0.000 to 1.000.
"""

from __future__ import annotations

import orjson
from aiohttp import web

from ticker.gateway.access.problems import DRAINING, NOT_READY, Refusal
from ticker.gateway.rest.guard import Guard
from ticker.gateway.rest.parameters import read_query
from ticker.gateway.rest.status import Status


def add_health(app: web.Application, status: Status, guard: Guard) -> None:
    """Answer /healthz and /readyz, which need no token."""
    health = Health(status)
    for path, answer in (("/healthz", health.healthz), ("/readyz", health.readyz)):
        app.router.add_get(path, answer)
        guard.leave_open(path)


class Health:
    """The handlers."""

    def __init__(self, status: Status) -> None:
        self.status = status

    async def healthz(self, request: web.Request) -> web.Response:
        read_query(request.query.items(), ())
        return self._answer("ok")

    async def readyz(self, request: web.Request) -> web.Response:
        read_query(request.query.items(), ())
        headers = {"Retry-After": "1", "Load": self._load()}
        if self.status.draining():
            raise Refusal(
                DRAINING, "An operator drains it; connect to another one.", headers=headers
            )
        waiting = self.status.waiting_for()
        if waiting:
            said = ", ".join(f"{name} is {state}" for name, state in waiting)
            raise Refusal(
                NOT_READY,
                f"Feed {said}; ask again shortly, and see /status if it stays so.",
                headers=headers,
                feeds=dict(waiting),
            )
        return self._answer("restored" if self.status.restored() else "ready")

    def _answer(self, said: str) -> web.Response:
        return web.Response(
            body=orjson.dumps({"status": said}),
            content_type="application/json",
            headers={"Cache-Control": "no-store", "Load": self._load()},
        )

    def _load(self) -> str:
        return f"{self.status.load():.3f}"
