"""What is done to a row's values (layout.pxd: Values) in more than one place: a volume of 128 bits,
and the end of a day."""

from libc.stdint cimport uint64_t

from ticker.shm.layout cimport (
    ROW_HAS,
    ROW_HAS_ASK,
    ROW_HAS_BID,
    ROW_HAS_LAST,
    ROW_HAS_OFFICIAL_CLOSE,
    ROW_HAS_PREVIOUS_CLOSE,
    ROW_HAS_REGULAR,
    Values,
)

cdef enum:
    HAS_OF_THE_DAY = ROW_HAS & ~(
        ROW_HAS_LAST | ROW_HAS_PREVIOUS_CLOSE | ROW_HAS_BID | ROW_HAS_ASK
    )


cdef inline void add_volume(Values* values, uint64_t size) noexcept nogil:
    values.volume += size
    values.volume_high += values.volume < size


cdef inline void take_volume(Values* values, uint64_t size) noexcept nogil:
    """A size that is no longer part of the volume; of what was never added nothing is taken."""
    if size > values.volume and not values.volume_high:
        values.volume = 0
        return
    values.volume_high -= size > values.volume
    values.volume -= size


cdef inline bint volume_below(const Values* one, const Values* other) noexcept nogil:
    if one.volume_high != other.volume_high:
        return one.volume_high < other.volume_high
    return one.volume < other.volume


cdef inline void end_day(Values* values, const Values* before) noexcept nogil:
    """The day of `before` is over, which may be these values themselves: its close is the previous
    one, the last sale stays, and the figures of the day begin anew."""
    cdef uint64_t has = ROW_HAS_PREVIOUS_CLOSE
    if before.flags & ROW_HAS_OFFICIAL_CLOSE:
        values.previous_close = before.official_close
    elif before.flags & ROW_HAS_REGULAR:
        values.previous_close = before.regular_price
    else:
        has = 0
    values.flags = (values.flags & ~<uint64_t>HAS_OF_THE_DAY) | has
    values.open = values.high = values.low = values.open_time = 0
    values.volume = values.volume_high = values.trades = 0
    values.extended_price = values.extended_time = 0
    values.official_open = values.official_close = values.official_close_time = 0
    values.regular_price = 0
