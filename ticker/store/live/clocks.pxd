"""The clock and the days of a feed, and with them the time of a bar."""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t

from ticker.shm.layout cimport Values
from ticker.shm.table cimport PriceTable

cdef extern from *:
    """
    #define TICKER_DAY 86400000000000LL
    #define TICKER_SHORT_DAY (22 * 3600000000000LL)
    #define TICKER_LONG_DAY (26 * 3600000000000LL)
    #define TICKER_SECOND 1000000000LL
    """
    const int64_t DAY "TICKER_DAY"
    const int64_t SECOND "TICKER_SECOND"
    const int64_t SHORT_DAY "TICKER_SHORT_DAY"  # a day of 23 hours, less one
    const int64_t LONG_DAY "TICKER_LONG_DAY"  # a day of 25 hours, and one

cdef struct Clock:
    int64_t newest               # time of the newest trade
    int64_t steady               # when it came
    int64_t whole_from           # bars that begin before may lack trades
    int64_t midnight             # of the newest day that is known, 0: of none
    int64_t midnight_after       # when that day ends: after 23, 24 or 25 hours
    int64_t earlier              # a midnight before it, from which the days before are counted
    int64_t no_day               # time of a trade whose row told none
    uint8_t missed               # the next trade says from when on there are all


cdef inline int64_t now_of(const Clock* clock, int64_t steady) noexcept nogil:
    """The time by a feed's clock: that of its newest trade, which goes on."""
    return clock.newest + max(steady - clock.steady, <int64_t>0)


cdef inline int look_for_day(
    Clock* clock, PriceTable table, uint32_t row, int64_t time, object day_end
) except -1:
    """A trade of a row may be of a day that is new to us. `day_end(midnight)`: when that day ends."""
    cdef Values values
    if time - clock.midnight < SHORT_DAY or 0 <= time - clock.no_day < SECOND:
        return 0
    if table.read(row, &values) < 0:
        return 0
    if not values.session_start:
        clock.no_day = time  # a feed that does not tell its days is not asked for each trade
    if values.session_start > clock.midnight:
        clock.earlier = clock.midnight if clock.newest else values.session_start
        clock.midnight = values.session_start
        clock.midnight_after = day_end(clock.midnight)
    return 0


@cython.cdivision(True)
cdef inline int64_t start_of(const Clock* clock, int64_t length, int64_t time) noexcept nogil:
    """When the bar of this length begins that has this time: a day at a midnight of the feed. Days that
    nobody has told have 24 hours."""
    cdef int64_t origin = 0
    cdef int64_t passed
    if length == DAY and clock.midnight:
        if time >= clock.midnight_after:
            origin = clock.midnight_after
        elif time >= clock.midnight:
            return clock.midnight
        elif time >= clock.earlier and clock.midnight - clock.earlier < LONG_DAY:
            return clock.earlier
        else:
            origin = clock.earlier
    passed = (time - origin) % length
    return time - passed - (length if passed < 0 else 0)


cdef inline int64_t end_of(const Clock* clock, int64_t length, int64_t start) noexcept nogil:
    """When the bar of this length ends that begins then."""
    if length == DAY and start == clock.midnight and start:
        return clock.midnight_after
    return start + length
