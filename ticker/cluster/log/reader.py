"""Frames of the log, from a time on: pushed by JetStream as fast as they are taken.

In: messages of a consumer. Out: frames, in the order of the log. Law: no more of them wait here
than the server sends before it is told to go on (flow control), and it is told when they were
taken. A frame that the log has and that did not come is read again; one that it lacks, its number
in its shard tells.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import deque

import structlog

from ticker.clock import steady_ns
from ticker.cluster.buses.nats import NatsBus
from ticker.cluster.log.requests import ask, inbox_of
from ticker.cluster.log.streams import ACK, FLOW, consumer, fault_of
from ticker.cluster.natswire import place_of
from ticker.cluster.subjects import Subjects
from ticker.errors import DecodeError

log = structlog.get_logger()

DEAF = 2_000_000_000
"""ns without a word of the server, after which it is asked anew."""
AGAIN = 0.2
"""s between two tries."""


class LogReader:
    """One reading of a feed's log.

    Args:
        stream: its name.
        filters: the subjects that are wanted; none: all that the stream has, which costs its server
            less than looking for them one by one.
        since: ns, by the server's clock.

    Attributes:
        left: frames in the log behind the newest one that came; -1: not known yet.
        fault: why nothing comes; empty: it comes.
    """

    def __init__(
        self, bus: NatsBus, subjects: Subjects, stream: str, filters: list[str], since: int
    ) -> None:
        self.bus, self.subjects, self.stream = bus, subjects, stream
        self.filters, self.since = filters, since
        self.left = -1
        self.fault = ""
        self._name = ""
        self._after = self._in_order = 0
        self._heard = 0
        self._broken = asyncio.Event()
        self._came = asyncio.Event()
        self._waiting: deque[tuple[bytes, bytes]] = deque()

    async def run(self) -> None:
        """Read until cancelled; a reading that breaks off goes on where it was."""
        while True:
            self._name, self._in_order = secrets.token_hex(8), 0
            self._broken.clear()
            inbox = inbox_of(self.subjects)
            subscription = self.bus.subscribe_to_answer(inbox, self._take)
            try:
                await self._begin(inbox)
                await self._stay()
            except DecodeError as error:
                self.fault = str(error)
            finally:
                self.bus.unsubscribe(subscription)
                with contextlib.suppress(DecodeError):
                    self._end()
            await asyncio.sleep(AGAIN)

    async def _begin(self, inbox: str) -> None:
        wanted = consumer(self._name, inbox, self.filters, since=self.since, after=self._after)
        question = {"stream_name": self.stream, "config": wanted, "action": "create"}
        answer = await ask(
            self.bus,
            inbox_of(self.subjects),
            f"CONSUMER.CREATE.{self.stream}.{self._name}",
            question,
        )
        number, reason = fault_of(answer)
        if number:
            raise DecodeError(f"the log cannot be read: {reason}")
        self.fault = ""
        self._heard = steady_ns()
        if not answer.get("num_pending") and not self._in_order:
            self.left = 0
        self._came.set()

    async def _stay(self) -> None:
        while steady_ns() - self._heard < DEAF and self.bus.connected:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.25):
                    await self._broken.wait()
                    return

    def _end(self) -> None:
        inbox = inbox_of(self.subjects).encode()
        self.bus.publish(
            [(f"$JS.API.CONSUMER.DELETE.{self.stream}.{self._name}".encode(), b"", inbox)]
        )

    def _take(self, subject: bytes, payload: bytes, reply: bytes) -> None:
        self._heard = steady_ns()
        if reply.startswith(ACK):
            number, in_order, left = place_of(reply)
            if in_order != self._in_order + 1:
                self._broken.set()  # one was lost on its way
                return
            self._in_order, self._after, self.left = in_order, number, left
            self._waiting.append((subject, payload))
        elif reply.startswith(FLOW):
            self._waiting.append((b"", reply))
        self._came.set()

    def take(self, most: int) -> list[tuple[bytes, bytes]]:
        """The next (subject, frame)s that came, and the server is told to go on."""
        found: list[tuple[bytes, bytes]] = []
        while self._waiting and len(found) < most:
            subject, payload = self._waiting.popleft()
            if subject:
                found.append((subject, payload))
            else:
                self.bus.publish([(payload, b"")])
        return found

    @property
    def at_end(self) -> bool:
        """Whether all that was in the log was taken."""
        return self.left == 0 and not self._waiting

    async def wait(self, seconds: float) -> None:
        """Until something comes, or so long."""
        if not self._waiting:
            self._came.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._came.wait()
