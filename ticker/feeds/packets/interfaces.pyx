"""The interfaces of a capture file: their link types, and what their time stamps count.

Source: draft-ietf-opsawg-pcapng, section 4.2.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint64_t

from ticker.endian cimport be64, le64

cdef enum:
    OPTION_RESOLUTION = 9
    OPTION_OFFSET = 14

cdef uint64_t SECOND = 1000000000


cdef void describe(
    Interface* interface, const uint8_t* block, size_t length, bint big_endian
) noexcept nogil:
    """What an interface description block (20 bytes or more) says of its interface."""
    cdef size_t at = 16
    cdef size_t size
    cdef uint16_t option
    cdef uint8_t power
    interface.link_type = u16(block + 8, big_endian)
    interface.most = u32(block + 12, big_endian)
    interface.ticks = 1000000
    interface.offset_ns = 0
    while at + 4 <= length - 4:
        option = u16(block + at, big_endian)
        size = u16(block + at + 2, big_endian)
        if option == 0 or at + 4 + size > length - 4:
            return
        if option == OPTION_RESOLUTION and size >= 1:
            power = block[at + 4]
            interface.ticks = power_of(2, power & 0x7F) if power & 0x80 else power_of(10, power)
        elif option == OPTION_OFFSET and size >= 8:
            interface.offset_ns = <int64_t>(
                be64(block + at + 4) if big_endian else le64(block + at + 4)
            ) * <int64_t>SECOND
        at += 4 + ((size + 3) & ~<size_t>3)


cdef int64_t time_of(const Interface* interface, uint64_t stamp) noexcept nogil:
    """A time stamp of this interface in ns since the epoch."""
    cdef uint64_t seconds = stamp // interface.ticks
    cdef uint64_t rest = stamp - seconds * interface.ticks
    cdef uint64_t fraction
    if interface.ticks <= SECOND:
        fraction = rest * SECOND // interface.ticks
    else:
        # as exact as a double of less than 1 can say it
        fraction = <uint64_t>(<double>rest / <double>interface.ticks * 1e9)
    return <int64_t>(seconds * SECOND + fraction) + interface.offset_ns


cdef uint64_t power_of(uint64_t base, unsigned power) noexcept nogil:
    """base ** power, as long as it fits; then the greatest that does."""
    cdef uint64_t value = 1
    while power and value <= <uint64_t>-1 // base:
        value *= base
        power -= 1
    return value
