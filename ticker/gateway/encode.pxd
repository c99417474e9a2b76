from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t


cdef enum:
    FRAME_ROOM = 250             # bytes of a price frame at most, head included

# Four cache lines, of which a symbol of usual length needs two.
cdef struct PriceFrame:
    uint16_t prefix              # length of the part that stays, from byte 4 on; 0: not begun
    uint16_t start               # where the frame starts: 2, or 0 with an extended length
    uint16_t length              # of the frame, head included
    uint8_t bytes[FRAME_ROOM]


cdef int begin_frame(
    PriceFrame* frame, const char* kind, const char* symbol, size_t length
) noexcept nogil
cdef void write_price_frame(PriceFrame* frame, int64_t price, int64_t time) noexcept nogil
