"""A server's URL and its REST answers, for the command line.

Law: every failure is a ClientError that says what to do next. The text of a server's problem
document is passed on unchanged.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import click
import orjson
from yarl import URL

from ticker.errors import ClientError, NoServerError

DEFAULT_URL = "http://127.0.0.1:8700"
TIMEOUT = aiohttp.ClientTimeout(total=10)


class Server:
    """A server by its URL; `token` is for a server that asks for one."""

    def __init__(self, url: str, token: str | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise click.UsageError(
                f"--url: {url!r} is not the URL of a server; give one like {DEFAULT_URL}"
            )
        self.url = url.rstrip("/")
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def get(self, path: str, **parameters: str) -> Any:
        """The JSON answer to one request; numbers with a point are decimals. Raises ClientError."""
        return asyncio.run(self.fetch(path, **parameters))

    async def fetch(self, path: str, **parameters: str) -> Any:
        """Like get(), inside of an event loop."""
        return json.loads(await self._body(path, parameters), parse_float=Decimal)

    async def fetch_text(self, path: str, **parameters: str) -> str:
        """The body of an answer as text."""
        return (await self._body(path, parameters)).decode()

    def session(self) -> aiohttp.ClientSession:
        """A session for other requests; it sends the token. A redirect raises ClientError: the
        token is for the server that was named, and another one's answer is not its answer."""
        rules = aiohttp.TraceConfig()
        rules.on_request_redirect.append(_refuse)
        return aiohttp.ClientSession(headers=self.headers, timeout=TIMEOUT, trace_configs=[rules])

    async def _body(self, path: str, parameters: dict[str, str]) -> bytes:
        try:
            async with (
                self.session() as session,
                session.get(self.url + path, params=parameters) as answer,
            ):
                body = await answer.read()
                if answer.status < 400:
                    return body
                raise ClientError(_problem(answer.status, body))
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NoServerError(unreachable(self.url, error)) from None


async def _refuse(
    _: aiohttp.ClientSession, __: SimpleNamespace, told: aiohttp.TraceRequestRedirectParams
) -> None:
    where = told.response.headers.get("Location") or told.response.headers.get("URI") or ""
    target = told.url.join(URL(where))
    raise ClientError(
        f"{told.url.origin()} redirects to {target.scheme}://{target.authority}{target.path}; "
        "if that is right, name that server by --url"
    )


def unreachable(url: str, error: Exception) -> str:
    """The error message for a server that does not answer."""
    said = str(error) or "no answer"
    return f"{url}: {said}; is `ticker serve` running there? Name the server by --url"


def _problem(status: int, body: bytes) -> str:
    try:
        document = orjson.loads(body)
        return f"{document['code']}: {document['detail']}"
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return f"status {status}, and no problem document; is it a ticker server?"


def server_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that name the server of a command."""
    command = click.option(
        "--token", envvar="TICKER_TOKEN", help="For a server that asks; or TICKER_TOKEN."
    )(command)
    return click.option(
        "--url",
        envvar="TICKER_URL",
        default=DEFAULT_URL,
        show_default=True,
        help="The server; or TICKER_URL.",
    )(command)
