"""Dialogues with Cboe's gap request proxy and spin servers, beside the lines of a feed.

Law: no socket and no clock: bytes and times in, bytes to send out. The other end's messages become
    calls of the session. A dialogue that cannot go on sets `should_close`; its owner closes the
    connection and connects again later.

    client                              server
    Login                       ->
                                <-      Login Response: A, or the end
    Gap Request                 ->
                                <-      Gap Response; the messages come on the gap line
                                <-      Spin Image Available, every second
    Spin Request                ->
                                <-      Spin Response, the image's messages, Spin Finished

Both send a heartbeat after a second of saying nothing. A spin server serves one unit.
Source: Cboe US Equities Multicast PITCH 2.41, sections on the gap request proxy and spin.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from ticker.errors import FeedError
from ticker.feeds.cboe.frames import (
    GAP_RESPONSE,
    LOGIN,
    LOGIN_RESPONSE,
    SPIN,
    SPIN_RESPONSE,
    TYPE_GAP_RESPONSE,
    TYPE_LOGIN,
    TYPE_LOGIN_RESPONSE,
    TYPE_SPIN_FINISHED,
    TYPE_SPIN_IMAGE_AVAILABLE,
    TYPE_SPIN_REQUEST,
    TYPE_SPIN_RESPONSE,
    FrameReader,
    frame,
)

SECOND = 1_000_000_000
HEARTBEAT = SECOND
SILENCE = 5 * SECOND
"""ns without a byte until the connection is closed."""
MOST_IMAGE = 64 << 20
"""Bytes of an image; a longer one is given up."""
HALF_ROUND = 1 << 31

ADD_ORDERS = (0x21, 0x22, 0x2F)
REFUSALS = {"N": "not authorized", "B": "session in use", "S": "invalid session"}


@dataclass(frozen=True, kw_only=True)
class Account:
    """The account of a login; the values are padded with spaces to 4, 4 and 10 bytes."""

    session_sub_id: str = ""
    username: str = ""
    password: str = ""

    def login(self) -> bytes:
        """The Login message."""
        sub_id, username, password = (
            text.encode("ascii").ljust(length)
            for text, length in (
                (self.session_sub_id, 4),
                (self.username, 4),
                (self.password, 10),
            )
        )
        return LOGIN.pack(LOGIN.size, TYPE_LOGIN, sub_id, username, b"  ", password)


class Phase(Enum):
    """The progress of a dialogue."""

    DISCONNECTED = 0
    LOGGING_IN = 1
    LOGGED_IN = 2


class Units(Protocol):
    """The session that a dialogue serves, which is sessions/cboe_unit.pyx."""

    def set_reachable(self, reachable: bool) -> None: ...
    def gap_response(
        self, unit: int, sequence: int, messages: int, status: str, now_ns: int
    ) -> None: ...
    def wants_image(self, unit: int) -> int | None: ...
    def apply_image(self, unit: int, sequence: int, messages: bytes, now_ns: int) -> bool: ...


class Dialogue:
    """Login, heartbeats and silence; `name` is for the log."""

    name = "dialogue"

    def __init__(self, session: Units, account: Account) -> None:
        self.session = session
        self.account = account
        self.phase = Phase.DISCONNECTED
        self.should_close = False
        self.refused = False
        """The account was refused: do not try again at once."""
        self.useful = False
        """Something of use came over this connection, or the last one: no bytes, no login, but
        an answer to what was asked."""
        self._reader = FrameReader()
        self._outbound: list[bytes] = []
        self._events: list[str] = []
        self._heard = 0
        self._said = 0

    @property
    def wanted(self) -> bool:
        """Whether a connection is needed."""
        return True

    def connected(self, now_ns: int) -> None:
        """Begin on a new connection."""
        self.phase = Phase.LOGGING_IN
        self.should_close = self.refused = self.useful = False
        self._reader = FrameReader()
        self._heard = self._said = now_ns
        self._outbound = [frame(self.account.login())]

    def disconnected(self) -> None:
        """Note that the connection is gone."""
        self.phase = Phase.DISCONNECTED
        self.should_close = False
        self._outbound = []

    def receive_data(self, data: bytes, now_ns: int) -> None:
        """Take any piece of the server's stream."""
        self._heard = now_ns
        try:
            for messages in self._reader.receive_data(data):
                for message in messages:
                    if not self.should_close:
                        self._message(message, now_ns)
        except FeedError as error:
            self._end(f"not understood: {error}")

    def data_to_send(self, now_ns: int) -> bytes:
        """The bytes to send now; they count as sent."""
        if self.phase is Phase.DISCONNECTED:
            return b""
        if now_ns - self._heard >= SILENCE:
            self._end(f"silent for {SILENCE // SECOND} s")
        if not self._outbound and now_ns - self._said >= HEARTBEAT:
            self._outbound.append(frame())
        if not self._outbound:
            return b""
        data = b"".join(self._outbound)
        self._outbound = []
        self._said = now_ns
        return data

    def next_deadline(self) -> int:
        """When `data_to_send` must be called next, at the latest."""
        return min(self._said + HEARTBEAT, self._heard + SILENCE)

    def take_events(self) -> list[str]:
        """The events since the last call, in words."""
        events, self._events = self._events, []
        return events

    def _end(self, reason: str) -> None:
        self._events.append(reason)
        self.should_close = True

    def _message(self, message: bytes, now_ns: int) -> None:
        if message[1] == TYPE_LOGIN_RESPONSE and len(message) >= LOGIN_RESPONSE.size:
            self._login_response(message, now_ns)
        elif self.phase is Phase.LOGGED_IN:
            self._say_more(message, now_ns)

    def _login_response(self, message: bytes, now_ns: int) -> None:
        status = message[2:3].decode("latin-1")
        if status == "A":
            self.phase = Phase.LOGGED_IN
            self._events.append("logged in")
            self._logged_in(now_ns)
        else:
            self.refused = True
            self._end(f"login refused: {REFUSALS.get(status, status)}")

    def _logged_in(self, now_ns: int) -> None:
        """The login was accepted."""

    def _say_more(self, message: bytes, now_ns: int) -> None:
        """Handle a message of this dialogue's own; unknown ones are ignored."""


