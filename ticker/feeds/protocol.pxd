"""What every protocol decoder is to its session: one message at a time, bytes in, calls out."""

from libc.stdint cimport int64_t, uint8_t

from ticker.feeds.market.market cimport Market
from ticker.shm.lineage.origin cimport Origin


cdef class Protocol:
    """Decodes the messages of one exchange protocol into calls on a Market.

    A subclass lives in ticker/feeds/protocols/<name>.pyx and is found by that name.
    """

    cdef Market market
    # Where a session says which message it passes on; the market's, if there is one.
    cdef Origin* origin
    cdef Origin nowhere
    # Midnight that the session's times of day count from, ns since the epoch.
    cdef public int64_t midnight_ns
    # The next one, once it is near or past and the session's times do not count from it yet, 0:
    # none; and the one before.
    cdef readonly int64_t next_midnight_ns
    cdef int64_t last_midnight_ns
    # Messages of two days may come now: each says by its time of day which it is of.
    cdef bint turning
    # Which of the feed's streams the next messages are of, where it has several (Cboe: unit).
    cdef public int unit

    cdef void message(self, const uint8_t* data, size_t length, int64_t receive_time) noexcept nogil
    # A hint that this message will come soon: prefetch what it will touch. May do nothing.
    cdef void announce(self, const uint8_t* data, size_t length) noexcept nogil
    # A message that came before, once more, for the book alone: its trades were counted then.
    cdef void rebuild(self, const uint8_t* data, size_t length, int64_t receive_time) noexcept nogil
    # A new session of the feed begins: orders and trades of the old one mean nothing in it.
    cdef void restart(self) noexcept nogil

    # What a session calls at its first message: the day that the calendar has come to, `restart`.
    cdef void begin(self) noexcept nogil
    cdef void turn_day(self) noexcept nogil
    cdef int64_t near_midnight(self, int64_t elapsed, int64_t receive_time) noexcept nogil


cdef inline int64_t time_of_day(
    Protocol protocol, int64_t elapsed, int64_t receive_time
) noexcept nogil:
    """The time of a message that says how many ns have elapsed since its midnight."""
    if protocol.turning:
        return protocol.near_midnight(elapsed, receive_time)
    return protocol.midnight_ns + elapsed
