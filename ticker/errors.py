"""Every error that ticker raises on purpose, with its exit code.

The commands get, watch, top, symbols, reload, replay and feed test end with 0 for success, 1 when
nothing usable came, 2 for wrong usage (click), 3 for a refused configuration, and 4 when there is
no server. The other codes say why a server cannot start.

Law: a message says what is wrong, where, and what to do next.
"""

from __future__ import annotations


class TickerError(Exception):
    """The base of all; an uncaught error ends the process with its `exit_code`."""

    exit_code = 1


class ConfigError(TickerError):
    """The configuration is wrong; the message starts with the path of the offending key."""

    exit_code = 3


class SegmentError(TickerError):
    """A shared-memory segment is missing, or is not what its reader expects."""

    exit_code = 4


class FeedError(TickerError):
    """A feed cannot start, or a capture cannot be read."""

    exit_code = 5


class DecodeError(TickerError):
    """Bytes that break their specification.

    This is the one error that sessions, decoders and parsers may raise for any input.
    """

    exit_code = 6


class GatewayError(TickerError):
    """A gateway cannot start or cannot bind."""

    exit_code = 7


class InstanceError(TickerError):
    """Another server runs under this instance name."""

    exit_code = 8


class StoreError(TickerError):
    """A file of the store cannot be read or written; the message names it.

    Attributes:
        errno: the kind of fault, 0: none that has a number. EUCLEAN: the file is damaged;
            EPROTONOSUPPORT: a newer version of ticker wrote it.
    """

    exit_code = 11

    def __init__(self, message: str, errno: int = 0) -> None:
        super().__init__(message)
        self.errno = errno


class BenchError(TickerError):
    """A bench cannot run here, or one of its processes failed."""

    exit_code = 9


class ClientError(TickerError):
    """A running server refuses a request, or has no usable answer."""

    exit_code = 1


class NoServerError(ClientError):
    """No server runs at that address, or it cannot be reached."""

    exit_code = 4
