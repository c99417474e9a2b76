"""The messages `depth` and `delta` as ready WebSocket frames, in every encoding but the plain one.

A level is a pair of price and size; in Protobuf it is a message Level. The field numbers are those
of numbers.py, which a test compares. Prices and sizes are written as those of other messages are
(hub/encode_*.pyx).
"""

from cpython.mem cimport PyMem_RawFree, PyMem_RawRealloc
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from ticker cimport jsontext as json
from ticker.gateway.sockets.connection cimport EVENT_STREAM, JSON, MSGPACK, PROTOBUF
from ticker.gateway.sockets.frames cimport OPCODE_BINARY, OPCODE_TEXT, SERVER_HEAD, write_head
from ticker.gateway.wire cimport msgpack, protobuf
from ticker.shm.depth.layout cimport DepthLevel
from ticker.shm.layout cimport DEPTH_LEVELS
from ticker.units cimport write_price, write_size, write_timestamp, write_uint

# Fields of Depth and Delta, and of ServerMessage: what they share has one number.
cpdef enum BookNumber:
    BOOK_SYMBOL = 1
    BOOK_TIMESTAMP = 2
    BOOK_SEQ = 3
    BOOK_LEVELS = 4
    BOOK_VENUE = 5
    BOOK_BIDS = 6
    BOOK_ASKS = 7
    BOOK_PREVIOUS_SEQ = 8
    BOOK_SIZE_EXPONENT = 100
    LEVEL_PRICE = 1
    LEVEL_SIZE = 2
    MESSAGE_DEPTH = 17
    MESSAGE_DELTA = 18


cdef bint encode_book(LongFrame* frame, int encoding, const BookMessage* message) noexcept nogil:
    """Write a message into the frame's memory, which grows as needed. False: no memory."""
    cdef size_t room = FRONT + HEADING_ROOM + LEVEL_ROOM * (
        <size_t>message.counts[0] + message.counts[1]
    )
    cdef uint8_t* grown
    cdef char* body
    if frame.room < room:
        grown = <uint8_t*>PyMem_RawRealloc(frame.bytes, room)
        if grown == NULL:
            return False
        frame.bytes = grown
        frame.room = room
    body = <char*>frame.bytes + FRONT
    if encoding == MSGPACK:
        put_head(frame, encoding, message, in_msgpack(body, message))
    elif encoding == PROTOBUF:
        put_head(frame, encoding, message, in_protobuf(body, message))
    else:
        put_head(frame, encoding, message, in_json(body, message))
    return True


cdef void put_head(
    LongFrame* frame, int encoding, const BookMessage* message, int size
) noexcept nogil:
    """The envelope (Protobuf) and the head of the frame, right in front of a body of `size`; of a
    server-sent event the words around it."""
    cdef uint8_t[SERVER_HEAD] head
    cdef int before = FRONT
    cdef int length
    if encoding == EVENT_STREAM:
        frame.message = FRONT
        frame.start = FRONT - 6
        memcpy(frame.bytes + frame.start, b"data: ", 6)
        memcpy(frame.bytes + FRONT + size, b"\n\n", 2)
        frame.length = 6 + size + 2
        return
    if encoding == PROTOBUF:
        before -= protobuf.protobuf_envelope(
            frame.bytes + FRONT, MESSAGE_DEPTH if message.whole else MESSAGE_DELTA, size
        )
    length = write_head(
        head, OPCODE_TEXT if encoding <= JSON else OPCODE_BINARY, size + FRONT - before
    )
    frame.message = before
    frame.start = before - length
    memcpy(frame.bytes + frame.start, head, length)
    frame.length = size + FRONT - frame.start


cdef int in_json(char* out, const BookMessage* message) noexcept nogil:
    cdef int at = json.put_text(
        out, 0, b'{"type":"depth","symbol":"' if message.whole else b'{"type":"delta","symbol":"'
    )
    at = json.put_symbol(out, at, message.symbol, message.symbol_length)
    at = json.put_text(out, at, b'","timestamp":"')
    at += write_timestamp(out + at, message.time)
    at = json.put_text(out, at, b'","seq":')
    at += write_uint(out + at, message.seq)
    if message.whole:
        at = json.put_text(out, at, b',"levels":')
        at += write_uint(out + at, message.levels)
    else:
        at = json.put_text(out, at, b',"previous_seq":')
        at += write_uint(out + at, message.previous_seq)
    if message.venue_length:
        at = json.put_text(out, at, b',"venue":"')
        memcpy(out + at, message.venue, message.venue_length)
        at = json.put_text(out, at + <int>message.venue_length, b'"')
    at = json.put_text(out, at, b',"bids":[')
    at = json_levels(out, at, message, 0)
    at = json.put_text(out, at, b'],"asks":[')
    at = json_levels(out, at, message, 1)
    return json.put_text(out, at, b"]}")


cdef int json_levels(char* out, int at, const BookMessage* message, int side) noexcept nogil:
    cdef uint32_t i
    for i in range(message.counts[side]):
        if i:
            out[at] = c","
            at += 1
        out[at] = c"["
        at += 1 + write_price(out + at + 1, message.sides[side][i].price)
        out[at] = c","
        at += 1 + write_size(out + at + 1, message.sides[side][i].size, message.size_exponent)
        out[at] = c"]"
        at += 1
    return at


