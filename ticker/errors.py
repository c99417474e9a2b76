"""Every error that ticker raises on purpose, with its exit code.

The commands that ask (get, watch, top, symbols, reload, replay, feed test) end with 0 when
all is well, 1 when nothing usable came, 2 for wrong usage (click), 3 for a configuration that is
refused, and 4 when there is no server. A server that cannot start says why by the other codes.

Law: a message says what is wrong, where, and what to do next.
"""

from __future__ import annotations


class TickerError(Exception):
    """The base of all; `exit_code` is what the process ends with when nothing catches it."""

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
    """Bytes that are not what their specification says they must be.

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
    """A file of the store cannot be read or written; the message names it."""

    exit_code = 11


class BenchError(TickerError):
    """A bench cannot run here, or a part of it did not do what it must."""

    exit_code = 9


class ClientError(TickerError):
    """A running server refuses what it was asked, or has nothing usable to say."""

    exit_code = 1


class NoServerError(ClientError):
    """No server runs there, or it cannot be reached."""

    exit_code = 4
