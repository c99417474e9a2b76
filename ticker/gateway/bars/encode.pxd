"""The message `bar` as a ready frame, in every encoding but the plain one."""

from libc.stdint cimport uint8_t, uint16_t

from ticker.shm.bars.published cimport BarRecord

cdef enum:
    FRONT = 8                    # room in front of a body for the frame's head and an envelope

cpdef enum BarRoom:
    BAR_ROOM = 768               # bytes of a frame, this struct's head and FRONT included

# Laid out as the Frame of hub/encode.pxd, in a place of its own size.
cdef struct BarFrame:
    uint16_t prefix
    uint16_t start               # where the frame starts
    uint16_t message             # where the message starts, behind the frame's head
    uint16_t length              # of the frame
    uint8_t bytes[BAR_ROOM - 8]


cdef void encode_bar(
    BarFrame* frame, int encoding, const char* symbol, size_t length, const BarRecord* bar
) noexcept nogil
