"""The client's end of the binary encodings: one MessagePack map, one Protobuf ServerMessage.

Law: as in message.pyx, nothing is shared with the gateway; field names and numbers are those of
the published protocol. Any bytes give a message or MESSAGE_MALFORMED.
Sources: github.com/msgpack/msgpack/blob/master/spec.md; protobuf.dev, "Encoding".
"""

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcmp

from ticker.bench.swarm.message cimport (
    MESSAGE_ERROR,
    MESSAGE_LAGGED,
    MESSAGE_MALFORMED,
    MESSAGE_OTHER,
    MESSAGE_SNAPSHOT,
    MESSAGE_UPDATE,
    Message,
    MessageKind,
    as_dict,
    begin_message,
    check_message,
    NO_PRICE,
    TAKEN_BACK,
    read_price,
    take_kind,
)

# One value: an unsigned integer, a string that points into the caller's bytes, or neither.
cdef struct Value:
    bint is_uint
    bint is_nil
    uint64_t number
    const uint8_t* text         # NULL: no string
    uint64_t length
    uint64_t items              # values that follow as its own: of an array or map


# ---- MessagePack ------------------------------------------------------------------------------

cdef inline uint64_t big_endian(const uint8_t* at, int size) noexcept nogil:
    cdef uint64_t value = 0
    cdef int i
    for i in range(size):
        value = value << 8 | at[i]
    return value


cdef const uint8_t* take_sized(
    const uint8_t* at, const uint8_t* end, int head, uint64_t more, bint text, Value* out
) noexcept nogil:
    """A string or bytes whose length has `head` bytes, and `more` bytes that do not count."""
    cdef uint64_t length
    if end - at < head:
        return NULL
    length = big_endian(at, head) + more
    at += head
    if <uint64_t>(end - at) < length:
        return NULL
    if text:
        out.text = at
        out.length = length
    return at + length


cdef const uint8_t* take_fixed(
    const uint8_t* at, const uint8_t* end, int size, bint is_uint, Value* out
) noexcept nogil:
    if end - at < size:
        return NULL
    out.is_uint = is_uint
    out.number = big_endian(at, size if size <= 8 else 8)
    return at + size


cdef const uint8_t* take_group(
    const uint8_t* at, const uint8_t* end, int head, int each, Value* out
) noexcept nogil:
    if end - at < head:
        return NULL
    out.items = big_endian(at, head) * each
    return at + head


cdef const uint8_t* take_value(
    const uint8_t* at, const uint8_t* end, Value* out
) noexcept nogil:
    """The value at `at`; where the next begins, NULL when it is not whole or not one."""
    cdef uint8_t code
    out.is_uint = out.is_nil = False
    out.text = NULL
    out.length = out.number = out.items = 0
    if at >= end:
        return NULL
    code = at[0]
    at += 1
    if code < 0x80:
        out.is_uint = True
        out.number = code
        return at
    if code < 0xA0:
        out.items = (code & 0x0F) * (2 if code < 0x90 else 1)
        return at
    if code < 0xC0:
        return take_sized(at, end, 0, code & 0x1F, True, out)
    out.is_nil = code == 0xC0
    if code >= 0xE0 or out.is_nil or code == 0xC2 or code == 0xC3:
        return at  # a small negative, nil, false, true
    if 0xCC <= code <= 0xCF:
        return take_fixed(at, end, 1 << (code - 0xCC), True, out)
    if 0xD0 <= code <= 0xD3:
        return take_fixed(at, end, 1 << (code - 0xD0), False, out)
    if code == 0xCA or code == 0xCB:
        return take_fixed(at, end, 4 if code == 0xCA else 8, False, out)
    if 0xD9 <= code <= 0xDB:
        return take_sized(at, end, 1 << (code - 0xD9), 0, True, out)
    if 0xC4 <= code <= 0xC6:
        return take_sized(at, end, 1 << (code - 0xC4), 0, False, out)
    if 0xC7 <= code <= 0xC9:
        return take_sized(at, end, 1 << (code - 0xC7), 1, False, out)
    if 0xD4 <= code <= 0xD8:
        return take_fixed(at, end, 1 + (1 << (code - 0xD4)), False, out)
    if code == 0xDC or code == 0xDD:
        return take_group(at, end, 2 << (code - 0xDC), 1, out)
    if code == 0xDE or code == 0xDF:
        return take_group(at, end, 2 << (code - 0xDE), 2, out)
    return NULL


cdef const uint8_t* skip_items(const uint8_t* at, const uint8_t* end, uint64_t items) noexcept nogil:
    """Past so many values with all that is in them; each takes a byte at least, so it ends."""
    cdef Value value
    while items:
        at = take_value(at, end, &value)
        if at == NULL or value.items > <uint64_t>(end - at):
            return NULL
        items += value.items - 1
    return at


cdef inline bint same(const Value* value, const char* name, uint64_t size) noexcept nogil:
    return value.length == size and value.text != NULL and memcmp(value.text, name, size) == 0


