"""Times written as text, to ns since the epoch. See times.pyx."""

from libc.stdint cimport int32_t, int64_t

cdef enum TimeFound:
    NO_TIME = 0
    TIME_FOUND
    NO_OFFSET                    # a time of day somewhere: it has no offset, and no zone is given

# One change of a zone's offset.
cdef struct Shift:
    int64_t wall                 # s since the epoch, by the zone's clock: from here on `after`
    int32_t after                # s east of UTC

cdef struct Zone:
    Shift* shifts                # ascending
    int32_t count
    int32_t first                # s east of UTC before the first of them


cdef class TimeZone:
    cdef Zone zone
    cdef readonly str name


# Each: what the text is; `out` is as it was unless it is a time. `zone` is that of a time without
# an offset, NULL: none is known.
cdef TimeFound read_iso(
    const char* text, size_t length, const Zone* zone, int64_t* out
) noexcept nogil
cdef TimeFound read_pattern(
    const char* pattern, const char* text, size_t length, const Zone* zone, int64_t* out
) noexcept nogil
