"""Error codes and close codes of the client protocol, with their meanings.

Law: codes are named only in this file. A code's number is a contract with clients.
"""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """Error codes. Names in lower case are the `reason`."""

    INVALID_SYNTAX = 400
    NOT_AUTHENTICATED = 401
    AUTH_FAILED = 402
    AUTH_TIMEOUT = 404
    SYMBOL_LIMIT_EXCEEDED = 405
    CONNECTION_LIMIT_EXCEEDED = 406
    SLOW_CLIENT = 407
    UNSUPPORTED_ACTION = 410
    MESSAGE_TOO_LARGE = 413
    RATE_LIMITED = 429
    UNKNOWN_SYMBOL = 460
    INTERNAL = 500

    @property
    def reason(self) -> str:
        """The code's name in `error` messages."""
        return self.name.lower()


MEANINGS = {
    Code.INVALID_SYNTAX: "no command, or a field is wrong; `message` names the field",
    Code.NOT_AUTHENTICATED: "this command needs a token first",
    Code.AUTH_FAILED: "the token is wrong or has expired",
    Code.AUTH_TIMEOUT: "no token came in time",
    Code.SYMBOL_LIMIT_EXCEEDED: "more symbols than one connection may have",
    Code.CONNECTION_LIMIT_EXCEEDED: "more connections than allowed",
    Code.SLOW_CLIENT: "the client read too slowly for too long",
    Code.UNSUPPORTED_ACTION: "the server has no such action",
    Code.MESSAGE_TOO_LARGE: "the message is longer than allowed",
    Code.RATE_LIMITED: "too many commands a second",
    Code.UNKNOWN_SYMBOL: "no feed has this symbol",
    Code.INTERNAL: "the server failed; it is not the client's fault",
}
FATAL = frozenset(
    {
        Code.AUTH_FAILED,
        Code.AUTH_TIMEOUT,
        Code.CONNECTION_LIMIT_EXCEEDED,
        Code.SLOW_CLIENT,
        Code.INTERNAL,
    }
)


class Close(IntEnum):
    """Close codes. A fatal error closes with 4000 + its code instead."""

    SHUTDOWN = 1001
    PROTOCOL_ERROR = 1002
    BAD_UTF8 = 1007
    POLICY_VIOLATION = 1008
    TOO_LARGE = 1009
    RESTART = 1012
    OVERLOAD = 1013


CLOSE_MEANINGS = {
    Close.SHUTDOWN: "the server shuts down",
    Close.PROTOCOL_ERROR: "the client broke RFC 6455",
    Close.BAD_UTF8: "text that is not UTF-8",
    Close.POLICY_VIOLATION: "too many refused messages, too many fragments, or no pong",
    Close.TOO_LARGE: "a message longer than allowed",
    Close.RESTART: "this worker is replaced; reconnect",
    Close.OVERLOAD: "the server has no room now; try later",
}


def close_code(code: Code) -> int:
    """The close code of a fatal error."""
    return 4000 + code
