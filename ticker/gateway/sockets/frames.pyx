"""RFC 6455 frames, server side: bytes in, events out; no socket, no clock.

Law: any bytes give events or one of the close codes 1002, 1007, 1008, 1009; bad UTF-8 is found
at its first bad byte (section 8.1), and a declared length is refused before it is allocated.
A reserved bit is an error (section 5.2), but for RSV1 where a message begins and compression was agreed
on (RFC 7692, section 6): such a message is passed on as it came.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    static inline void ticker_unmask(uint8_t *to, const uint8_t *from, size_t length,
                                     const uint8_t mask[4], uint32_t offset) {
        uint8_t turned[8];
        uint64_t word, key;
        for (int i = 0; i < 8; i++) turned[i] = mask[(offset + i) & 3];
        memcpy(&key, turned, 8);
        while (length >= 8) {
            memcpy(&word, from, 8);
            word ^= key;
            memcpy(to, &word, 8);
            to += 8; from += 8; length -= 8;
        }
        for (size_t i = 0; i < length; i++) to[i] = from[i] ^ turned[i];
    }
    """
    void unmask "ticker_unmask"(
        uint8_t* to, const uint8_t* source, size_t length, const uint8_t* mask, uint32_t offset
    ) nogil

cdef enum:
    UTF8_ACCEPT = 0
    UTF8_REJECT = 0xFFFFFFFF
    PROTOCOL_ERROR = 1002
    NO_CODE = 1005
    BAD_PAYLOAD = 1007
    POLICY_VIOLATION = 1008
    TOO_BIG = 1009


cdef uint32_t check_utf8(uint32_t state, const uint8_t* data, size_t length) noexcept nogil:
    """Go on validating UTF-8 (RFC 3629, section 4); UTF8_REJECT at the first bad byte.

    State: continuation bytes still wanted << 16 | lowest << 8 | highest allowed next byte.
    """
    cdef size_t i
    cdef uint8_t byte
    cdef uint64_t word
    i = 0
    while i < length:
        if state == UTF8_ACCEPT:
            while i + 8 <= length:
                memcpy(&word, data + i, 8)
                if word & <uint64_t>0x8080808080808080ULL:
                    break
                i += 8
            if i >= length:
                break
        byte = data[i]
        i += 1
        if state == UTF8_ACCEPT:
            if byte >= 0x80:
                state = utf8_lead(byte)
                if state == UTF8_REJECT:
                    return state
        elif (state >> 8 & 0xFF) <= byte <= (state & 0xFF):
            state = (((state >> 16) - 1) << 16 | 0x80BF) if state >> 16 > 1 else UTF8_ACCEPT
        else:
            return UTF8_REJECT
    return state


cdef inline uint32_t utf8_lead(uint8_t byte) noexcept nogil:
    if byte < 0xC2 or byte > 0xF4:
        return UTF8_REJECT
    if byte < 0xE0:
        return 1 << 16 | 0x80BF
    if byte == 0xE0:
        return 2 << 16 | 0xA0BF
    if byte == 0xED:
        return 2 << 16 | 0x809F
    if byte < 0xF0:
        return 2 << 16 | 0x80BF
    if byte == 0xF0:
        return 3 << 16 | 0x90BF
    if byte == 0xF4:
        return 3 << 16 | 0x808F
    return 3 << 16 | 0x80BF


cdef inline int fail(FrameReader* reader, uint16_t code) noexcept nogil:
    reader.close_code = code
    return EVENT_ERROR


cdef bint at_rest(const FrameReader* reader) noexcept nogil:
    """Nothing is under way: the reader may be thrown away."""
    return not (reader.head_length or reader.in_payload or reader.message_opcode)


cdef void release(FrameReader* reader) noexcept nogil:
    """Free what the reader owns; it is at rest afterwards."""
    free(reader.message)
    memset(reader, 0, sizeof(FrameReader))


cdef int write_head(uint8_t* out, Opcode opcode, uint64_t length) noexcept nogil:
    """Head of an unmasked, unfragmented frame (section 5.2); its length, at most SERVER_HEAD."""
    cdef int i
    out[0] = 0x80 | opcode
    if length < 126:
        out[1] = <uint8_t>length
        return 2
    if length < 65536:
        out[1] = 126
        out[2] = <uint8_t>(length >> 8)
        out[3] = <uint8_t>length
        return 4
    out[1] = 127
    for i in range(8):
        out[2 + i] = <uint8_t>(length >> (56 - 8 * i))
    return 10


cdef int write_close(uint8_t* out, uint16_t code, const char* reason, size_t length) noexcept nogil:
    """A close frame (section 5.5.1), the reason cut to fit; its length, at most 127. Code 1005
    stands for a close frame without a code (section 7.4.1)."""
    if code == NO_CODE:
        return write_head(out, OPCODE_CLOSE, 0)
    if length > MAX_CONTROL - 2:
        length = MAX_CONTROL - 2
    write_head(out, OPCODE_CLOSE, length + 2)
    out[2] = <uint8_t>(code >> 8)
    out[3] = <uint8_t>code
    memcpy(out + 4, reason, length)
    return <int>length + 4


