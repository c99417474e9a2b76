"""The watch page's files and the documents: read or made once, served from memory.

Law: the page may reach nothing but its own origin, and runs no inline script or style.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files

import msgspec
from aiohttp import hdrs, web

from ticker.gateway.documents import asyncapi, openapi

SCRIPTS = (
    "watch.js",
    "ticker.js",
    "rest.js",
    "row.js",
    "search.js",
    "notices.js",
    "token.js",
    "format.js",
)
FILES = {
    "/": ("index.html", "text/html"),
    **{f"/{name}": (name, "text/javascript") for name in SCRIPTS},
    "/style.css": ("style.css", "text/css"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
# 'self' covers ws: and wss: of the same origin (CSP level 3, section 6.7.2.8).
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    )
)
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class PageFile:
    """One file with its headers; the ETag is a digest of its bytes."""

    def __init__(self, body: bytes, content_type: str) -> None:
        self.body = body
        self.content_type = content_type
        self.etag = hashlib.sha256(self.body).hexdigest()[:32]

    async def handle(self, request: web.Request) -> web.Response:
        """The file, or 304 when the browser has this very version (RFC 9110, 13.1.2)."""
        headers = {hdrs.CACHE_CONTROL: "no-cache"}
        wanted = request.if_none_match or ()
        if any(tag.value in (self.etag, "*") for tag in wanted):
            response = web.Response(status=304, headers=headers)
        else:
            response = web.Response(
                body=self.body, content_type=self.content_type, charset="utf-8", headers=headers
            )
        response.etag = self.etag
        return response


def add_page(app: web.Application) -> None:
    """Route the page's files; they are read here, so that an incomplete install fails at once."""
    for path, (name, content_type) in FILES.items():
        body = files("ticker.gateway").joinpath("web", name).read_bytes()
        app.router.add_get(path, PageFile(body, content_type).handle)


def add_documents(app: web.Application) -> None:
    """Route the contract for machines: REST, the stream, and the stream's Protobuf."""
    for path, document in (("/openapi.json", openapi()), ("/asyncapi.json", asyncapi())):
        body = msgspec.json.encode(document)
        app.router.add_get(path, PageFile(body, "application/json").handle)
    proto = files("ticker.gateway").joinpath("ticker_v1.proto").read_bytes()
    app.router.add_get("/ticker_v1.proto", PageFile(proto, "text/plain").handle)
