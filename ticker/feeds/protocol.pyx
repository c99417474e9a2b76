"""The base of all protocol decoders, and one that only keeps what it is given."""

from libc.stdint cimport int64_t, uint8_t

from ticker.feeds.market.market cimport Market

from ticker.units import MAX_PRICE


cdef class Protocol:
    """Ignores every message; real decoders override `message` (protocol.pxd).

    A subclass names its usual session (`session = "moldudp64"` in the class body), and, where its
    messages cannot say more, the greatest price of a trade (`max_price`, 1e-9 units).

    Args:
        market: what the messages are about; a decoder that keeps no market takes None.
        midnight_ns: of the session's date, for protocols that send times of day (day.py).
    """

    session = ""
    max_price = MAX_PRICE

    def __init__(self, Market market = None, *, midnight_ns: int = 0) -> None:
        self.market = market
        self.midnight_ns = midnight_ns
        if market is not None:
            market.rows.midnight = midnight_ns

    cdef void message(self, const uint8_t* data, size_t length, int64_t receive_time) noexcept nogil:
        pass

    cdef void announce(self, const uint8_t* data, size_t length) noexcept nogil:
        pass

    cdef void rebuild(self, const uint8_t* data, size_t length, int64_t receive_time) noexcept nogil:
        pass

    cdef void restart(self) noexcept nogil:
        pass

    @property
    def broken(self) -> bool:
        """What makes the books is lost: only a new connection brings it again."""
        return False

    def connected(self) -> None:
        """A new connection: nothing of an earlier one will come any more."""

    def asked_for(self, symbol: str) -> None:
        """The next messages are the answer to a request for this symbol."""

    def begin_session(self) -> None:
        """The session's first message is next: `restart` from Python."""
        self.restart()

    def begin_day(self, midnight_ns: int) -> None:
        """The calendar has come to another day, which starts at `midnight_ns`: totals start over,
        books go on."""
        self.midnight_ns = midnight_ns
        if self.market is not None:
            self.market.start_day(midnight_ns)

    def decode(self, message: bytes, receive_time: int = 0) -> None:
        """One message from Python; it shows at the market's next flush."""
        cdef const uint8_t* data = message
        self.message(data, len(message), receive_time)

    def expect(self, message: bytes) -> None:
        """`announce` from Python."""
        cdef const uint8_t* data = message
        self.announce(data, len(message))


cdef class MessageLog(Protocol):
    """Keeps every message as bytes, in order: to look into a capture, and to test sessions."""

    cdef readonly list messages

    def __init__(self) -> None:
        self.messages = []

    cdef void message(self, const uint8_t* data, size_t length, int64_t receive_time) noexcept nogil:
        with gil:
            self.messages.append(data[:length])
