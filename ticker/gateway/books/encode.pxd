"""The messages `depth` and `delta` as ready WebSocket frames, in every encoding but the plain one."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from ticker.shm.depth.layout cimport DepthLevel
from ticker.shm.layout cimport DEPTH_LEVELS

cdef enum:
    FRONT = 16                   # room in front of a body for the frame's head and an envelope
    HEADING_ROOM = 320           # bytes that a body has beside its levels, at most
    LEVEL_ROOM = 56              # bytes of a level, at most
    LONGEST = FRONT + HEADING_ROOM + 2 * DEPTH_LEVELS * LEVEL_ROOM

# One message: a whole book, or what changed since `previous_seq`.
cdef struct BookMessage:
    const char* symbol
    size_t symbol_length
    const char* venue            # a MIC, or empty for the consolidated book
    size_t venue_length
    bint whole
    int64_t time
    uint64_t seq
    uint64_t previous_seq
    uint32_t levels
    uint64_t size_exponent
    uint32_t counts[2]
    const DepthLevel* sides[2]   # bids, asks

# A frame in memory of its own.
cdef struct LongFrame:
    uint8_t* bytes
    size_t room
    uint32_t start               # where the frame starts
    uint32_t message             # where the message starts, behind the frame's head
    uint32_t length              # of the frame
    uint32_t origin              # version that it goes on from; 0: it is a whole book
    uint32_t version             # that it leads to; 0: there is no frame


cdef bint encode_book(LongFrame* frame, int encoding, const BookMessage* message) noexcept nogil
