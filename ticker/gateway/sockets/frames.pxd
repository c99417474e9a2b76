"""RFC 6455 frames, server side: bytes in, events out; no socket, no clock.

A FrameReader is at rest between messages; a connection at rest needs none of its own.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t


cpdef enum Opcode:
    OPCODE_CONTINUATION = 0
    OPCODE_TEXT = 1
    OPCODE_BINARY = 2
    OPCODE_CLOSE = 8
    OPCODE_PING = 9
    OPCODE_PONG = 10

cdef enum FrameEvent:
    EVENT_NONE = 0               # all bytes taken, nothing complete
    EVENT_MESSAGE = 1            # payload: a whole text or binary message (reader.opcode)
    EVENT_PING = 2               # payload: to be echoed
    EVENT_PONG = 3
    EVENT_CLOSE = 4              # reader.close_code: what to answer; 1005 when none was given
    EVENT_ERROR = 5              # reader.close_code: 1002, 1007, 1008 or 1009

cdef enum:
    MAX_CONTROL = 125
    MAX_HEAD = 14
    SERVER_HEAD = 10             # bytes that write_head may fill

cdef struct FrameLimits:
    uint32_t max_message         # bytes of a message, over all its fragments
    uint32_t max_fragments
    uint8_t reserved             # bits that begin a message by an agreement: RSV1, or none

cdef struct FrameReader:
    uint8_t* message             # owned; payload of the message under way
    uint32_t message_length
    uint32_t message_capacity
    uint32_t message_utf8        # state of the validator
    uint64_t remaining           # of the frame under way
    uint32_t mask_offset
    uint16_t fragments
    uint16_t close_code
    uint8_t message_opcode       # 0: no message under way
    uint8_t opcode               # of the frame under way, then of the event
    uint8_t in_payload
    uint8_t fin
    uint8_t compressed           # the message under way, or of the event: RSV1 was set
    uint8_t head_length
    uint8_t control_length
    uint8_t mask[4]
    uint8_t head[MAX_HEAD]
    uint8_t control[MAX_CONTROL]


cdef int read_frames(
    FrameReader* reader, const FrameLimits* limits, uint8_t** data, size_t* length,
    uint8_t** payload, size_t* payload_length,
) noexcept nogil
cdef bint at_rest(const FrameReader* reader) noexcept nogil
cdef void release(FrameReader* reader) noexcept nogil
cdef int write_head(uint8_t* out, Opcode opcode, uint64_t length) noexcept nogil
cdef int write_close(uint8_t* out, uint16_t code, const char* reason, size_t length) noexcept nogil


cdef inline size_t event_end(const uint8_t* data, size_t length, size_t at) noexcept nogil:
    """Behind the empty line that ends a server-sent event."""
    while at + 1 < length:
        if data[at] == c"\n" and data[at + 1] == c"\n":
            return at + 2
        at += 1
    return length


cdef inline size_t frame_end(
    const uint8_t* data, size_t length, size_t at, size_t first
) noexcept nogil:
    """Where the frame of ours ends that byte `at` is in; `at` itself between two of them.
    `first`: where the first whole one begins. What is no small frame ends at `length`. An event
    begins with a letter or a colon, a frame never does."""
    cdef size_t end = first
    cdef size_t size
    while end < at:
        if data[end] < 0x80:
            end = event_end(data, length, end)
            continue
        if end + 2 > length or data[end + 1] > 126:
            return length
        size = data[end + 1]
        if size < 126:
            end += 2 + size
        elif end + 4 > length:
            return length
        else:
            end += 4 + (<size_t>data[end + 2] << 8 | data[end + 3])
    return end if end < length else length