cdef bint read_head(FrameReader* reader, uint8_t** data, size_t* length) noexcept nogil:
    """Collect the head of a frame; True once it is whole. A first byte or a length byte that is
    wrong is found by check_head even before the rest has come."""
    cdef size_t wanted = 2
    cdef uint8_t small
    while True:
        if reader.head_length >= 2:
            small = reader.head[1] & 0x7F
            wanted = 2 + (8 if small == 127 else 2 if small == 126 else 0)
            wanted += 4 if reader.head[1] & 0x80 else 0
        if reader.head_length == wanted:
            return True
        if not length[0]:
            return False
        reader.head[reader.head_length] = data[0][0]
        reader.head_length += 1
        data[0] += 1
        length[0] -= 1
        if reader.head_length == 2 and not reader.head[1] & 0x80:
            return True  # unmasked: refused by check_head, with any continuation


cdef inline bint bad_reserved(uint8_t first, const FrameLimits* limits) noexcept nogil:
    """Whether a first byte has a reserved bit that nothing allows there."""
    cdef uint8_t opcode = first & 0x0F
    cdef bint begins = opcode == OPCODE_TEXT or opcode == OPCODE_BINARY
    return (first & 0x70 & ~(limits.reserved if begins else 0)) != 0


cdef int check_head(FrameReader* reader, const FrameLimits* limits) noexcept nogil:
    """Sections 5.2 to 5.5: EVENT_NONE when the frame may go on, else EVENT_ERROR."""
    cdef uint8_t first = reader.head[0]
    cdef uint8_t opcode = first & 0x0F
    cdef uint64_t size = reader.head[1] & 0x7F
    cdef int i
    cdef int at = 2
    if bad_reserved(first, limits) or not reader.head[1] & 0x80:
        return fail(reader, PROTOCOL_ERROR)
    if size >= 126:
        at = 4 if size == 126 else 10
        size = 0
        for i in range(2, at):
            size = size << 8 | reader.head[i]
        if size < 126 or (at == 10 and size < 65536) or size >> 63:
            return fail(reader, PROTOCOL_ERROR)  # not the shortest form, or the top bit is set
    if opcode >= OPCODE_CLOSE:
        if opcode > OPCODE_PONG or not first & 0x80 or size > MAX_CONTROL:
            return fail(reader, PROTOCOL_ERROR)
        reader.control_length = 0
    elif opcode > OPCODE_BINARY or (opcode == 0) != (reader.message_opcode != 0):
        return fail(reader, PROTOCOL_ERROR)
    elif size + reader.message_length > limits.max_message:
        return fail(reader, TOO_BIG)
    else:
        reader.fragments += 1
        if reader.fragments > limits.max_fragments:
            return fail(reader, POLICY_VIOLATION)
        if opcode:
            reader.message_opcode = opcode
            reader.compressed = (first & 0x40) != 0
            reader.message_utf8 = UTF8_ACCEPT
    memcpy(reader.mask, reader.head + at, 4)
    reader.mask_offset = 0
    reader.remaining = size
    reader.opcode = opcode
    reader.fin = first >> 7
    reader.in_payload = 1
    reader.head_length = 0
    return EVENT_NONE


cdef bint reserve(FrameReader* reader, size_t wanted) noexcept nogil:
    """Room for `wanted` bytes of message, which max_message bounds."""
    cdef uint8_t* grown
    if wanted <= reader.message_capacity:
        return True
    grown = <uint8_t*>realloc(reader.message, wanted)
    if grown == NULL:
        return False
    reader.message = grown
    reader.message_capacity = <uint32_t>wanted
    return True


cdef int take_payload(
    FrameReader* reader, uint8_t** data, size_t* length,
    uint8_t** payload, size_t* payload_length,
) noexcept nogil:
    """As much of the frame's payload as has come; an event when the frame ends one."""
    cdef size_t now = length[0] if length[0] < reader.remaining else <size_t>reader.remaining
    cdef uint8_t* to
    cdef bint whole = now == reader.remaining
    if reader.opcode >= OPCODE_CLOSE:
        to = reader.control + reader.control_length
        reader.control_length += <uint8_t>now
    elif whole and reader.fin and not reader.message_length:
        to = data[0]  # a message in one piece is unmasked where it lies
        payload[0] = to
        payload_length[0] = now
    else:
        if not reserve(reader, reader.message_length + <size_t>reader.remaining):
            return fail(reader, TOO_BIG)
        to = reader.message + reader.message_length
        reader.message_length += <uint32_t>now
        payload[0] = reader.message
        payload_length[0] = reader.message_length
    unmask(to, data[0], now, reader.mask, reader.mask_offset)
    reader.mask_offset = <uint32_t>((reader.mask_offset + now) & 3)
    reader.remaining -= now
    data[0] += now
    length[0] -= now
    if (reader.opcode < OPCODE_CLOSE and reader.message_opcode == OPCODE_TEXT
            and not reader.compressed):
        reader.message_utf8 = check_utf8(reader.message_utf8, to, now)
        if reader.message_utf8 == UTF8_REJECT:
            return fail(reader, BAD_PAYLOAD)
    if not whole:
        return EVENT_NONE
    reader.in_payload = 0
    if reader.opcode >= OPCODE_CLOSE:
        payload[0] = reader.control
        payload_length[0] = reader.control_length
        return end_control(reader)
    return end_message(reader) if reader.fin else EVENT_NONE


