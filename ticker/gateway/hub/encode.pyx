"""Prices as ready WebSocket frames, in every encoding.

A symbol's frame is encoded once and serves every subscriber (server frames are not masked).
The part up to the price never changes and is written once; a new price rewrites the rest.
"""

from libc.stdint cimport uint8_t, uint16_t, uint64_t
from libc.string cimport memcpy

from ticker.gateway.hub.encode_json cimport begin_json, json_fields, lagged_json, put_event_id
from ticker.gateway.hub.encode_msgpack cimport begin_msgpack, lagged_msgpack, msgpack_fields
from ticker.gateway.hub.encode_protobuf cimport (
    begin_protobuf,
    lagged_protobuf,
    protobuf_fields,
)
from ticker.gateway.hub.fields cimport CHANNELS, MESSAGE_CANCEL, Fields, Message, set_fields
from ticker.gateway.hub.forms cimport begin_form, form_fields
from ticker.gateway.sockets.connection cimport (
    ALL_ENCODINGS,
    ENCODINGS,
    EVENT_STREAM,
    JSON,
    MSGPACK,
    PLAIN,
    PROTOBUF,
    is_text,
)
from ticker.gateway.sockets.frames cimport OPCODE_BINARY, OPCODE_TEXT, SERVER_HEAD, write_head
from ticker.gateway.wire.protobuf cimport protobuf_envelope


# The number of each message in `oneof` of ServerMessage, by Message.
cdef uint8_t[4] NUMBERS
NUMBERS[:] = [2, 1, 14, 16]


cdef void begin_frame(
    Frame* frame, int encoding, int channel, Message message, const char* symbol, size_t length
) noexcept nogil:
    """Write the part that stays. The symbol is printable ASCII of 1 to 23 bytes."""
    cdef char* body = <char*>frame.bytes + BODY
    cdef int size
    assert 0 < length < 24
    if encoding == MSGPACK:
        size = begin_msgpack(body, channel, message, symbol, length)
    elif encoding == PROTOBUF:
        size = begin_protobuf(body, symbol, length)
        frame.bytes[0] = NUMBERS[<int>message]  # until there is a frame
    elif encoding >= ENCODINGS:
        size = begin_form(<uint8_t*>body, encoding, channel, message, symbol, length)
        frame.bytes[0] = <uint8_t>message
    else:
        size = begin_json(body, message, symbol, length)
    frame.prefix = <uint16_t>size


cdef void finish_frame(
    Frame* frame, int encoding, int channel, const Fields* fields
) noexcept nogil:
    """Complete a frame that was begun."""
    cdef char* body = <char*>frame.bytes + BODY
    cdef int size
    if encoding == MSGPACK:
        size = msgpack_fields(body, frame.prefix, channel, fields)
    elif encoding == PROTOBUF:
        size = protobuf_fields(body, frame.prefix, channel, fields)
    elif encoding >= ENCODINGS:
        size = form_fields(
            <uint8_t*>body, frame.prefix, encoding, channel, <Message>frame.bytes[0], fields
        )
        if not size:
            frame.message = frame.start = BODY
            frame.length = 0
            return
    else:
        size = json_fields(body, frame.prefix, channel, encoding != PLAIN, fields)
        if encoding == EVENT_STREAM:
            size = put_event_id(body, size, fields.time)
    put_head(frame, encoding, size)


cdef void put_head(Frame* frame, int encoding, int size) noexcept nogil:
    """The envelope (Protobuf) and the head of the frame, right in front of a body of `size`; of an
    event the words around it."""
    cdef uint8_t[SERVER_HEAD] head
    cdef int before = BODY
    cdef int length
    if encoding == EVENT_STREAM:
        frame.message = BODY
        frame.start = BODY - 6
        memcpy(frame.bytes + frame.start, b"data: ", 6)
        memcpy(frame.bytes + BODY + size, b"\n\n", 2)
        frame.length = <uint16_t>(6 + size + 2)
        return
    if encoding == PROTOBUF:
        before -= protobuf_envelope(frame.bytes + BODY, frame.bytes[0], size)
    length = write_head(
        head, OPCODE_TEXT if is_text(encoding) else OPCODE_BINARY, size + BODY - before
    )
    frame.message = <uint16_t>before
    frame.start = <uint16_t>(before - length)
    # 3 bytes of envelope and 4 of head are the most of what is written again: byte 0 stays
    memcpy(frame.bytes + frame.start, head, length)
    frame.length = <uint16_t>(size + BODY - frame.start)


cdef void lagged_frame(
    Frame* frame, int encoding, const char* symbol, size_t length, uint64_t skipped
) noexcept nogil:
    """A whole `lagged` message."""
    cdef char* body = <char*>frame.bytes + BODY
    cdef int size
    if encoding == MSGPACK:
        size = lagged_msgpack(body, symbol, length, skipped)
    elif encoding == PROTOBUF:
        size = lagged_protobuf(body, symbol, length, skipped)
        frame.bytes[0] = 9
    else:
        size = lagged_json(body, symbol, length, skipped)
    put_head(frame, encoding, size)


def encoded(
    encoding: int, channel: int, message: int, symbol: str, venue: str = "", **values: int | None
) -> bytes:
    """One frame from Python: `message` of Message, `values` as in Fields; for tests."""
    cdef Frame frame
    cdef Fields fields
    cdef bytes raw = symbol.encode("ascii")
    if not 0 < len(raw) < 24 or not raw.decode().isprintable():
        raise ValueError(f"symbol {symbol!r}: 1 to 23 printable characters")
    if not (0 <= encoding < ALL_ENCODINGS and 0 <= channel < CHANNELS
            and 0 <= message <= MESSAGE_CANCEL):
        raise ValueError(f"encoding {encoding}, channel {channel}, message {message}")
    set_fields(&fields, venue, values)
    begin_frame(&frame, encoding, channel, message, raw, len(raw))
    finish_frame(&frame, encoding, channel, &fields)
    return frame.bytes[frame.start:frame.start + frame.length]


def lagged(encoding: int, symbol: str, skipped: int) -> bytes:
    """One `lagged` frame from Python, for tests."""
    cdef Frame frame
    cdef bytes raw = symbol.encode("ascii")
    if not 0 < len(raw) < 24:
        raise ValueError(f"symbol {symbol!r}: 1 to 23 characters")
    lagged_frame(&frame, encoding, raw, len(raw), skipped)
    return frame.bytes[frame.start:frame.start + frame.length]
