"""The jump rule: which trades far from the last sale wait, and for what. See jumps.pyx."""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from ticker.feeds.market.publisher cimport Publisher
from ticker.shm.layout cimport Reject, Values
from ticker.shm.rejects cimport RejectWriter


cdef enum Verdict:
    REFUSED = 0                  # or held: the trade does not count now
    ACCEPTED
    SETTLED                      # it counts with some that were held: all are in Jumps.settled

cdef enum:
    HELD_MOST = 2                # the third trade in a row outside the band counts

# A trade that waits; it is in no log yet.
cdef struct Held:
    int64_t price
    uint64_t size
    uint64_t match
    int64_t exchange_time
    int64_t receive_time
    int64_t good                 # the price that it jumped from
    uint32_t flags

cdef struct Slot:
    Held[HELD_MOST] trades       # in the order in which they came
    uint32_t count
    uint32_t place               # in Jumps.holding


cdef inline uint64_t apart(int64_t one, int64_t other) noexcept nogil:
    """The distance of any two numbers."""
    if one > other:
        return <uint64_t>one - <uint64_t>other
    return <uint64_t>other - <uint64_t>one


cdef inline int64_t minus(int64_t one, int64_t other) noexcept nogil:
    """The difference of two times that any bytes may have made."""
    return <int64_t>(<uint64_t>one - <uint64_t>other)


@cython.final
cdef class Jumps:
    cdef Publisher publisher
    cdef RejectWriter rejects
    cdef uint64_t* counters
    cdef Slot* slots             # per instrument
    cdef uint32_t* holding       # the instruments that hold trades
    cdef uint32_t held_count
    cdef Held[HELD_MOST + 1] settled   # what the last verdict counts, by exchange time
    cdef int settled_count
    cdef bint banded
    cdef int band_shift          # a move of less than price >> band_shift is inside the band
    cdef uint64_t band           # parts per million
    cdef uint64_t band_growth    # ... per second
    cdef uint64_t band_most
    cdef int64_t band_floor
    cdef int64_t hold            # 0: until the session ends

    cdef int _set_rules(self, object rules) except -1
    # A Verdict on a trade that may be outside the band, or comes while others are held. `again`:
    # it was held before.
    cdef int judge(
        self, uint32_t instrument, Reject* trade, uint32_t flags, bint again
    ) noexcept nogil
    # Take what is held out, to be judged again: how many they are. `show` comes after that.
    cdef uint32_t take(self, uint32_t instrument, Held* out) noexcept nogil
    # Take the held trade of this number out (instrument -1: of any); its instrument, -1: none.
    cdef int32_t drop(self, int32_t instrument, uint64_t match, Held* out) noexcept nogil
    # Bring the row's flags in line with what is held.
    cdef void show(self, uint32_t instrument) noexcept nogil
    # Refuse what has been held for longer than `hold`.
    cdef void expire(self, int64_t now_ns) noexcept nogil
    # A new session: refuse all that is held.
    cdef void forget(self) noexcept nogil

    cdef int _settle(
        self, uint32_t instrument, uint32_t which, Reject* trade, uint32_t flags, bint again
    ) noexcept nogil
    cdef void _put(self, const Held* trade) noexcept nogil
    cdef bint _inside(
        self, const Values* values, const Reject* trade, int64_t* good
    ) noexcept nogil
    cdef bint _vouched(self, const Values* values, int64_t good, int64_t price) noexcept nogil
    cdef bint _quoted(self, const Values* values, int64_t price) noexcept nogil
    cdef uint32_t _agreeing(self, const Slot* slot, const Reject* trade) noexcept nogil
    cdef uint32_t _leading(self, const Slot* slot, const Reject* trade) noexcept nogil
    cdef uint64_t _share(self, int64_t since) noexcept nogil
    cdef bint _within(self, int64_t good, uint64_t share, int64_t price) noexcept nogil
    cdef void _hold(
        self, uint32_t instrument, Reject* trade, uint32_t flags, int64_t good, bint again
    ) noexcept nogil
    cdef bint _make_room(self, uint32_t instrument, int64_t by) noexcept nogil
    cdef void _refuse(self, uint32_t instrument, const Held* held, int64_t by) noexcept nogil
    cdef void _refute_all(self, uint32_t instrument, int64_t by) noexcept nogil
    cdef void _remove(self, uint32_t instrument, uint32_t index) noexcept nogil
    cdef void _empty(self, uint32_t instrument) noexcept nogil
