"""A server by its URL, for the command line: the Python client, with errors that name options.

Law: every failure is a ClientError that says what to do next. The text of a server's problem
document is passed on unchanged.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import click
import msgspec

from ticker.client import package
from ticker.client.package.rest import Rest, new_session
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
        self.token = token

    @asynccontextmanager
    async def rest(self) -> AsyncIterator[Rest]:
        """Requests to it. Raises ClientError."""
        async with new_session(self.token, TIMEOUT) as session:
            with told():
                yield Rest(self.url, session)

    @asynccontextmanager
    async def stream(
        self, on_change: Callable[[package.Client], None] | None = None
    ) -> AsyncIterator[package.Client]:
        """A client of its stream. Raises ClientError."""
        with told():
            async with package.Client(self.url, self.token, on_change) as client:
                yield client

    def get(self, path: str, **parameters: str) -> Any:
        """The JSON answer to one request; numbers with a point are decimals. Raises ClientError."""
        return asyncio.run(self.fetch(path, **parameters))

    async def fetch(self, path: str, **parameters: str) -> Any:
        """Like get(), inside of an event loop."""
        async with self.rest() as rest:
            return json.loads(await rest.content(path, **parameters), parse_float=Decimal)


@contextmanager
def told() -> Iterator[None]:
    """Raise the client's errors as ClientError, with the option that mends them."""
    try:
        yield
    except package.NoServerError as error:
        raise NoServerError(f"{error} Name the server by --url") from None
    except package.RedirectError as error:
        raise ClientError(f"{error} by --url") from None
    except package.TickerError as error:
        raise ClientError(str(error)) from None
    except msgspec.DecodeError as error:
        said = f"the answer cannot be read: {error}; is the server of a later version?"
        raise ClientError(said) from None


def time_text(moment: datetime) -> str:
    """A time as the server writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


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
