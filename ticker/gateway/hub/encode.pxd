"""Prices as ready WebSocket frames, in every encoding."""

from libc.stdint cimport uint8_t, uint16_t, uint64_t

from ticker.gateway.hub.fields cimport Fields, Message

cdef enum:
    BODY = 8                     # room in front of a body for the frame's head and an envelope
    MOST_ROOM = 1280

# Bytes of a frame of each channel at most, this struct's head and BODY included.
cpdef enum Room:
    PRICE_ROOM = 320
    TRADE_ROOM = 448
    QUOTE_ROOM = 1280

# A frame in a place of PRICE_ROOM to MOST_ROOM bytes. A price of usual size needs two cache lines.
cdef struct Frame:
    uint16_t prefix              # end of the part that stays, from BODY on; 0: not begun
    uint16_t start               # where the frame starts
    uint16_t message             # where the message starts, behind the frame's head
    uint16_t length              # of the frame; 0: a vendor's dialect has no such message
    uint8_t bytes[MOST_ROOM]


cdef void begin_frame(
    Frame* frame, int encoding, int channel, Message message, const char* symbol, size_t length
) noexcept nogil
cdef void finish_frame(Frame* frame, int encoding, int channel, const Fields* fields) noexcept nogil
cdef void lagged_frame(
    Frame* frame, int encoding, const char* symbol, size_t length, uint64_t skipped
) noexcept nogil
