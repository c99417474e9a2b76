"""What goes wrong, for those who catch it; each message says what to do next."""

from __future__ import annotations


class TickerError(Exception):
    """The base of all."""


class NoServerError(TickerError):
    """No server answers at this address."""


class AuthError(TickerError):
    """The server wants a token, or another one."""


class UnknownSymbolError(TickerError):
    """No feed of the server has any of the symbols."""


class RequestError(TickerError):
    """A request was refused: `status` of HTTP, `code` of the problem (RFC 9457)."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail
