"""The client's end of the protocol: frames and flat JSON objects, without Python objects.

Nothing here is shared with the gateway, so the two can only agree by way of the protocol.
"""

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcmp, memcpy


cdef int64_t read_frame(const uint8_t* data, size_t length, Frame* out) noexcept nogil:
    """One unmasked server frame (RFC 6455, 5.2): bytes used, 0 when it is not whole yet, -1
    when it is masked, fragmented, longer than 16 MiB, or has a reserved bit but RSV1."""
    cdef size_t head = 2
    cdef uint64_t size
    cdef int i
    if length < 2:
        return 0
    if not data[0] & 0x80 or data[1] & 0x80 or data[0] & 0x30:
        return -1
    size = data[1]
    if size == 126:
        if length < 4:
            return 0
        size = (<uint64_t>data[2] << 8) | data[3]
        head = 4
    elif size == 127:
        if length < 10:
            return 0
        size = 0
        for i in range(8):
            size = (size << 8) | data[2 + i]
        head = 10
        if size > (1 << 24):
            return -1
    if length - head < size:
        return 0
    out.opcode = data[0] & 0x0F
    out.deflated = data[0] & 0x40 != 0
    out.payload = data + head
    out.length = size
    return <int64_t>(head + size)


cdef size_t write_frame(
    uint8_t* out, int opcode, const uint8_t* payload, size_t length
) noexcept nogil:
    """One masked client frame of at most 65,535 bytes; `out` has room for length + 8."""
    cdef size_t at, i
    cdef uint8_t[4] mask
    mask[0] = 0x37
    mask[1] = 0xFA
    mask[2] = 0x21
    mask[3] = 0x3D
    out[0] = 0x80 | <uint8_t>opcode
    if length < 126:
        out[1] = 0x80 | <uint8_t>length
        at = 2
    else:
        out[1] = 0x80 | 126
        out[2] = <uint8_t>(length >> 8)
        out[3] = <uint8_t>(length & 0xFF)
        at = 4
    memcpy(out + at, mask, 4)
    at += 4
    for i in range(length):
        out[at + i] = payload[i] ^ mask[i & 3]
    return at + length


cdef inline bint same(const char* at, size_t length, const char* name, size_t size) noexcept nogil:
    return length == size and memcmp(at, name, size) == 0


cdef int64_t read_price(const char* at, size_t length) noexcept nogil:
    """An exact decimal in 1e-9 units, NO_PRICE when it is not one, TAKEN_BACK for null."""
    cdef int64_t value = 0
    cdef int decimals = -1
    cdef size_t i
    cdef bint negative = length > 1 and at[0] == c"-"
    if same(at, length, "null", 4):
        return TAKEN_BACK
    if not 0 < length < 24:
        return NO_PRICE
    for i in range(negative, length):
        if at[i] == c"." and decimals < 0:
            decimals = 0
        elif c"0" <= at[i] <= c"9" and decimals < 9:
            value = value * 10 + (at[i] - c"0")
            if decimals >= 0:
                decimals += 1
        else:
            return NO_PRICE
    decimals = 0 if decimals < 0 else decimals
    while decimals < 9:
        value *= 10
        decimals += 1
    return -value if negative else value


cdef int64_t digits(const char* at, int count) noexcept nogil:
    """`count` decimal digits, -1 when one of them is none."""
    cdef int64_t value = 0
    cdef int i
    for i in range(count):
        if not c"0" <= at[i] <= c"9":
            return -1
        value = value * 10 + (at[i] - c"0")
    return value


