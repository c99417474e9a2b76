"""The watch page's files and the documents, read or generated once and served from memory."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePath
from typing import Any, Protocol

import msgspec
from aiohttp import hdrs, web

from ticker.config import DepthConfig
from ticker.gateway.access.problems import NO_BOOK, Refusal
from ticker.gateway.protocol.documents import asyncapi
from ticker.gateway.rest.guard import Guard
from ticker.gateway.rest.openapi import openapi

KINDS = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
}


def _files(folder: Traversable, path: str) -> dict[str, tuple[bytes, str]]:
    """The files of a folder and those below, by their paths: the body and the type.

    What comes from elsewhere is in vendor/, which no path names; licences are not served.
    """
    found: dict[str, tuple[bytes, str]] = {}
    for each in sorted(folder.iterdir(), key=lambda each: each.name):
        if each.is_dir():
            found |= _files(each, path if each.name == "vendor" else f"{path}{each.name}/")
        elif (kind := KINDS.get(PurePath(each.name).suffix)) is not None:
            name = "" if each.name == "index.html" else each.name
            found[path + name] = (each.read_bytes(), kind)
    return found


# Read once for all workers, before the first of them starts: an incomplete install fails at once.
FILES = _files(files("ticker.gateway").joinpath("web"), "/")
PROTO = files("ticker.gateway.protocol").joinpath("ticker_v1.proto").read_bytes()


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


def add_page(app: web.Application, guard: Guard) -> None:
    """Route the page's files."""
    for path, (body, content_type) in FILES.items():
        guard.leave_open(path, file=True)
        app.router.add_get(path, PageFile(body, content_type).handle)


class RestDocument:
    """/openapi.json; it is made anew when the rules for tokens change."""

    def __init__(self, guard: Guard, max_symbols: int, levels: Sequence[int]) -> None:
        self.guard = guard
        self.files = {
            (tokens, required): _document(
                openapi(tokens=tokens, required=required, max_symbols=max_symbols, levels=levels)
            )
            for tokens, required in ((False, False), (True, False), (True, True))
        }

    async def handle(self, request: web.Request) -> web.Response:
        return await self.files[self.guard.tokens, self.guard.tokens_required].handle(request)


def add_documents(
    app: web.Application, guard: Guard, max_symbols: int, levels: Sequence[int]
) -> None:
    """Route the contract for machines: REST, the stream, and the stream's Protobuf."""
    for path in ("/openapi.json", "/asyncapi.json", "/ticker_v1.proto"):
        guard.leave_open(path, file=True)
    app.router.add_get("/openapi.json", RestDocument(guard, max_symbols, levels).handle)
    app.router.add_get("/asyncapi.json", _document(asyncapi()).handle)
    app.router.add_get("/ticker_v1.proto", PageFile(PROTO, "text/plain").handle)


def _document(content: dict[str, Any]) -> PageFile:
    return PageFile(msgspec.json.encode(content), "application/json")


class Books(Protocol):
    """What answers for symbols' books."""

    @property
    def levels(self) -> Sequence[int]:
        """The numbers of levels that a book may have."""

    async def answer(self, rest: Any, request: web.Request, /) -> web.Response:
        """The book of the symbol in the request's path. Raises Refusal."""


class NoBooks:
    """Of an application without a hub."""

    levels: Sequence[int] = DepthConfig().levels

    async def answer(self, _: Any, request: web.Request, /) -> web.Response:
        """Refuses."""
        raise Refusal(NO_BOOK, f"{request.path[:40]}: this server shows no books.")


NO_BOOKS = NoBooks()
