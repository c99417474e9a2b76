"""The interfaces of a capture file: see interfaces.pyx."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from ticker.endian cimport be16, be32, le16, le32

cdef struct Interface:
    uint32_t link_type
    uint32_t most                  # bytes of a packet that are kept, 0: all
    uint64_t ticks                 # of a time stamp in a second
    int64_t offset_ns

cdef void describe(
    Interface* interface, const uint8_t* block, size_t length, bint big_endian
) noexcept nogil
cdef int64_t time_of(const Interface* interface, uint64_t stamp) noexcept nogil


# Numbers of a capture file, in the byte order of the machine that wrote it.
cdef inline uint16_t u16(const uint8_t* at, bint big_endian) noexcept nogil:
    return be16(at) if big_endian else le16(at)


cdef inline uint32_t u32(const uint8_t* at, bint big_endian) noexcept nogil:
    return be32(at) if big_endian else le32(at)
