"""TCP connections beside a feed's lines, for dialogues that a session needs now and then.

They live in the loop of the feed's worker: nothing here waits. `fileno` can be read when `turn`
has something to do, and `turn` is called at `next_deadline` at the latest. A connection that is
lost is made again after a growing, random wait, which begins small again when one was of use, or
lasted for long; one that is not needed is closed, and not made.
"""

from __future__ import annotations

import errno
import random
import selectors
import socket
from collections.abc import Sequence
from typing import Protocol

import structlog

from ticker.feeds.transports.reconnect import REFUSED_WAIT, Backoff

log = structlog.get_logger()

SECOND = 1_000_000_000
CONNECT_TIMEOUT = 5 * SECOND
CHUNK = 1 << 18
MOST_READS = 16
"""Chunks read from one connection before the lines are read again."""
MOST_OUTBOUND = 1 << 20
"""Bytes that may wait to be sent; with more, the connection is closed."""
LOOK = SECOND // 10
"""ns between two looks whether a connection is wanted."""


class Dialogue(Protocol):
    """Bytes and times in, bytes out; see cboe/dialogue.py."""

    name: str
    should_close: bool
    refused: bool
    useful: bool
    """Whether something of use came over the last connection."""

    @property
    def wanted(self) -> bool: ...

    def connected(self, now_ns: int) -> None: ...

    def disconnected(self) -> None: ...

    def receive_data(self, data: bytes, now_ns: int) -> None: ...

    def data_to_send(self, now_ns: int) -> bytes: ...

    def next_deadline(self) -> int: ...

    def take_events(self) -> list[str]: ...


class SideChannel:
    """One dialogue's connection, made when it is wanted."""

    def __init__(
        self,
        address: tuple[str, int],
        dialogue: Dialogue,
        selector: selectors.BaseSelector,
        feed: str,
    ) -> None:
        self.address = address
        self.dialogue = dialogue
        self.connected = False
        self._selector = selector
        self._feed = feed
        self._socket: socket.socket | None = None
        self._backoff = Backoff()
        self._not_before = 0
        self._give_up_at = 0
        self._connected_at = 0
        self._outbound = bytearray()

    def turn(self, now: int) -> bool:
        """Connect, send or give up, as due. True: the dialogue received something."""
        heard = False
        if self._socket is None:
            if now >= self._not_before and self.dialogue.wanted:
                self._connect(now)
        elif not self.connected:
            self._finish_connecting(now)
        if self.connected:
            heard = self._read(now)
        if self.connected:
            self._write(now)
        return heard

    def next_deadline(self, now: int) -> int:
        """When `turn` is to be called at the latest."""
        if self.connected:
            return self.dialogue.next_deadline()
        if self._socket is not None:
            return self._give_up_at
        return max(self._not_before, now + LOOK)

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._selector.unregister(self._socket)
            self._socket.close()
            self._socket = None
        if self.connected:
            self.connected = False
            self.dialogue.disconnected()

    def _connect(self, now: int) -> None:
        opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        opened.setblocking(False)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = opened
        self._give_up_at = now + CONNECT_TIMEOUT
        self._selector.register(opened, selectors.EVENT_WRITE, self)
        reason = opened.connect_ex(self.address)
        if reason not in (0, errno.EINPROGRESS):
            self._lose(now, _words(reason))

    def _finish_connecting(self, now: int) -> None:
        assert self._socket is not None
        reason = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if reason:
            self._lose(now, _words(reason))
            return
        try:
            self._socket.getpeername()
        except OSError:
            if now >= self._give_up_at:
                self._lose(now, "no answer")
            return
        self.connected = True
        self._connected_at = now
        self._outbound.clear()
        self._selector.modify(self._socket, selectors.EVENT_READ, self)
        self.dialogue.connected(now)

    def _read(self, now: int) -> bool:
        heard = False
        for _ in range(MOST_READS):
            assert self._socket is not None
            try:
                data = self._socket.recv(CHUNK)
            except BlockingIOError:
                break
            except OSError as error:
                self._lose(now, str(error))
                return heard
            if not data:
                self._lose(now, "closed by the other end")
                return heard
            heard = True
            self.dialogue.receive_data(data, now)
            if self.dialogue.should_close:
                break
        return heard

    def _write(self, now: int) -> None:
        assert self._socket is not None
        self._outbound += self.dialogue.data_to_send(now)
        try:
            while self._outbound:
                del self._outbound[: self._socket.send(self._outbound)]
        except BlockingIOError:
            pass
        except OSError as error:
            self._lose(now, str(error))
            return
        if self.dialogue.should_close or len(self._outbound) > MOST_OUTBOUND:
            self._lose(now, "")
            return
        writes = selectors.EVENT_WRITE if self._outbound else 0
        if self._selector.get_key(self._socket).events != selectors.EVENT_READ | writes:
            self._selector.modify(self._socket, selectors.EVENT_READ | writes, self)

    def _lose(self, now: int, reason: str) -> None:
        lasted = (now - self._connected_at) / SECOND if self.connected else 0.0
        wait = self._backoff.after(lasted, useful=self.connected and self.dialogue.useful)
        if self.dialogue.refused:
            wait = REFUSED_WAIT * random.uniform(0.5, 1.0)
        self._not_before = now + int(wait * SECOND)
        reason = "; ".join([*self.dialogue.take_events(), *filter(None, [reason])])
        self.close()
        log.info(
            f"{self.dialogue.name} disconnected",
            feed=self._feed,
            address=f"{self.address[0]}:{self.address[1]}",
            reason=reason,
            retry_in=round(wait, 2),
        )


class SideChannels:
    """All side channels of a feed."""

    def __init__(self, feed: str, dialogues: Sequence[tuple[tuple[str, int], Dialogue]]) -> None:
        self._feed = feed
        self._selector = selectors.EpollSelector()
        self.channels = [
            SideChannel(address, dialogue, self._selector, feed) for address, dialogue in dialogues
        ]

    def fileno(self) -> int:
        """Can be read when `turn` has something to do."""
        return self._selector.fileno()

    def turn(self, now: int) -> bool:
        """Do everything that is due. True: a dialogue received something, so the session may have
        changed."""
        heard = False
        for channel in self.channels:
            heard = channel.turn(now) or heard
            for event in channel.dialogue.take_events():
                log.info(f"{channel.dialogue.name}: {event}", feed=self._feed)
        return heard

    def next_deadline(self, now: int) -> int:
        """When `turn` is to be called at the latest."""
        return min(channel.next_deadline(now) for channel in self.channels)

    def close(self) -> None:
        for channel in self.channels:
            channel.close()
        self._selector.close()


def _words(reason: int) -> str:
    return errno.errorcode.get(reason, str(reason))
