"""FIX tag=value text: fields, frames, numbers and times, read where the bytes are.

Law: nothing here allocates, raises or believes a length that it has not checked.
"""

from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp

from ticker.errors import DecodeError

cdef enum:
    SOH = 1
    SECOND = 1000000000
    DAY_SECONDS = 86400

cdef int64_t[19] POWERS
cdef int _power
POWERS[0] = 1
for _power in range(1, 19):
    POWERS[_power] = 10 * POWERS[_power - 1]


cdef inline bint is_digit(uint8_t byte) noexcept nogil:
    return <uint8_t>(byte - c"0") < 10


cdef inline bint two(const uint8_t* text, uint32_t* value) noexcept nogil:
    value[0] = (text[0] - c"0") * 10 + (text[1] - c"0")
    return is_digit(text[0]) and is_digit(text[1])


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


cdef uint32_t data_field(uint32_t tag) noexcept nogil:
    """The data field that the length field `tag` is for, 0: it is none (FIX 4.4, volume 6)."""
    if tag == 95 or tag == 354 or tag == 348 or tag == 350 or tag == 352 or tag == 356:
        return tag + 1
    if tag == 358 or tag == 360 or tag == 362 or tag == 364 or tag == 445 or tag == 212:
        return tag + 1
    if tag == 90 or tag == 618 or tag == 621:
        return tag + 1
    return 89 if tag == 93 else 0


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
    cursor.data_tag = data_field(tag) if 90 <= tag <= 621 else 0
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
    header.whole = required == 5


cdef inline bint is_header(uint32_t tag) noexcept nogil:
    return (tag == 50 or tag == 57 or tag == 97 or tag == 122 or 115 <= tag <= 116
            or 128 <= tag <= 129 or 142 <= tag <= 145 or tag == 369 or tag == 370
            or tag == 347 or 90 <= tag <= 91 or 212 <= tag <= 213 or 627 <= tag <= 630)


cdef bint read_uint(const uint8_t* text, size_t length, uint64_t* value) noexcept nogil:
    """Digits only, at most 18 of them."""
    cdef uint64_t number = 0
    cdef size_t i
    if not length or length > 18:
        return False
    for i in range(length):
        if not is_digit(text[i]):
            return False
        number = number * 10 + (text[i] - c"0")
    value[0] = number
    return True


cdef bint read_decimal(
    const uint8_t* text, size_t length, int decimals, int64_t* value
) noexcept nogil:
    """`[-]digits[.digits]` times 10^decimals, exactly; False: no such number, finer, too large.

    `decimals` is at most 18. Data type float of FIX 4.4: no exponent, no plus sign.
    """
    cdef const uint8_t* end = text + length
    cdef bint negative = length > 0 and text[0] == c"-"
    cdef int64_t number = 0
    cdef int fraction = -1               # decimals read, -1: no point yet
    cdef bint any_digit = False
    if negative:
        text += 1
    while text < end:
        if text[0] == c"." and fraction < 0:
            fraction = 0
        elif not is_digit(text[0]):
            return False
        else:
            any_digit = True
            if fraction >= decimals:
                if text[0] != c"0":
                    return False
            else:
                if number > (INT64_MAX - 9) // 10:
                    return False
                number = number * 10 + (text[0] - c"0")
                fraction += fraction >= 0
        text += 1
    if not any_digit:
        return False
    decimals -= max(fraction, 0)
    if number > INT64_MAX // POWERS[decimals]:
        return False
    number *= POWERS[decimals]
    value[0] = -number if negative else number
    return True


cdef bint read_date(const uint8_t* text, int64_t* midnight) noexcept nogil:
    """YYYYMMDD, eight bytes, as ns of its UTC midnight (H. Hinnant, days_from_civil)."""
    cdef uint32_t century, rest, month, day, year, era_year
    if not (two(text, &century) and two(text + 2, &rest) and two(text + 4, &month)
            and two(text + 6, &day)):
        return False
    year = century * 100 + rest
    if not 1970 <= year <= 2261 or not 1 <= month <= 12 or not 1 <= day <= 31:
        return False
    if day > 30 and (month == 4 or month == 6 or month == 9 or month == 11):
        return False
    if month == 2 and day > (29 if year % 4 == 0 and (year % 100 or year % 400 == 0) else 28):
        return False
    year -= month <= 2
    era_year = year % 400
    midnight[0] = <int64_t>(
        (year // 400) * 146097 + era_year * 365 + era_year // 4 - era_year // 100
        + (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    ) - 719468
    midnight[0] *= <int64_t>DAY_SECONDS * SECOND
    return True


cdef bint read_time_of_day(const uint8_t* text, size_t length, int64_t* ns) noexcept nogil:
    """HH:MM:SS[.s to .sssssssss] as ns since midnight; a leap second is the next minute."""
    cdef uint32_t hour, minute, second
    cdef uint64_t fraction = 0
    if length < 8 or text[2] != c":" or text[5] != c":":
        return False
    if not (two(text, &hour) and two(text + 3, &minute) and two(text + 6, &second)):
        return False
    if hour > 23 or minute > 59 or second > 60:
        return False
    if length > 8:
        if text[8] != c"." or length > 18 or not read_uint(text + 9, length - 9, &fraction):
            return False
        fraction *= <uint64_t>POWERS[18 - length]
    ns[0] = <int64_t>(hour * 3600 + minute * 60 + second) * SECOND + <int64_t>fraction
    return True


cdef bint read_timestamp(const uint8_t* text, size_t length, int64_t* ns) noexcept nogil:
    """YYYYMMDD-HH:MM:SS[.s...] as ns since the epoch, UTC."""
    cdef int64_t midnight, time
    if length < 17 or text[8] != c"-" or not read_date(text, &midnight):
        return False
    if not read_time_of_day(text + 9, length - 9, &time):
        return False
    ns[0] = midnight + time
    return True


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


def decimal(text: bytes, decimals: int = 9) -> int:
    """A FIX float times 10^decimals, exactly. Raises DecodeError."""
    cdef int64_t value
    if not 0 <= decimals <= 18 or not read_decimal(text, len(text), decimals, &value):
        raise DecodeError(f"FIX float {text[:40]!r}: not a decimal number of {decimals} decimals")
    return value


def timestamp(text: bytes) -> int:
    """A UTCTimestamp as ns since the epoch. Raises DecodeError."""
    cdef int64_t ns
    if not read_timestamp(text, len(text), &ns):
        raise DecodeError(f"FIX time {text[:40]!r}: not like 20260329-14:30:01.234")
    return ns
