"""Cross-origin requests: what a browser asks before a page's own, and what it wants to read.

Law: nothing here decides who may; guard.py has let the page in before.
Source: fetch.spec.whatwg.org, "CORS protocol".
"""

from __future__ import annotations

from collections.abc import MutableMapping

from aiohttp import web

PAGE = web.RequestKey("page", str)  # the origin of the page that asks, and may
METHODS = "GET, HEAD"
HEADERS = "Authorization, If-None-Match, Last-Event-ID"
EXPOSED = "ETag, Retry-After, WWW-Authenticate"
MAX_AGE = 600  # s; the request itself is looked at again each time


def is_preflight(request: web.Request) -> bool:
    """Whether a browser asks whether its page may ask."""
    return (
        request.method == "OPTIONS"
        and "Origin" in request.headers
        and "Access-Control-Request-Method" in request.headers
    )


def preflight_answer() -> web.Response:
    """That it may, and how: any address, by these methods and with these headers."""
    return web.Response(
        status=204,
        headers={
            "Access-Control-Allow-Methods": METHODS,
            "Access-Control-Allow-Headers": HEADERS,
            "Access-Control-Max-Age": str(MAX_AGE),
        },
    )


def allow_reading(request: web.Request, headers: MutableMapping[str, str]) -> None:
    """Tell the browser that its page may read this answer, be it a price or a refusal."""
    origin = request.get(PAGE)
    if origin is not None:
        headers["Access-Control-Allow-Origin"] = origin
        headers["Access-Control-Expose-Headers"] = EXPOSED
        headers["Vary"] = "Origin"
