"""What goes wrong, for those who catch it; each message says what to do next."""

from __future__ import annotations

import os

import aiohttp


class TickerError(Exception):
    """The base of all."""


class NoServerError(TickerError):
    """No server answers at this address."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"{url}: {reason}; is `ticker serve` running there?")


class AuthError(TickerError):
    """The server wants a token, or another one."""


class UnknownSymbolError(TickerError):
    """No feed of the server has any of the symbols."""


class RefusedError(TickerError):
    """A command of a watch was refused: `code` of docs/protocol.md."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{message} (code {code})")
        self.code = code


class RedirectError(TickerError):
    """The server sends its clients to another one, which has not been named."""


class RequestError(TickerError):
    """A request was refused: `status` of HTTP, `code` of the problem (RFC 9457)."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}" if code else detail)
        self.status = status
        self.code = code
        self.detail = detail


def reason_of(error: BaseException) -> str:
    """Why there is no connection, in the system's own words; "" where nobody says."""
    if isinstance(error, aiohttp.ClientConnectorError) and (error.errno or 0) > 0:
        return os.strerror(error.errno or 0)
    return str(error)
