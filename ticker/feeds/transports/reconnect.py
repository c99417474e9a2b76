"""Staying connected: one connection after another, with a growing, random wait between them."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

import structlog

from ticker.errors import FeedError

log = structlog.get_logger()

FIRST_WAIT = 0.25
"""s before the first new attempt; twice that before each further one."""
LONGEST_WAIT = 30.0
REFUSED_WAIT = 60.0
"""s after a server refused our credentials: asking again at once will not help."""


class RefusedError(FeedError):
    """The server does not accept our credentials."""


class Sink(Protocol):
    """Who takes what a transport brings."""

    def connected(self) -> None:
        """A connection is up; nothing of an earlier one will come any more."""

    def received(self, data: bytes, symbol: str = "") -> None:
        """Bytes: one message, or of a stream any piece of it; `symbol`: what they were asked for.

        Raises:
            FeedError: the connection is of no more use.
        """

    def unreadable(self, why: str) -> None:
        """A message came that is no text."""

    def answers(self) -> Iterable[str]:
        """What the other end wants to hear after all that was received."""

    def alive(self) -> None:
        """The other end is there, though it has nothing to say."""


class Backoff:
    """How long to wait before the next attempt: doubling, with a random half taken off."""

    def __init__(self, first: float = FIRST_WAIT, longest: float = LONGEST_WAIT) -> None:
        self.first = first
        self.longest = longest
        self.failures = 0

    def next(self) -> float:
        """s to wait now, after one more failure."""
        wait = min(self.longest, self.first * 2.0 ** min(self.failures, 30))
        self.failures += 1
        return wait * random.uniform(0.5, 1.0)

    def reset(self) -> None:
        """It worked."""
        self.failures = 0


async def stay_connected(
    feed: str, run: Callable[[], Awaitable[bool]], backoff: Backoff | None = None
) -> None:
    """Run one connection after another, for ever.

    `run` returns when its connection is lost: True, if anything came over it. One that lasted
    longer than the longest wait was a good one, however it ended.
    """
    backoff = backoff or Backoff()
    while True:
        wait = 0.0
        started = time.monotonic()
        try:
            if await run():
                backoff.reset()
            reason = "closed by the server"
        except RefusedError as error:
            wait = REFUSED_WAIT * random.uniform(0.5, 1.0)
            reason = str(error)
        except (TimeoutError, OSError, FeedError) as error:
            reason = str(error) or type(error).__name__
        if time.monotonic() - started > backoff.longest:
            backoff.reset()
        wait = wait or backoff.next()
        log.warning("feed disconnected", feed=feed, reason=reason, retry_in=round(wait, 2))
        await asyncio.sleep(wait)
