"""Staying connected: one connection after another, with a growing, random wait between them."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol

import structlog

from ticker.errors import FeedError

log = structlog.get_logger()

FIRST_WAIT = 0.25
"""s before the first new attempt; twice that before each further one."""
LONGEST_WAIT = 30.0
STEADY = 10.0
"""s that a useful connection lasts before the waits begin small again."""
LONGEST_AFTER_USE = 5.0
"""The most s to wait after a connection that brought something usable."""
LONGEST_RETRY_AFTER = 3600.0
REFUSED_WAIT = 60.0
"""s to wait after a server refused our credentials."""


class RefusedError(FeedError):
    """The server does not accept our credentials."""


class LostError(FeedError):
    """A connection ended, or was never made.

    Attributes:
        by: the side that ended it: `server`, `us` or `network`.
        code: of a WebSocket's close (RFC 6455, section 7.4), or a status of HTTP; None: none.
        wait: s until the next attempt, 0: as ever.
    """

    def __init__(
        self, reason: str, by: str = "us", *, code: int | None = None, wait: float = 0.0
    ) -> None:
        super().__init__(reason)
        self.by = by
        self.code = code
        self.wait = wait


class Sink(Protocol):
    """The receiver of a transport's messages."""

    def connected(self) -> None:
        """A connection is up; nothing of an earlier one comes any more."""

    def received(self, data: bytes, symbol: str = "") -> bool:
        """Take one message, or any piece of a stream; `symbol` is the requested one, if any.
        Returns whether something in it was usable.

        Raises:
            FeedError: the connection must be closed.
        """

    def unreadable(self, why: str, *, too_long: bool = False) -> None:
        """A message came that is no text, or is too long."""

    def failed(self, why: str) -> None:
        """A request has no usable answer, or there is no connection."""

    def answers(self) -> Iterable[str]:
        """The answers to everything received so far."""

    def alive(self) -> None:
        """The other end gave a sign of life, without prices."""

    def confirmed(self) -> None:
        """The other end confirmed its last message."""


def retry_after(text: str, now: datetime) -> float:
    """Seconds that a Retry-After field asks for (RFC 9110, section 10.2.3), 0: none; at most an
    hour."""
    if text.isascii() and text.isdigit():
        seconds = float(text[:9])
    else:
        try:
            when = parsedate_to_datetime(text)
        except (ValueError, OverflowError):
            return 0.0
        if when.tzinfo is None:
            when = when.replace(tzinfo=UTC)
        seconds = (when - now).total_seconds()
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER)


class Backoff:
    """The wait before the next attempt: it doubles, and up to half is taken off at random."""

    def __init__(self, first: float = FIRST_WAIT, longest: float = LONGEST_WAIT) -> None:
        self.first = first
        self.longest = longest
        self.failures = 0

    def after(self, lasted: float, *, useful: bool) -> float:
        """s to wait after a connection that lasted so many s; `useful`: it brought something.

        The waits begin small again after a connection that was useful for STEADY, or that lasted
        longer than the longest wait. One that brought something and ended sooner makes them longer,
        up to LONGEST_AFTER_USE: a server that drops us each second is not asked each second.
        """
        if (useful and lasted >= STEADY) or lasted > self.longest:
            self.reset()
        wait = self.next()
        return min(wait, LONGEST_AFTER_USE) if useful else wait

    def next(self) -> float:
        """s to wait now, after one more failure."""
        wait = min(self.longest, self.first * 2.0 ** min(self.failures, 30))
        self.failures += 1
        return wait * random.uniform(0.5, 1.0)

    def reset(self) -> None:
        """Begin small again, after a success."""
        self.failures = 0


class Connection(Protocol):
    """A transport that makes one connection after the other."""

    useful: bool
    """Whether a usable message came over the last connection."""

    async def run(self, sink: Sink) -> None:
        """One connection from its start to its end.

        Raises:
            FeedError, OSError, TimeoutError: always, with the reason of its end or failure.
        """


async def stay_connected(
    feed: str, connection: Connection, sink: Sink, backoff: Backoff | None = None
) -> None:
    """Make one connection after another, for ever; the log has the reason of each end.

    `Backoff.after` has the waits between them.
    """
    backoff = backoff or Backoff()
    while True:
        started = time.monotonic()
        try:
            await connection.run(sink)
            lost = LostError("closed", "server")
        except LostError as error:
            lost = error
        except RefusedError as error:
            lost = LostError(str(error), wait=REFUSED_WAIT * random.uniform(0.5, 1.0))
        except FeedError as error:
            lost = LostError(str(error))
        except (TimeoutError, OSError) as error:
            lost = LostError(str(error) or type(error).__name__, "network")
        wait = lost.wait or backoff.after(time.monotonic() - started, useful=connection.useful)
        log.warning(
            "feed disconnected", feed=feed, by=lost.by, code=lost.code, reason=str(lost),
            retry_in=round(wait, 2),
        )  # fmt: skip
        sink.failed(str(lost))
        await asyncio.sleep(wait)