class GapProxy(Dialogue):
    """Requests the messages that the session misses. The session knows whether a login is valid."""

    name = "gap proxy"

    def disconnected(self) -> None:
        super().disconnected()
        self.session.set_reachable(False)

    def ask(self, requests: list[bytes]) -> None:
        """Send framed Gap Requests, from the session's `data_to_send`."""
        if self.phase is Phase.LOGGED_IN:
            self._outbound += requests

    def _logged_in(self, now_ns: int) -> None:  # noqa: ARG002
        self.session.set_reachable(True)

    def _end(self, reason: str) -> None:
        super()._end(reason)
        self.session.set_reachable(False)

    def _say_more(self, message: bytes, now_ns: int) -> None:
        if message[1] != TYPE_GAP_RESPONSE or len(message) < GAP_RESPONSE.size:
            return
        _, _, unit, sequence, count, status = GAP_RESPONSE.unpack_from(message)
        text = status.decode("latin-1")
        if text == "A":
            self.useful = True
        else:
            self._events.append(f"refuses {count} messages of unit {unit} ({text})")
        self.session.gap_response(unit, sequence, count, text, now_ns)


class Spin(Dialogue):
    """Gets an image of one unit whenever the session wants one."""

    name = "spin"

    def __init__(self, session: Units, account: Account, unit: int) -> None:
        super().__init__(session, account)
        self.unit = unit
        self.name = f"spin of unit {unit}"
        self._asked: int | None = None
        self._orders: int | None = None
        self._image: list[bytes] = []
        self._size = 0

    @property
    def wanted(self) -> bool:
        return self.session.wants_image(self.unit) is not None

    def connected(self, now_ns: int) -> None:
        super().connected(now_ns)
        self._forget()

    def _forget(self) -> None:
        self._asked = self._orders = None
        self._image = []
        self._size = 0

    def _say_more(self, message: bytes, now_ns: int) -> None:
        kind = message[1]
        if kind == TYPE_SPIN_IMAGE_AVAILABLE and len(message) >= SPIN.size:
            self._available(SPIN.unpack_from(message)[2])
        elif kind == TYPE_SPIN_RESPONSE and len(message) >= SPIN_RESPONSE.size:
            _, _, _, orders, status = SPIN_RESPONSE.unpack_from(message)
            self._response(orders, status)
        elif kind == TYPE_SPIN_FINISHED:
            self._finished(now_ns)
        elif self._orders is not None:
            self._image.append(message)
            self._size += len(message)
            if self._size > MOST_IMAGE:
                self._end(f"an image of more than {MOST_IMAGE} bytes")

    def _available(self, sequence: int) -> None:
        """Request the announced image, if it reaches the messages kept of the lines."""
        needed = self.session.wants_image(self.unit)
        if needed is None:
            self._end("no image wanted any more")
        elif self._asked is None and (not needed or (sequence - needed) % (1 << 32) < HALF_ROUND):
            self._asked = sequence
            self._outbound.append(frame(SPIN.pack(SPIN.size, TYPE_SPIN_REQUEST, sequence)))

    def _response(self, orders: int, status: bytes) -> None:
        if status == b"A" and self._asked is not None:
            self._orders = orders
        elif status != b"S":
            # out of range: a later image is announced within a second
            self._forget()

    def _finished(self, now_ns: int) -> None:
        sequence, orders, image = self._asked, self._orders, self._image
        self._forget()
        if sequence is None or orders is None:
            return
        found = sum(message[1] in ADD_ORDERS for message in image)
        if found != orders:
            self._events.append(f"an image of {found} orders where {orders} were announced")
        elif self.session.apply_image(self.unit, sequence, b"".join(image), now_ns):
            self.useful = True
            self._end(f"image of {orders} orders after sequence {sequence}")
