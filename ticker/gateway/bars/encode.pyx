"""The message `bar` as a ready frame, in every encoding but the plain one.

A figure that there is none of is left out. The field numbers are those of numbers.py, which a test
compares.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint64_t
from libc.string cimport memcpy, memset, strlen

from ticker cimport jsontext as json
from ticker.gateway.bars.forms cimport bar_form
from ticker.gateway.sockets.connection cimport (
    ENCODINGS,
    EVENT_STREAM,
    MSGPACK,
    PROTOBUF,
    is_text,
)
from ticker.gateway.sockets.frames cimport OPCODE_BINARY, OPCODE_TEXT, SERVER_HEAD, write_head
from ticker.gateway.wire cimport msgpack, protobuf
from ticker.shm.bars.published cimport (
    BAR_HAS_PRICE,
    BAR_HAS_RANGE,
    BAR_HAS_VWAP,
    BAR_INCOMPLETE,
    BAR_INEXACT,
    BAR_UPDATED,
    SPANS,
    BarRecord,
)
from ticker.units cimport (
    VOLUME_TEXT,
    write_price,
    write_timestamp,
    write_uint,
    write_volume,
)

cpdef enum BarNumber:
    BAR_SYMBOL = 1
    BAR_CHANNEL = 2
    BAR_INTERVAL = 3
    BAR_START = 4
    BAR_STATE = 5
    BAR_OPEN = 6
    BAR_HIGH = 7
    BAR_LOW = 8
    BAR_CLOSE = 9
    BAR_VOLUME = 10
    BAR_TRADES = 11
    BAR_VWAP = 12
    BAR_TIMESTAMP = 13
    BAR_REVISION = 14
    BAR_EXACT = 15
    BAR_COMPLETE = 16
    BAR_VOLUME_HIGH = 21
    BAR_SIZE_EXPONENT = 100
    MESSAGE_BAR = 19

INTERVALS = ("1s", "1m", "5m", "1h", "1d")
STATES = ("forming", "final", "updated")
cdef const char* SPAN_NAMES[SPANS]
SPAN_NAMES[:] = [b"1s", b"1m", b"5m", b"1h", b"1d"]
cdef const char* STATE_NAMES[3]
STATE_NAMES[:] = [b"forming", b"final", b"updated"]


cdef void encode_bar(
    BarFrame* frame, int encoding, const char* symbol, size_t length, const BarRecord* bar
) noexcept nogil:
    """Write the whole frame. The symbol is printable ASCII of 1 to 23 bytes."""
    cdef char* body = <char*>frame.bytes + FRONT
    cdef uint8_t[SERVER_HEAD] head
    cdef int before = FRONT
    cdef int size, head_size
    if encoding == MSGPACK:
        size = in_msgpack(body, symbol, length, bar)
    elif encoding >= ENCODINGS:
        size = bar_form(<uint8_t*>body, encoding, symbol, length, bar)
        if not size:
            frame.message = frame.start = FRONT
            frame.length = 0
            return
    elif encoding == PROTOBUF:
        size = in_protobuf(body, symbol, length, bar)
        before -= protobuf.protobuf_envelope(<uint8_t*>body, MESSAGE_BAR, size)
    else:
        size = in_json(body, symbol, length, bar)
    frame.prefix = 1
    if encoding == EVENT_STREAM:
        size = json.put_text(body, size, b"\nid: ")
        size += write_timestamp(body + size, bar.time)
        size = json.put_text(body, size, b"\n\n")
        head_size = 6
        memcpy(head, b"data: ", 6)
    else:
        head_size = write_head(
            head, OPCODE_TEXT if is_text(encoding) else OPCODE_BINARY, size + FRONT - before
        )
    frame.message = <uint16_t>before
    frame.start = <uint16_t>(before - head_size)
    memcpy(frame.bytes + frame.start, head, head_size)
    frame.length = <uint16_t>(size + FRONT - frame.start)


cdef int put_flag(char* out, int at, const char* name, bint value) noexcept nogil:
    at = json.put_text(out, at, name)
    return json.put_text(out, at, b"true" if value else b"false")


cdef int put_price(char* out, int at, const char* name, int64_t price) noexcept nogil:
    at = json.put_text(out, at, name)
    return at + write_price(out + at, price)


cdef int in_json(
    char* out, const char* symbol, size_t length, const BarRecord* bar
) noexcept nogil:
    cdef int at = json.put_text(out, 0, b'{"type":"bar","symbol":"')
    at = json.put_symbol(out, at, symbol, length)
    at = json.put_text(out, at, b'","channel":"bars","interval":"')
    at = json.put_text(out, at, SPAN_NAMES[bar.span])
    at = json.put_text(out, at, b'","start":"')
    at += write_timestamp(out + at, bar.start)
    at = json.put_text(out, at, b'","state":"')
    at = json.put_text(out, at, STATE_NAMES[bar.state])
    at = json.put_text(out, at, b'"')
    if bar.flags & BAR_HAS_PRICE:
        at = put_price(out, at, b',"open":', bar.open)
    if bar.flags & BAR_HAS_RANGE:
        at = put_price(out, at, b',"high":', bar.high)
        at = put_price(out, at, b',"low":', bar.low)
    if bar.flags & BAR_HAS_PRICE:
        at = put_price(out, at, b',"close":', bar.close)
    at = json.put_text(out, at, b',"volume":')
    at += write_volume(out + at, bar.volume_high, bar.volume, bar.size_exponent)
    at = json.put_text(out, at, b',"trades":')
    at += write_uint(out + at, bar.trades)
    if bar.flags & BAR_HAS_VWAP:
        at = put_price(out, at, b',"vwap":', bar.vwap)
    at = json.put_text(out, at, b',"timestamp":"')
    at += write_timestamp(out + at, bar.time)
    at = json.put_text(out, at, b'","revision":')
    at += write_uint(out + at, bar.revision)
    at = put_flag(out, at, b',"exact":', not bar.flags & BAR_INEXACT)
    at = put_flag(out, at, b',"complete":', not bar.flags & BAR_INCOMPLETE)
    return json.put_text(out, at, b"}")


cdef int put_words(char* out, int at, const char* name, const char* value) noexcept nogil:
    at = msgpack.put_name(out, at, name)
    return msgpack.put_name(out, at, value)


cdef int put_decimal(
    char* out, int at, const char* name, int64_t price, int* entries
) noexcept nogil:
    cdef char[32] text
    entries[0] += 1
    at = msgpack.put_name(out, at, name)
    return msgpack.put_string(out, at, text, write_price(text, price))


cdef int put_integer(char* out, int at, const char* name, uint64_t value) noexcept nogil:
    at = msgpack.put_name(out, at, name)
    return msgpack.put_uint(out, at, value)


cdef int put_volume(char* out, int at, const BarRecord* bar) noexcept nogil:
    """An integer, or a decimal string where it has fractions or is beyond 64 bits."""
    cdef char[VOLUME_TEXT] text
    cdef int size
    if not bar.size_exponent and not bar.volume_high:
        return put_integer(out, at, b"volume", bar.volume)
    at = msgpack.put_name(out, at, b"volume")
    size = write_volume(text, bar.volume_high, bar.volume, bar.size_exponent)
    if size < 32:
        return msgpack.put_string(out, at, text, size)
    out[at] = <char>0xD9  # str 8
    out[at + 1] = <char>size
    memcpy(out + at + 2, text, size)
    return at + 2 + size


cdef int put_bool(char* out, int at, const char* name, bint value) noexcept nogil:
    at = msgpack.put_name(out, at, name)
    out[at] = <char>(0xC3 if value else 0xC2)
    return at + 1


cdef int in_msgpack(
    char* out, const char* symbol, size_t length, const BarRecord* bar
) noexcept nogil:
    cdef int entries = 12
    cdef int at = put_words(out, 3, b"type", b"bar")
    at = msgpack.put_name(out, at, b"symbol")
    at = msgpack.put_string(out, at, symbol, length)
    at = put_words(out, at, b"channel", b"bars")
    at = put_words(out, at, b"interval", SPAN_NAMES[bar.span])
    at = put_integer(out, at, b"start", <uint64_t>(bar.start // 1000))
    at = put_words(out, at, b"state", STATE_NAMES[bar.state])
    if bar.flags & BAR_HAS_PRICE:
        at = put_decimal(out, at, b"open", bar.open, &entries)
    if bar.flags & BAR_HAS_RANGE:
        at = put_decimal(out, at, b"high", bar.high, &entries)
        at = put_decimal(out, at, b"low", bar.low, &entries)
    if bar.flags & BAR_HAS_PRICE:
        at = put_decimal(out, at, b"close", bar.close, &entries)
    at = put_volume(out, at, bar)
    at = put_integer(out, at, b"trades", bar.trades)
    if bar.flags & BAR_HAS_VWAP:
        at = put_decimal(out, at, b"vwap", bar.vwap, &entries)
    at = put_integer(out, at, b"timestamp", <uint64_t>(bar.time // 1000))
    at = put_integer(out, at, b"revision", bar.revision)
    at = put_bool(out, at, b"exact", not bar.flags & BAR_INEXACT)
    at = put_bool(out, at, b"complete", not bar.flags & BAR_INCOMPLETE)
    out[0] = <char>0xDE  # map 16
    out[1] = 0
    out[2] = <char>entries
    return at


cdef int in_protobuf(
    char* out, const char* symbol, size_t length, const BarRecord* bar
) noexcept nogil:
    cdef const char* interval = SPAN_NAMES[bar.span]
    cdef const char* state = STATE_NAMES[bar.state]
    cdef int at = protobuf.put_string(out, 0, BAR_SYMBOL, symbol, length)
    at = protobuf.put_string(out, at, BAR_CHANNEL, b"bars", 4)
    at = protobuf.put_string(out, at, BAR_INTERVAL, interval, strlen(interval))
    at = protobuf.put_number(out, at, BAR_START, <uint64_t>bar.start)
    at = protobuf.put_string(out, at, BAR_STATE, state, strlen(state))
    if bar.flags & BAR_HAS_PRICE:
        at = protobuf.put_number(out, at, BAR_OPEN, <uint64_t>bar.open)
    if bar.flags & BAR_HAS_RANGE:
        at = protobuf.put_number(out, at, BAR_HIGH, <uint64_t>bar.high)
        at = protobuf.put_number(out, at, BAR_LOW, <uint64_t>bar.low)
    if bar.flags & BAR_HAS_PRICE:
        at = protobuf.put_number(out, at, BAR_CLOSE, <uint64_t>bar.close)
    if bar.volume:
        at = protobuf.put_number(out, at, BAR_VOLUME, bar.volume)
    if bar.trades:
        at = protobuf.put_number(out, at, BAR_TRADES, bar.trades)
    if bar.flags & BAR_HAS_VWAP:
        at = protobuf.put_number(out, at, BAR_VWAP, <uint64_t>bar.vwap)
    at = protobuf.put_number(out, at, BAR_TIMESTAMP, <uint64_t>bar.time)
    if bar.revision:
        at = protobuf.put_number(out, at, BAR_REVISION, bar.revision)
    if not bar.flags & BAR_INEXACT:
        at = protobuf.put_number(out, at, BAR_EXACT, 1)
    if not bar.flags & BAR_INCOMPLETE:
        at = protobuf.put_number(out, at, BAR_COMPLETE, 1)
    if bar.volume_high:
        at = protobuf.put_number(out, at, BAR_VOLUME_HIGH, bar.volume_high)
    if bar.size_exponent:
        at = protobuf.put_number(out, at, BAR_SIZE_EXPONENT, bar.size_exponent)
    return at


def encoded_bar(encoding: int, symbol: str, span: int, **words: int) -> bytes:
    """One frame from Python, `words` as in a BarRecord; for tests."""
    cdef BarFrame frame
    cdef BarRecord bar
    cdef bytes raw = symbol.encode("ascii")
    if not 0 < len(raw) < 24 or not 0 <= span < SPANS or not 0 <= words["state"] <= BAR_UPDATED:
        raise ValueError(f"symbol {symbol!r}, span {span}, state {words['state']}")
    memset(&bar, 0, sizeof(bar))
    bar.span, bar.state, bar.flags = span, words["state"], words["flags"]
    bar.size_exponent, bar.start = words.get("size_exponent", 0), words["start"]
    bar.open, bar.high = words.get("open", 0), words.get("high", 0)
    bar.low, bar.close = words.get("low", 0), words.get("close", 0)
    bar.volume = words.get("volume", 0) & 0xFFFFFFFFFFFFFFFF
    bar.volume_high = words.get("volume", 0) >> 64
    bar.vwap, bar.trades = words.get("vwap", 0), words.get("trades", 0)
    bar.time, bar.revision = words["time"], words.get("revision", 0)
    encode_bar(&frame, encoding, raw, len(raw), &bar)
    return frame.bytes[frame.start:frame.start + frame.length]
