"""RFC 9457 problems: every refusal over HTTP says what is wrong and what to do next.

Law: each kind of problem has one constant here; its `code` is a contract with clients.
"""

from __future__ import annotations

from http import HTTPStatus

import orjson
from aiohttp import web

CONTENT_TYPE = "application/problem+json"

BAD_PARAMETER = (400, "bad_parameter", "A parameter is wrong")
BAD_REQUEST = (400, "bad_request", "The request cannot be read")
NOT_AUTHENTICATED = (401, "not_authenticated", "This server needs a token")
FORBIDDEN_ORIGIN = (403, "forbidden_origin", "Pages of this origin may not connect")
NOT_ENTITLED = (403, "not_entitled", "The token has no right to this")
UNKNOWN_SYMBOL = (404, "unknown_symbol", "No feed has this symbol")
NO_PRICE_YET = (404, "no_price_yet", "The symbol has not traded yet")
NOT_ON_VENUE = (404, "not_on_venue", "The symbol is not on this venue")
NO_BOOK = (404, "no_book", "No feed shows a book of this symbol")
NO_HISTORY = (404, "no_history", "This server keeps no history")
NOT_FOUND = (404, "not_found", "There is nothing at this address")
METHOD_NOT_ALLOWED = (405, "method_not_allowed", "This address allows GET and HEAD only")
UPGRADE_REQUIRED = (426, "upgrade_required", "This address speaks WebSocket")
TOO_LARGE = (413, "content_too_large", "The request has a body, which this server does not read")
UNKNOWN_HOST = (421, "unknown_host", "This server has another name")
TOO_MANY_CONNECTIONS = (429, "too_many_connections", "This address has its maximum of connections")
TOO_MANY_REQUESTS = (429, "too_many_requests", "This connection sends too many requests")
HEAD_TOO_LARGE = (431, "head_too_large", "The request head is too long")
INTERNAL = (500, "internal", "The server failed to answer")
BUSY = (503, "busy", "The server has no room for another connection")
DRAINING = (503, "draining", "The server takes no new clients")
DEPTH_FULL = (503, "depth_full", "The server shows the books of its most symbols already")
FAULT = "The request is right, and the server has a fault; please report it."
"""What is said with INTERNAL."""
NOT_READY = (503, "not_ready", "Not every required feed is live")
STORE_FAILING = (503, "store_failing", "The history of the store cannot be read")
KINDS = (
    BAD_PARAMETER,
    BAD_REQUEST,
    NOT_AUTHENTICATED,
    FORBIDDEN_ORIGIN,
    NOT_ENTITLED,
    UNKNOWN_SYMBOL,
    NO_PRICE_YET,
    NOT_ON_VENUE,
    NO_BOOK,
    NO_HISTORY,
    NOT_FOUND,
    METHOD_NOT_ALLOWED,
    UPGRADE_REQUIRED,
    TOO_LARGE,
    UNKNOWN_HOST,
    TOO_MANY_CONNECTIONS,
    TOO_MANY_REQUESTS,
    HEAD_TOO_LARGE,
    INTERNAL,
    BUSY,
    DRAINING,
    DEPTH_FULL,
    NOT_READY,
    STORE_FAILING,
)


class Refusal(Exception):  # noqa: N818 - it is an answer, not a failure of the program
    """Raised to answer with a problem; `kind` is one of the constants above."""

    def __init__(
        self,
        kind: tuple[int, str, str],
        detail: str,
        *,
        headers: dict[str, str] | None = None,
        **members: object,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.headers = headers
        self.members = members

    def document(self, instance: str = "") -> bytes:
        """The problem document (RFC 9457, section 3) about the path `instance`, if it is known."""
        status, code, title = self.kind
        body: dict[str, object] = {
            "type": f"urn:ticker:problem:{code}",
            "title": title,
            "status": status,
            "detail": self.detail,
            "code": code,
            **self.members,
        }
        if instance:
            body["instance"] = instance[:200]
        return orjson.dumps(body)

    def response(self, instance: str) -> web.Response:
        """The problem as an answer of the aiohttp application."""
        return web.Response(
            body=self.document(instance),
            status=self.kind[0],
            content_type=CONTENT_TYPE,
            headers={"Cache-Control": "no-store", **(self.headers or {})},
        )

    def raw_response(self) -> bytes:
        """The problem as a whole HTTP/1.1 response that closes its connection."""
        body = self.document()
        lines = [
            f"HTTP/1.1 {self.kind[0]} {HTTPStatus(self.kind[0]).phrase}",
            f"Content-Type: {CONTENT_TYPE}",
            f"Content-Length: {len(body)}",
            "Cache-Control: no-store",
            "Connection: close",
            *(f"{name}: {value}" for name, value in (self.headers or {}).items()),
        ]
        return "\r\n".join([*lines, "", ""]).encode() + body


def from_http_exception(error: web.HTTPException) -> Refusal:
    """A refusal of aiohttp's router as a problem."""
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        return Refusal(
            METHOD_NOT_ALLOWED,
            f"{error.method[:20]} is not allowed here; use {allowed}.",
            headers={"Allow": allowed},
        )
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return Refusal(TOO_LARGE, "Send the request without a body.")
    if isinstance(error, web.HTTPNotFound):
        return Refusal(
            NOT_FOUND,
            "Try /prices/{symbol}, /prices?symbols=, /bars/{symbol}, /bars?symbols=, "
            "/trades/{symbol}, /movers, /symbols, /status, /healthz, /readyz, /metrics, / for the "
            "watch page, or /stream with a WebSocket.",
        )
    return Refusal((error.status, "bad_request", error.reason), error.text or error.reason)
