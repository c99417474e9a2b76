"""The event loop of sources with asyncio: work until it is time to stop, with heartbeats."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import uvloop

from ticker.feeds.workers.sources import SECOND, Life

GOOD_BYE = 5.0
"""The most s for a session to log out."""

Work = Callable[[asyncio.Event], Awaitable[None]]
"""The work of a source until the event is set."""


def run(work: Work, life: Life) -> None:
    """`drive`, on an event loop of its own."""
    uvloop.run(drive(work, life))


async def drive(work: Work, life: Life) -> None:
    """Work until `life` is over; then give the source time to log out.

    Raises:
        Exception: what `work` raises.
    """
    stop = asyncio.Event()
    task = asyncio.ensure_future(work(stop))
    try:
        while not (life.stopping or task.done()):
            now = life.clock()
            life.turn(now)
            await asyncio.wait((task,), timeout=max(life.next_beat - now, 0) / SECOND)
        stop.set()
        await asyncio.wait((task,), timeout=GOOD_BYE)
    finally:
        task.cancel()
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
    if isinstance(outcome, Exception):
        raise outcome