cdef int64_t civil_second(const char* at) noexcept nogil:
    """Epoch second of 2026-03-29T14:30:01, -1 when it is not of that form (H. Hinnant,
    days_from_civil)."""
    cdef int64_t year = digits(at, 4), month = digits(at + 5, 2), day = digits(at + 8, 2)
    cdef int64_t hour = digits(at + 11, 2), minute = digits(at + 14, 2)
    cdef int64_t second = digits(at + 17, 2)
    cdef int64_t era, yoe, doy
    if year < 1970 or month < 1 or day < 1 or hour < 0 or minute < 0 or second < 0:
        return -1
    if at[4] != c"-" or at[7] != c"-" or at[10] != c"T" or at[13] != c":" or at[16] != c":":
        return -1
    if month <= 2:
        year -= 1
    era = year // 400
    yoe = year - era * 400
    doy = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    return (
        (era * 146097 + yoe * 365 + yoe // 4 - yoe // 100 + doy - 719468) * 86400
        + hour * 3600 + minute * 60 + second
    )


cdef int64_t read_time(const char* at, size_t length, SecondCache* cache) noexcept nogil:
    """2026-03-29T14:30:01.234000Z in ns since the epoch, -1 when it is not of that form."""
    cdef int64_t micros
    if length != 27 or at[19] != c"." or at[26] != c"Z":
        return -1
    micros = digits(at + 20, 6)
    if micros < 0:
        return -1
    if memcmp(at, cache.text, 19) != 0:
        cache.second = civil_second(at)
        memcpy(cache.text, at, 19)
    if cache.second < 0:
        return -1
    return cache.second * 1000000000 + micros * 1000


cdef void take_member(
    const char* key, size_t key_length, const char* value, size_t length,
    SecondCache* cache, Message* out,
) noexcept nogil:
    """One member of the object; a value that is not what its name promises is malformed."""
    if same(key, key_length, "type", 4):
        take_kind(value, length, out)
    elif same(key, key_length, "symbol", 6):
        out.symbol = value
        out.symbol_length = length
    elif same(key, key_length, "price", 5):
        out.price = read_price(value, length)
    elif same(key, key_length, "timestamp", 9):
        out.time = read_time(value, length, cache)
    elif same(key, key_length, "seq", 3):
        out.seq = digits(value, <int>length) if length < 19 else -1
    elif same(key, key_length, "previous_seq", 12):
        out.previous_seq = digits(value, <int>length) if length < 19 else -1
    elif same(key, key_length, "skipped", 7):
        out.skipped = digits(value, <int>length) if length < 19 else -1
    elif same(key, key_length, "code", 4):
        out.code = digits(value, <int>length) if length < 19 else -1


cdef void take_kind(const char* name, size_t length, Message* out) noexcept nogil:
    """By the value of `type`. A whole book counts as a snapshot, a delta as an update."""
    out.is_book = same(name, length, "depth", 5) or same(name, length, "delta", 5)
    if out.is_book:
        out.kind = MESSAGE_SNAPSHOT if name[2] == c"p" else MESSAGE_UPDATE
    else:
        out.kind = kind_of(name, length)


cdef MessageKind kind_of(const char* name, size_t length) noexcept nogil:
    """The kind of any other message."""
    if same(name, length, "update", 6):
        return MESSAGE_UPDATE
    if same(name, length, "snapshot", 8):
        return MESSAGE_SNAPSHOT
    if same(name, length, "lagged", 6):
        return MESSAGE_LAGGED
    return MESSAGE_ERROR if same(name, length, "error", 5) else MESSAGE_OTHER


cdef void begin_message(Message* out) noexcept nogil:
    out.kind = MESSAGE_OTHER
    out.symbol = NULL
    out.symbol_length = 0
    out.time = out.seq = out.skipped = out.code = out.previous_seq = -1
    out.is_book = False
    out.price = NO_PRICE


cdef void check_message(Message* out) noexcept nogil:
    """A price without its symbol, price or timestamp is malformed, a book without its symbol, seq or
    timestamp, and a `lagged` of nothing."""
    if out.kind == MESSAGE_UPDATE or out.kind == MESSAGE_SNAPSHOT:
        if (out.symbol_length == 0 or out.time < 0
                or (out.seq < 0 if out.is_book else out.price == NO_PRICE)):
            out.kind = MESSAGE_MALFORMED
    elif out.kind == MESSAGE_LAGGED and out.skipped <= 0:
        out.kind = MESSAGE_MALFORMED


cdef const char* string_end(const char* at, const char* end) noexcept nogil:
    """The closing quote of the string that begins at `at`, NULL when there is none."""
    while at < end and at[0] != c'"':
        at += 2 if at[0] == c"\\" else 1
    return at if at < end else NULL


cdef const char* value_end(const char* at, const char* end) noexcept nogil:
    """Past the end of a number, literal, array or object."""
    cdef int depth = 0
    while at < end:
        if at[0] == c'"':
            at = string_end(at + 1, end)
            if at == NULL:
                return NULL
        elif at[0] == c"{" or at[0] == c"[":
            depth += 1
        elif depth == 0 and (at[0] == c"," or at[0] == c"}" or at[0] == c" "):
            return at
        elif at[0] == c"}" or at[0] == c"]":
            depth -= 1
        at += 1
    return NULL


cdef inline const char* skip_space(const char* at, const char* end) noexcept nogil:
    while at < end and (at[0] == c" " or at[0] == c"\n" or at[0] == c"\t" or at[0] == c"\r"):
        at += 1
    return at


cdef bint read_members(
    const char* at, const char* end, SecondCache* cache, Message* out
) noexcept nogil:
    cdef const char* key
    cdef const char* key_end
    cdef const char* value
    at = skip_space(at, end)
    while at < end and at[0] == c'"':
        key = at + 1
        key_end = string_end(key, end)
        if key_end == NULL:
            return False
        at = skip_space(key_end + 1, end)
        if at >= end or at[0] != c":":
            return False
        value = skip_space(at + 1, end)
        if value < end and value[0] == c'"':
            value += 1
            at = string_end(value, end)
            if at == NULL:
                return False
            take_member(key, key_end - key, value, at - value, cache, out)
            at += 1
        else:
            at = value_end(value, end)
            if at == NULL:
                return False
            take_member(key, key_end - key, value, at - value, cache, out)
        at = skip_space(at, end)
        if at < end and at[0] == c"}":
            return skip_space(at + 1, end) == end
        if at >= end or at[0] != c",":
            return False
        at = skip_space(at + 1, end)
    return False


cdef void read_message(
    const char* data, size_t length, SecondCache* cache, Message* out
) noexcept nogil:
    """One JSON object of either dialect; MESSAGE_MALFORMED for anything else, or for a
    price message without its symbol, price or timestamp."""
    cdef const char* at = data
    cdef const char* end = data + length
    begin_message(out)
    at = skip_space(at, end)
    if at >= end or at[0] != c"{" or not read_members(at + 1, end, cache, out):
        out.kind = MESSAGE_MALFORMED
    check_message(out)


cdef dict as_dict(const Message* message):
    books = {"previous_seq": message.previous_seq} if message.is_book else {}
    names = ("other", "snapshot", "update", "error", "lagged", "malformed")
    return {
        "kind": names[<int>message.kind],
        "symbol": message.symbol[:message.symbol_length] if message.symbol != NULL else b"",
        "time": message.time, "price": message.price, "seq": message.seq,
        "skipped": message.skipped, "code": message.code, **books,
    }


def parse_message(data: bytes) -> dict[str, object]:
    """What the swarm reads out of one JSON message, for tests and for looking at."""
    cdef SecondCache cache
    cdef Message out
    cache.second = -1
    cache.text[0] = 0
    read_message(data, len(data), &cache, &out)
    return as_dict(&out)


def parse_frame(data: bytes) -> tuple[int, int, bytes]:
    """(bytes used, opcode, payload) of the first frame, which is not deflated; see read_frame for 0
    and -1."""
    cdef Frame frame
    cdef int64_t used = read_frame(data, len(data), &frame)
    if used > 0 and frame.deflated:
        used = -1
    if used <= 0:
        return used, -1, b""
    return used, frame.opcode, frame.payload[:frame.length]


def client_frame(opcode: int, payload: bytes) -> bytes:
    """One masked frame as the swarm sends it.

    Raises:
        ValueError: more than 65,535 bytes.
    """
    if len(payload) > 65535:
        raise ValueError(f"payload of {len(payload)} bytes: at most 65535")
    cdef bytearray out = bytearray(len(payload) + 8)
    cdef uint8_t* raw = <uint8_t*>out
    return bytes(out[:write_frame(raw, opcode, payload, len(payload))])
