"""When a price was told, and its figures in JSON: null where there is none."""

from libc.stdint cimport int64_t, uint64_t

from ticker.jsontext cimport put_text
from ticker.shm.layout cimport (
    ROW_HAS_EXTENDED,
    ROW_HAS_HIGH_LOW,
    ROW_HAS_LAST,
    ROW_HAS_OFFICIAL_CLOSE,
    ROW_HAS_OPEN,
    ROW_HAS_PREVIOUS_CLOSE,
    Values,
)
from ticker.units cimport write_price, write_size, write_timestamp


cdef inline int put_price(char* out, int at, const char* name, int64_t price, bint there) noexcept nogil:
    at = put_text(out, at, name)
    return at + write_price(out + at, price) if there else put_text(out, at, b"null")


cdef inline int put_size(
    char* out, int at, const char* name, uint64_t size, uint64_t exponent, bint there
) noexcept nogil:
    at = put_text(out, at, name)
    return at + write_size(out + at, size, exponent) if there else put_text(out, at, b"null")


cdef inline int put_time(char* out, int at, const char* name, int64_t time) noexcept nogil:
    at = put_text(out, at, name)
    if not time:
        return put_text(out, at, b"null")
    at = put_text(out, at, b'"')
    at += write_timestamp(out + at, time)
    return put_text(out, at, b'"')


cdef inline int put_day(char* out, int at, const Values* values) noexcept nogil:
    cdef bint range_there = values.flags & ROW_HAS_HIGH_LOW != 0
    at = put_price(out, at, b',"open":', values.open, values.flags & ROW_HAS_OPEN != 0)
    at = put_price(out, at, b',"high":', values.high, range_there)
    at = put_price(out, at, b',"low":', values.low, range_there)
    at = put_price(
        out, at, b',"official_close":', values.official_close,
        values.flags & ROW_HAS_OFFICIAL_CLOSE != 0,
    )
    at = put_price(
        out, at, b',"previous_close":', values.previous_close,
        values.flags & ROW_HAS_PREVIOUS_CLOSE != 0,
    )
    at = put_price(
        out, at, b',"extended_price":', values.extended_price, values.flags & ROW_HAS_EXTENDED != 0
    )
    return put_time(out, at, b',"extended_timestamp":', values.extended_time)


cdef inline int64_t corrected_time(const Values* values) noexcept nogil:
    """When a trade was taken back or corrected last, 0: never. No venue's clock takes it beyond
    the moment in which it was said here."""
    return min(values.correction_time, values.publish_time)


cdef inline int64_t told_time(const Values* values) noexcept nogil:
    """The time that a price is told with: of the last sale; of the taking back, if none is left;
    of the last trade outside of regular hours, if there was no other. 0: there was none."""
    if values.flags & ROW_HAS_LAST:
        return values.exchange_time
    return corrected_time(values) or values.extended_time


cdef inline bint has_traded(const Values* values) noexcept nogil:
    """Whether there is anything to tell: a price, one that was taken back, or one of extended
    hours."""
    return values.flags & ROW_HAS_LAST != 0 or told_time(values) != 0
