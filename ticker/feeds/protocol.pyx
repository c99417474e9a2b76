"""The base of all protocol decoders, and one that only keeps what it is given."""

from libc.stdint cimport int64_t, uint8_t

from ticker.feeds.market.market cimport Market

from ticker.units import MAX_PRICE


cdef int64_t HALF_DAY = 43_200_000_000_000
cdef int64_t EARLY = 3_600_000_000_000    # what comes is never so far ahead
cdef int64_t MINUTE = 60_000_000_000


cdef class Protocol:
    """Ignores every message; real decoders override `message` (protocol.pxd).

    A subclass names its usual session (`session = "moldudp64"` in the class body), and, where its
    messages cannot say more, the greatest price of a trade (`max_price`, 1e-9 units). With
    `times_of_day = True` its messages say times of day, which count from a midnight. With
    `marks_trades = False` they do not say of each trade whether it is an odd lot, or of extended
    hours: the venue's hours and the symbol's round lot do.

    Args:
        market: what the messages are about; a decoder that keeps no market takes None.
        midnight_ns: of the session's date, for protocols that send times of day (day.py).
    """

    session = ""
    max_price = MAX_PRICE
    times_of_day = False
    marks_trades = True
    has_images = False

    def __cinit__(self, *_: object, **__: object) -> None:
        self.origin = &self.nowhere

    def __init__(self, Market market = None, *, midnight_ns: int = 0) -> None:
        self.market = market
        if market is not None:
            self.origin = &market.sales.origin
        self.midnight_ns = midnight_ns
        if market is not None:
            market.begin_at(midnight_ns)

    cdef void message(self, const uint8_t* data, size_t length, int64_t receive_time) noexcept nogil:
        pass

    cdef void announce(self, const uint8_t* data, size_t length) noexcept nogil:
        pass

    cdef void rebuild(self, const uint8_t* data, size_t length, int64_t receive_time) noexcept nogil:
        pass

    cdef void restart(self) noexcept nogil:
        pass

    cdef void begin(self) noexcept nogil:
        if self.next_midnight_ns and self.market.rows.midnight >= self.next_midnight_ns:
            self.turn_day()
        if self.market is not None:
            self.market.takeover.note_session()
        self.restart()

    cdef void turn_day(self) noexcept nogil:
        """From now on times of day count from the next midnight."""
        if not self.next_midnight_ns:
            return
        self.last_midnight_ns = self.midnight_ns
        self.midnight_ns = self.next_midnight_ns
        self.next_midnight_ns = 0
        self.market.start_day(self.midnight_ns)

    cdef int64_t near_midnight(self, int64_t elapsed, int64_t receive_time) noexcept nogil:
        """A small time of day is of the day that begins, unless that is in the future still; a
        large one that would be is of the day before."""
        cdef int64_t latest = receive_time + EARLY
        if elapsed < HALF_DAY:
            if self.next_midnight_ns and self.next_midnight_ns + elapsed <= latest:
                self.turn_day()
        elif self.last_midnight_ns and self.midnight_ns + elapsed > latest:
            return self.last_midnight_ns + elapsed
        return self.midnight_ns + elapsed

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

    def expect_day(self, midnight_ns: int) -> None:
        """The calendar is about to come to another day. Where messages have times of day, their
        first small one, or a new session, says that the session has come to it."""
        if self.times_of_day and midnight_ns > self.midnight_ns:
            self.next_midnight_ns = midnight_ns
            # While a session is computed again, messages of its whole day come.
            self.turning = self.market.publisher.publishing

    def begin_day(self, midnight_ns: int) -> None:
        """The calendar has come to another day, which starts at `midnight_ns`: totals start over,
        books go on."""
        self.expect_day(midnight_ns)
        if not self.times_of_day:
            self.midnight_ns = midnight_ns
        self.market.start_day(midnight_ns)

    def settle(self, now_ns: int) -> bool:
        """Some time after midnight: whether all times of day are of one day again. A session that
        said nothing for a minute has come to the calendar's day without a word."""
        if self.next_midnight_ns and self.market.rows.midnight >= self.next_midnight_ns:
            if now_ns - self.market.rows.received > MINUTE:
                self.turn_day()
        if not self.next_midnight_ns and now_ns > self.midnight_ns + EARLY:
            self.turning = False
        return not self.turning and not self.next_midnight_ns

    def image_state(self) -> bytes | None:
        """What the decoder itself knows, beside its market; None: it cannot say it now."""
        return None

    def restore_image(self, state: bytes) -> None:
        """Know what another process's decoder of this class said. Raises FeedError."""

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
