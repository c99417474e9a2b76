"""FIX tag=value text: fields and frames, read where the bytes are.

Law: nothing here allocates, raises or believes a length that it has not checked.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp

from ticker.feeds.fix.values cimport is_digit, read_timestamp, read_uint

from ticker.errors import DecodeError
from ticker.feeds.fix.message import DATA_LENGTHS

cdef enum:
    SOH = 1

cdef enum:
    LAST_LENGTH_TAG = 621

# The data field that each length field is for, 0: it is none (FIX 4.4, volume 6).
cdef uint16_t[LAST_LENGTH_TAG + 1] data_fields
for _length_tag, _data_tag in DATA_LENGTHS.items():
    data_fields[<int>_length_tag] = _data_tag


cdef FrameState read_frame(
    const uint8_t* data, const uint8_t* end, size_t longest, Frame* frame
) noexcept nogil:
    """The frame that starts at `data`: 8=..|9=..|35=.. first, 10=ccc last."""
    cdef const uint8_t* at
    cdef const uint8_t* limit = min(end, data + 2 + LONGEST_BEGIN_STRING)
    cdef const uint8_t* trailer
    cdef uint64_t length = 0
    cdef int digits = 0
    frame.after = data + 1
    if end - data < 2:
        return FRAME_CUT
    if data[0] != c"8" or data[1] != c"=":
        return FRAME_GARBLED
    frame.begin_string = data + 2
    at = data + 2
    while at < limit and at[0] != SOH:
        at += 1
    if at == limit:
        return FRAME_CUT if limit == end else FRAME_GARBLED
    frame.begin_string_length = <size_t>(at - frame.begin_string)
    at += 1
    if end - at < 2:
        return FRAME_CUT
    if at[0] != c"9" or at[1] != c"=":
        return FRAME_GARBLED
    at += 2
    while at < end and is_digit(at[0]) and digits < MOST_LENGTH_DIGITS:
        length = length * 10 + (at[0] - c"0")
        at += 1
        digits += 1
    if at == end:
        return FRAME_CUT
    if at[0] != SOH or not digits or length > longest or length < 5:
        return FRAME_GARBLED
    frame.body = at + 1
    frame.body_length = length
    frame.length = <size_t>(frame.body - data) + length + TRAILER
    if <size_t>(end - data) < frame.length:
        return FRAME_CUT
    trailer = frame.body + length
    frame.after = trailer
    if (memcmp(frame.body, b"35=", 3) or (trailer - 1)[0] != SOH or memcmp(trailer, b"10=", 3)
            or trailer[6] != SOH):
        return FRAME_GARBLED
    if not (is_digit(trailer[3]) and is_digit(trailer[4]) and is_digit(trailer[5])):
        return FRAME_GARBLED
    length = 100 * (trailer[3] - c"0") + 10 * (trailer[4] - c"0") + (trailer[5] - c"0")
    if length != byte_sum(data, <size_t>(trailer - data)):
        return FRAME_GARBLED
    frame.after = trailer + TRAILER
    return FRAME_WHOLE


cdef const uint8_t* find_start(const uint8_t* data, const uint8_t* end) noexcept nogil:
    """Where the next frame may start at or after `data`: at "8=FIX", or at the beginning of it
    that the end cuts; `end` if nowhere."""
    cdef size_t left
    while data < end:
        if data[0] == c"8":
            left = <size_t>(end - data)
            if not memcmp(data, b"8=FIX", min(left, <size_t>5)):
                return data
        data += 1
    return end


cdef bint next_field(Cursor* cursor, Field* field) noexcept nogil:
    """The next field; False at the end, and at a field that is none (`malformed`)."""
    cdef const uint8_t* at = cursor.at
    cdef const uint8_t* end = cursor.end
    cdef uint32_t tag = 0
    cdef const uint8_t* stop
    if at >= end:
        return False
    stop = at + 9
    while at < end and is_digit(at[0]) and at < stop:
        tag = tag * 10 + (at[0] - c"0")
        at += 1
    if at == end or at[0] != c"=" or not tag or cursor.at[0] == c"0":
        cursor.malformed = True
        return False
    at += 1
    field.tag = tag
    field.value = at
    if cursor.data_tag and cursor.data_tag == tag:
        if cursor.data_length >= <uint64_t>(end - at):
            cursor.malformed = True
            return False
        at += cursor.data_length
        if at[0] != SOH:
            cursor.malformed = True
            return False
    else:
        at = find_soh(at, end)
        if at == end:
            cursor.malformed = True
            return False
    field.length = <uint32_t>(at - field.value)
    cursor.at = at + 1
    cursor.data_tag = data_fields[tag] if tag <= LAST_LENGTH_TAG else 0
    if cursor.data_tag and not read_uint(field.value, field.length, &cursor.data_length):
        cursor.data_tag = 0
    return True


cdef void read_header(const uint8_t* body, size_t length, Header* header) noexcept nogil:
    """The header fields before the first field of the body proper."""
    cdef Cursor cursor
    cdef Field field
    cdef int required = 0
    header.kind = 0
    header.sequence = 0
    header.sending_time = 0
    header.sender.length = header.target.length = 0
    header.possible_duplicate = False
    header.end = body
    walk(&cursor, body, length)
    while next_field(&cursor, &field):
        if field.tag == 35:
            required += 1
            if field.length == 1:
                header.kind = field.value[0]
            elif field.length == 2:
                header.kind = (<uint32_t>field.value[0] << 8) | field.value[1]
            else:
                break
        elif field.tag == 34:
            required += 1
            if not read_uint(field.value, field.length, &header.sequence):
                break
        elif field.tag == 49:
            required += 1
            header.sender = field
        elif field.tag == 56:
            required += 1
            header.target = field
        elif field.tag == 52:
            required += 1
            if not read_timestamp(field.value, field.length, &header.sending_time):
                break
        elif field.tag == 43:
            header.possible_duplicate = field.length == 1 and field.value[0] == c"Y"
        elif not is_header(field.tag):
            break
        header.end = cursor.at
    header.whole = required == 5


cdef inline bint is_header(uint32_t tag) noexcept nogil:
    return (tag == 50 or tag == 57 or tag == 97 or tag == 122 or 115 <= tag <= 116
            or 128 <= tag <= 129 or 142 <= tag <= 145 or tag == 369 or tag == 370
            or tag == 347 or 90 <= tag <= 91 or 212 <= tag <= 213 or 627 <= tag <= 630)


# What Python sees

def fields(body: bytes) -> list[tuple[int, bytes]]:
    """(tag, value) of each field of a run of fields. Raises DecodeError: not such a run."""
    cdef Cursor cursor
    cdef Field field
    cdef const uint8_t* data = body
    found = []
    walk(&cursor, data, len(body))
    while next_field(&cursor, &field):
        found.append((field.tag, field.value[:field.length]))
    if cursor.malformed:
        raise DecodeError(f"FIX field at byte {cursor.at - data}: not tag=value and SOH")
    return found


def frame(data: bytes, longest: int = 1 << 20) -> tuple[bytes, bytes] | None:
    """BeginString and body of the frame at the start of `data`; None: it is cut.

    Raises DecodeError: garbled (BeginString, BodyLength, MsgType or CheckSum).
    """
    cdef Frame found
    cdef const uint8_t* start = data
    cdef FrameState state = read_frame(start, start + len(data), longest, &found)
    if state == FRAME_GARBLED:
        raise DecodeError("FIX frame: garbled (8=, 9=, 35= first, a right 10= last)")
    if state == FRAME_CUT:
        return None
    return (
        found.begin_string[:found.begin_string_length], found.body[:found.body_length]
    )


def header(body: bytes) -> tuple[str, int, int]:
    """MsgType and MsgSeqNum of a body, "" and 0: what has none that is well formed; and how many
    bytes its header has."""
    cdef Header found
    cdef const uint8_t* data = body
    read_header(data, len(body), &found)
    kind = bytes([found.kind >> 8, found.kind & 0xFF]) if found.kind > 0xFF else bytes([found.kind])
    end = found.end - data
    return ("", 0, end) if not found.kind else (kind.decode("latin-1"), found.sequence, end)