cdef int end_message(FrameReader* reader) noexcept nogil:
    if reader.message_utf8 != UTF8_ACCEPT:
        return fail(reader, BAD_PAYLOAD)
    reader.opcode = reader.message_opcode
    reader.message_opcode = 0
    reader.message_length = 0
    reader.fragments = 0
    return EVENT_MESSAGE


cdef int end_control(FrameReader* reader) noexcept nogil:
    cdef uint16_t code
    if reader.opcode == OPCODE_PING:
        return EVENT_PING
    if reader.opcode == OPCODE_PONG:
        return EVENT_PONG
    reader.close_code = NO_CODE
    if reader.control_length == 1:
        return fail(reader, PROTOCOL_ERROR)
    if reader.control_length:
        code = <uint16_t>(reader.control[0] << 8 | reader.control[1])
        if not close_code_allowed(code):
            return fail(reader, PROTOCOL_ERROR)
        if check_utf8(UTF8_ACCEPT, reader.control + 2, reader.control_length - 2) != UTF8_ACCEPT:
            return fail(reader, BAD_PAYLOAD)
        reader.close_code = code
    return EVENT_CLOSE


cdef inline bint close_code_allowed(uint16_t code) noexcept nogil:
    """Section 7.4 and the IANA registry: what an endpoint may send."""
    return 3000 <= code <= 4999 or 1000 <= code <= 1003 or 1007 <= code <= 1014


cdef int read_frames(
    FrameReader* reader, const FrameLimits* limits, uint8_t** data, size_t* length,
    uint8_t** payload, size_t* payload_length,
) noexcept nogil:
    """Take bytes until one event is complete or they are used up.

    `data` and `length` move past what was taken; call again until EVENT_NONE. The payload lies
    in `data`'s buffer or in the reader, and lives until the next call; the buffer is unmasked
    in place. After EVENT_ERROR the connection is to be failed with reader.close_code.
    """
    cdef int event
    while True:
        if not reader.in_payload:
            if not read_head(reader, data, length):
                # refuse bad first bytes without waiting for the rest
                if reader.head_length and bad_reserved(reader.head[0], limits):
                    return fail(reader, PROTOCOL_ERROR)
                return EVENT_NONE
            event = check_head(reader, limits)
            if event != EVENT_NONE:
                return event
        if reader.remaining and not length[0]:
            return EVENT_NONE
        event = take_payload(reader, data, length, payload, payload_length)
        if event != EVENT_NONE:
            return event


EVENT_NAMES = {
    EVENT_MESSAGE: "message", EVENT_PING: "ping", EVENT_PONG: "pong", EVENT_CLOSE: "close",
    EVENT_ERROR: "error",
}


cdef class FrameParser:
    """The same reader with a Python face, for the echo program and the tests."""

    cdef FrameReader reader
    cdef FrameLimits limits
    cdef bint failed

    def __cinit__(
        self, max_message: int = 65536, max_fragments: int = 100, reserved: int = 0
    ) -> None:
        self.limits.max_message = max_message
        self.limits.max_fragments = max_fragments
        self.limits.reserved = reserved

    def __dealloc__(self) -> None:
        release(&self.reader)

    def receive_data(self, data: bytes) -> list[tuple[str, int, bytes]]:
        """Events as (name, opcode or close code, payload); after "error" nothing more comes."""
        cdef bytearray copy = bytearray(data)
        cdef uint8_t* at = copy
        cdef size_t length = len(copy)
        cdef uint8_t* payload = NULL
        cdef size_t payload_length = 0
        cdef int event
        events = []
        while not self.failed:
            event = read_frames(
                &self.reader, &self.limits, &at, &length, &payload, &payload_length
            )
            if event == EVENT_NONE:
                break
            self.failed = event == EVENT_ERROR
            number = self.reader.close_code if event >= EVENT_CLOSE else self.reader.opcode
            body = b"" if self.failed else payload[:payload_length]
            deflated = event == EVENT_MESSAGE and self.reader.compressed
            events.append(("deflated" if deflated else EVENT_NAMES[event], number, body))
        return events


def frame(opcode: int, payload: bytes = b"") -> bytes:
    """An unmasked server frame."""
    cdef uint8_t[SERVER_HEAD] head
    cdef int size = write_head(head, <Opcode><int>opcode, len(payload))
    return head[:size] + payload


def close_frame(code: int, reason: str = "") -> bytes:
    """A close frame; the reason is cut at 123 bytes, never inside a character."""
    cdef uint8_t[MAX_CONTROL + 2] out
    cdef bytes text = reason.encode()[:MAX_CONTROL - 2].decode(errors="ignore").encode()
    cdef int size = write_close(out, code, text, len(text))
    return out[:size]
