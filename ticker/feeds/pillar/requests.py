"""The dialogue with an NYSE XDP request server, beside the lines of a Pillar feed.

Law: no socket and no clock: bytes and times in, bytes to send out. The server's answers become
    calls of the session. A dialogue that cannot go on sets `should_close`; its owner closes the
    connection and connects again later.

    client                              server
                                <-      heartbeat, every now and then
    Heartbeat Response          ->
    Retransmission Request      ->
                                <-      Request Response; the messages come on the lines for
                                        retransmissions

There is no login: each request names its source. Each message is alone in a packet of its own, with
the header of the lines (sessions/xdp.pyx); the sequence of a request is its number on this
connection. Source: NYSE XDP Common 2.3c.
"""

from __future__ import annotations

import struct
from typing import Protocol

HEADER = struct.Struct("<HBBIII")
REQUEST = struct.Struct("<HHII10sBB")
RESPONSE = struct.Struct("<HHIII10sBBc")
HEARTBEAT_RESPONSE = struct.Struct("<HH10s")
ASKED = struct.Struct("<BII")
"""A request as the session has it: channel of the feed, first and last number."""

TYPE_REQUEST = 10
TYPE_RESPONSE = 11
TYPE_HEARTBEAT_RESPONSE = 12
FLAG_HEARTBEAT = 1
FLAG_ORIGINAL = 11

ACCEPTED = "0"
TOO_MANY = "3"
"""The request asks for more messages than the server sends for one."""
NEVER = (1 << 63) - 1
SILENCE = 5_000_000_000
"""ns without a byte after a request until the connection is closed."""


def packet(message: bytes, number: int = 0, flag: int = FLAG_ORIGINAL) -> bytes:
    """A message, or none, in a packet."""
    return (
        HEADER.pack(HEADER.size + len(message), flag, 1 if message else 0, number, 0, 0) + message
    )


class Channels(Protocol):
    """The session that the dialogue serves, which is sessions/xdp.pyx."""

    def set_reachable(self, reachable: bool) -> None: ...
    def request_response(
        self, channel: int, begin: int, end: int, status: str, now_ns: int
    ) -> None: ...


class RequestServer:
    """Requests the messages that the session misses.

    Args:
        source: the name that the venue gave, at most 10 characters.
        product: of the venue.
        channels: the venue's number of each channel of the feed, in the feed's order.
    """

    name = "request server"
    wanted = True
    refused = False

    def __init__(
        self, session: Channels, source: str, product: int, channels: tuple[int, ...]
    ) -> None:
        self.session = session
        self.source = source.encode("ascii").ljust(10, b"\0")
        self.product = product
        self.channels = channels
        self.should_close = False
        self.useful = False
        self._open = False
        self._asked = 0
        self._has_asked = False
        self._waits_until = NEVER
        self._held = bytearray()
        self._outbound: list[bytes] = []
        self._events: list[str] = []

    def connected(self, now_ns: int) -> None:  # noqa: ARG002
        """Begin on a new connection."""
        self._open = True
        self.should_close = self.useful = False
        self._asked = 0
        self._has_asked = False
        self._waits_until = NEVER
        self._held.clear()
        self._outbound = []
        self._events.append("connected")
        self.session.set_reachable(True)

    def disconnected(self) -> None:
        """Note that the connection is gone."""
        self._open = False
        self.should_close = False
        self._outbound = []
        self.session.set_reachable(False)

    def ask(self, requests: list[bytes]) -> None:
        """Send requests, from the session's `data_to_send`."""
        for request in requests if self._open else ():
            channel, begin, end = ASKED.unpack(request)
            self._asked += 1
            self._has_asked = True
            message = REQUEST.pack(
                REQUEST.size,
                TYPE_REQUEST,
                begin,
                end,
                self.source,
                self.product,
                self.channels[channel],
            )
            self._outbound.append(packet(message, self._asked))

    def receive_data(self, data: bytes, now_ns: int) -> None:
        """Take any piece of the server's stream."""
        self._waits_until = NEVER
        self._held += data
        while len(self._held) >= HEADER.size and not self.should_close:
            size, flag, count, _, _, _ = HEADER.unpack_from(self._held)
            if size < HEADER.size:
                self._end(f"not understood: a packet of {size} bytes")
                return
            if len(self._held) < size:
                return
            content = bytes(self._held[HEADER.size : size])
            del self._held[:size]
            if flag == FLAG_HEARTBEAT:
                self._outbound.append(
                    packet(
                        HEARTBEAT_RESPONSE.pack(
                            HEARTBEAT_RESPONSE.size, TYPE_HEARTBEAT_RESPONSE, self.source
                        )
                    )
                )
            elif count:
                self._message(content, now_ns)

    def data_to_send(self, now_ns: int) -> bytes:
        """The bytes to send now; they count as sent."""
        if now_ns >= self._waits_until:
            self._end(f"silent for {SILENCE // 1_000_000_000} s")
        data = b"".join(self._outbound)
        self._outbound = []
        if self._has_asked:
            self._has_asked = False
            self._waits_until = min(self._waits_until, now_ns + SILENCE)
        return data

    def next_deadline(self) -> int:
        """When `data_to_send` must be called next, at the latest."""
        return self._waits_until

    def take_events(self) -> list[str]:
        """The events since the last call, in words."""
        events, self._events = self._events, []
        return events

    def _message(self, message: bytes, now_ns: int) -> None:
        if len(message) < RESPONSE.size:
            return
        _, kind, _, begin, end, _, product, channel, status = RESPONSE.unpack_from(message)
        if kind != TYPE_RESPONSE or product != self.product or channel not in self.channels:
            return
        text = status.decode("latin-1")
        if text == ACCEPTED:
            self.useful = True
        else:
            self._events.append(f"refuses {begin} to {end} of channel {channel} ({text})")
        self.session.request_response(self.channels.index(channel), begin, end, text, now_ns)

    def _end(self, reason: str) -> None:
        self._events.append(reason)
        self.should_close = True
        self.session.set_reachable(False)
