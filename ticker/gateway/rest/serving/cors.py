"""Cross-origin requests: the browser's preflight, and the headers that allow reading.

Law: nothing here decides about access; guard.py has admitted the page before.
Source: fetch.spec.whatwg.org, "CORS protocol".
"""

from __future__ import annotations

from collections.abc import MutableMapping

from aiohttp import web

PAGE = web.RequestKey("page", str)  # the origin of the admitted page that asks
METHODS = "GET, HEAD"
HEADERS = "Authorization, If-None-Match, Last-Event-ID"
EXPOSED = "ETag, Retry-After, WWW-Authenticate"
MAX_AGE = 600  # s; the request itself is looked at again each time


def is_preflight(request: web.Request) -> bool:
    """Whether the request is a browser's preflight."""
    return (
        request.method == "OPTIONS"
        and "Origin" in request.headers
        and "Access-Control-Request-Method" in request.headers
    )


def preflight_answer() -> web.Response:
    """The answer to a preflight: the allowed methods and headers, for every address."""
    return web.Response(
        status=204,
        headers={
            "Access-Control-Allow-Methods": METHODS,
            "Access-Control-Allow-Headers": HEADERS,
            "Access-Control-Max-Age": str(MAX_AGE),
        },
    )


def allow_reading(request: web.Request, headers: MutableMapping[str, str]) -> None:
    """Allow the browser's page to read this answer, a price or a refusal."""
    headers.update(reading_headers(request.get(PAGE)))


def reading_headers(origin: str | None = None) -> dict[str, str]:
    """The headers that allow the page of an admitted origin to read an answer."""
    if origin is None:
        return {}
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": EXPOSED,
        "Vary": "Origin",
    }