cdef void take_entry(const Value* key, const Value* value, Message* out) noexcept nogil:
    cdef bint small = value.is_uint and value.number < <uint64_t>1 << 52
    if same(key, b"type", 4) and value.text != NULL:
        take_kind(<const char*>value.text, value.length, out)
    elif same(key, b"symbol", 6) and value.text != NULL:
        out.symbol = <const char*>value.text
        out.symbol_length = value.length
    elif same(key, b"price", 5):
        out.price = TAKEN_BACK if value.is_nil else NO_PRICE
        if value.text != NULL:
            out.price = read_price(<const char*>value.text, value.length)
    elif same(key, b"timestamp", 9):
        out.time = <int64_t>value.number * 1000 if small else -1
    elif same(key, b"seq", 3):
        out.seq = <int64_t>value.number if small else -1
    elif same(key, b"previous_seq", 12):
        out.previous_seq = <int64_t>value.number if small else -1
    elif same(key, b"skipped", 7):
        out.skipped = <int64_t>value.number if small else -1
    elif same(key, b"code", 4):
        out.code = <int64_t>value.number if small else -1


cdef void read_msgpack(const uint8_t* data, size_t length, Message* out) noexcept nogil:
    """One map; times are integer microseconds, prices decimal strings."""
    cdef const uint8_t* at
    cdef const uint8_t* end = data + length
    cdef Value whole, key, value
    cdef uint64_t i
    begin_message(out)
    at = take_value(data, end, &whole)
    if at == NULL or not (0x80 <= data[0] < 0x90 or data[0] == 0xDE or data[0] == 0xDF):
        out.kind = MESSAGE_MALFORMED
        return
    for i in range(whole.items // 2):
        at = take_value(at, end, &key)
        if at == NULL or key.text == NULL:
            out.kind = MESSAGE_MALFORMED
            return
        at = take_value(at, end, &value)
        if at != NULL and value.items:
            at = skip_items(at, end, value.items)
        if at == NULL:
            out.kind = MESSAGE_MALFORMED
            return
        take_entry(&key, &value, out)
    if at != end:
        out.kind = MESSAGE_MALFORMED
    check_message(out)


# ---- Protobuf ---------------------------------------------------------------------------------

cdef const uint8_t* take_varint(
    const uint8_t* at, const uint8_t* end, uint64_t* out
) noexcept nogil:
    cdef int shift = 0
    out[0] = 0
    while at < end and shift < 64:
        out[0] |= <uint64_t>(at[0] & 0x7F) << shift
        if not at[0] & 0x80:
            return at + 1
        at += 1
        shift += 7
    return NULL


cdef const uint8_t* take_field(
    const uint8_t* at, const uint8_t* end, uint64_t* number, Value* out
) noexcept nogil:
    """The field at `at`; where the next begins, NULL when it is not whole or not one."""
    cdef uint64_t tag = 0
    cdef uint64_t length = 0
    out.is_uint = out.is_nil = False
    out.text = NULL
    out.length = out.number = out.items = 0
    at = take_varint(at, end, &tag)
    number[0] = tag >> 3
    if at == NULL or not number[0]:
        return NULL
    if tag & 7 == 0:
        out.is_uint = True
        return take_varint(at, end, &out.number)
    if tag & 7 == 2:
        at = take_varint(at, end, &length)
        if at == NULL or <uint64_t>(end - at) < length:
            return NULL
        out.text = at
        out.length = length
        return at + length
    if tag & 7 == 1 or tag & 7 == 5:
        length = 8 if tag & 7 == 1 else 4
        return at + length if <uint64_t>(end - at) >= length else NULL
    return NULL


cdef MessageKind kind_of_number(uint64_t number) noexcept nogil:
    """Of the field in ServerMessage's oneof."""
    if number == 1:
        return MESSAGE_SNAPSHOT
    if number == 2:
        return MESSAGE_UPDATE
    if number == 9:
        return MESSAGE_LAGGED
    return MESSAGE_ERROR if number == 13 else MESSAGE_OTHER


cdef bint read_fields(const uint8_t* at, const uint8_t* end, Message* out) noexcept nogil:
    """The fields of Snapshot, Update, Lagged or Error."""
    cdef uint64_t number = 0
    cdef Value value
    while at < end:
        at = take_field(at, end, &number, &value)
        if at == NULL:
            return False
        if out.kind == MESSAGE_ERROR:
            if number == 1:
                out.code = <int64_t>value.number if value.is_uint else -1
        elif number == 1 and value.text != NULL:
            out.symbol = <const char*>value.text
            out.symbol_length = value.length
        elif number == 2 and out.kind == MESSAGE_LAGGED:
            out.skipped = <int64_t>value.number if value.is_uint else -1
        elif number == 2:
            out.price = <int64_t>value.number if value.is_uint else NO_PRICE
        elif number == 3:
            out.time = <int64_t>value.number if value.is_uint else -1
        elif number == 4:
            out.seq = <int64_t>value.number if value.is_uint else -1
    return True


cdef void read_protobuf(const uint8_t* data, size_t length, Message* out) noexcept nogil:
    """One ServerMessage."""
    cdef const uint8_t* end = data + length
    cdef uint64_t number = 0
    cdef Value inner
    begin_message(out)
    if take_field(data, end, &number, &inner) != end or inner.text == NULL:
        out.kind = MESSAGE_MALFORMED
        return
    out.kind = kind_of_number(number)
    if out.kind == MESSAGE_UPDATE or out.kind == MESSAGE_SNAPSHOT:
        out.price = TAKEN_BACK  # unless there is one
    if out.kind != MESSAGE_OTHER:
        if not read_fields(inner.text, inner.text + inner.length, out):
            out.kind = MESSAGE_MALFORMED
    check_message(out)


def parse_binary(data: bytes, protobuf: bool) -> dict[str, object]:
    """What the swarm reads out of one MessagePack or Protobuf message, for tests."""
    cdef Message out
    if protobuf:
        read_protobuf(data, len(data), &out)
    else:
        read_msgpack(data, len(data), &out)
    return as_dict(&out)