cdef int in_msgpack(char* out, const BookMessage* message) noexcept nogil:
    cdef int at = 1
    out[0] = <char>(0x80 | (8 if message.venue_length else 7))
    at = msgpack.put_name(out, at, b"type")
    at = msgpack.put_name(out, at, b"depth" if message.whole else b"delta")
    at = msgpack.put_name(out, at, b"symbol")
    at = msgpack.put_string(out, at, message.symbol, message.symbol_length)
    at = msgpack.put_name(out, at, b"timestamp")
    at = msgpack.put_uint(out, at, <uint64_t>(message.time // 1000 if message.time > 0 else 0))
    at = msgpack.put_name(out, at, b"seq")
    at = msgpack.put_uint(out, at, message.seq)
    at = msgpack.put_name(out, at, b"levels" if message.whole else b"previous_seq")
    at = msgpack.put_uint(out, at, message.levels if message.whole else message.previous_seq)
    if message.venue_length:
        at = msgpack.put_name(out, at, b"venue")
        at = msgpack.put_string(out, at, message.venue, message.venue_length)
    at = msgpack.put_name(out, at, b"bids")
    at = msgpack_levels(out, at, message, 0)
    at = msgpack.put_name(out, at, b"asks")
    return msgpack_levels(out, at, message, 1)


cdef int msgpack_levels(char* out, int at, const BookMessage* message, int side) noexcept nogil:
    cdef uint32_t i
    cdef int length
    out[at] = <char>0xDC         # array 16
    out[at + 1] = <char>(message.counts[side] >> 8)
    out[at + 2] = <char>message.counts[side]
    at += 3
    for i in range(message.counts[side]):
        out[at] = <char>0x92
        length = write_price(out + at + 2, message.sides[side][i].price)
        out[at + 1] = <char>(0xA0 | length)
        at += 2 + length
        if message.size_exponent:
            length = write_size(out + at + 1, message.sides[side][i].size, message.size_exponent)
            out[at] = <char>(0xA0 | length)
            at += 1 + length
        else:
            at = msgpack.put_uint(out, at, message.sides[side][i].size)
    return at


cdef int in_protobuf(char* out, const BookMessage* message) noexcept nogil:
    cdef int at = protobuf.put_string(out, 0, BOOK_SYMBOL, message.symbol, message.symbol_length)
    at = protobuf.put_number(out, at, BOOK_TIMESTAMP, <uint64_t>message.time)
    at = protobuf.put_number(out, at, BOOK_SEQ, message.seq)
    if message.whole:
        at = protobuf.put_number(out, at, BOOK_LEVELS, message.levels)
    if message.venue_length:
        at = protobuf.put_string(out, at, BOOK_VENUE, message.venue, message.venue_length)
    at = protobuf_levels(out, at, message, 0)
    at = protobuf_levels(out, at, message, 1)
    if not message.whole:
        at = protobuf.put_number(out, at, BOOK_PREVIOUS_SEQ, message.previous_seq)
    if message.size_exponent:
        at = protobuf.put_number(out, at, BOOK_SIZE_EXPONENT, message.size_exponent)
    return at


cdef int protobuf_levels(char* out, int at, const BookMessage* message, int side) noexcept nogil:
    cdef uint32_t i
    cdef int begin
    for i in range(message.counts[side]):
        out[at] = <char>((BOOK_ASKS if side else BOOK_BIDS) << 3 | 2)
        begin = at + 2
        at = protobuf.put_number(out, begin, LEVEL_PRICE, <uint64_t>message.sides[side][i].price)
        at = protobuf.put_number(out, at, LEVEL_SIZE, message.sides[side][i].size)
        out[begin - 1] = <char>(at - begin)
    return at


def encoded_book(
    encoding: int, symbol: str, venue: str, time: int, seq: int, previous_seq: int | None,
    levels: int, size_exponent: int, bids: list[tuple[int, int]], asks: list[tuple[int, int]],
) -> bytes:
    """One frame from Python, for tests; without `previous_seq` it is a whole book."""
    cdef LongFrame frame
    cdef BookMessage message
    cdef DepthLevel[2][DEPTH_LEVELS] sides
    cdef bytes name = symbol.encode("ascii")
    cdef bytes mic = venue.encode("ascii")
    cdef int side, i
    if not 0 < len(name) < 24 or len(mic) > 8 or max(len(bids), len(asks)) > DEPTH_LEVELS:
        raise ValueError(f"symbol {symbol!r}, venue {venue!r}, {len(bids)} and {len(asks)} levels")
    message.symbol, message.symbol_length = name, len(name)
    message.venue, message.venue_length = mic, len(mic)
    message.whole = previous_seq is None
    message.time, message.seq, message.previous_seq = time, seq, previous_seq or 0
    message.levels, message.size_exponent = levels, size_exponent
    for side, given in enumerate((bids, asks)):
        message.counts[side] = len(given)
        message.sides[side] = sides[side]
        for i, (price, size) in enumerate(given):
            sides[side][i].price = price
            sides[side][i].size = size
    frame.bytes = NULL
    frame.room = 0
    if not encode_book(&frame, encoding, &message):
        raise MemoryError
    try:
        return frame.bytes[frame.start:frame.start + frame.length]
    finally:
        PyMem_RawFree(frame.bytes)
