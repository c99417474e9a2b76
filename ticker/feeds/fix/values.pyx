"""What the values of FIX fields say: numbers and times, read where the bytes are.

Law: nothing here allocates, raises or rounds what it was not told to.
Source: FIX 4.4 volume 1 ("Data Types").
"""

from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint32_t, uint64_t

from ticker.errors import DecodeError

cdef enum:
    SECOND = 1000000000
    DAY_SECONDS = 86400

cdef int64_t[19] POWERS
cdef int _power
POWERS[0] = 1
for _power in range(1, 19):
    POWERS[_power] = 10 * POWERS[_power - 1]


cdef inline bint two(const uint8_t* text, uint32_t* value) noexcept nogil:
    value[0] = (text[0] - c"0") * 10 + (text[1] - c"0")
    return is_digit(text[0]) and is_digit(text[1])


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


cdef bint read_rounded(
    const uint8_t* text, size_t length, int kept, int decimals, int64_t* value
) noexcept nogil:
    """read_decimal of what may be finer: rounded to `kept` decimals, a half away from zero."""
    cdef size_t point = length
    cdef size_t i
    cdef int64_t step = 1
    for i in range(length):
        if text[i] == c".":
            point = i
            break
    if length <= point + 1 + <size_t>kept:
        return read_decimal(text, length, decimals, value)
    for i in range(point + 1 + <size_t>kept, length):
        if not is_digit(text[i]):
            return False
    # "12." is a number and ".5" is one, but of ".5" without decimals nothing is left to read.
    if not read_decimal(text, point + 1 + <size_t>kept, decimals, value):
        if kept or point > <size_t>(length > 0 and text[0] == c"-"):
            return False
        value[0] = 0
    if text[point + 1 + <size_t>kept] < c"5":
        return True
    step = POWERS[decimals - kept]
    if text[0] == c"-":
        if value[0] < -INT64_MAX + step:
            return False
        value[0] -= step
    else:
        if value[0] > INT64_MAX - step:
            return False
        value[0] += step
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

def decimal(text: bytes, decimals: int = 9) -> int:
    """A FIX float times 10^decimals, exactly. Raises DecodeError."""
    cdef int64_t value
    if not 0 <= decimals <= 18 or not read_decimal(text, len(text), decimals, &value):
        raise DecodeError(f"FIX float {text[:40]!r}: not a decimal number of {decimals} decimals")
    return value


def rounded(text: bytes, kept: int, decimals: int = 9) -> int:
    """A FIX float rounded to `kept` decimals, times 10^decimals. Raises DecodeError."""
    cdef int64_t value
    if not 0 <= kept <= decimals <= 18 or not read_rounded(
        text, len(text), kept, decimals, &value
    ):
        raise DecodeError(f"FIX float {text[:40]!r}: not a decimal number")
    return value


def timestamp(text: bytes) -> int:
    """A UTCTimestamp as ns since the epoch. Raises DecodeError."""
    cdef int64_t ns
    if not read_timestamp(text, len(text), &ns):
        raise DecodeError(f"FIX time {text[:40]!r}: not like 20260329-14:30:01.234")
    return ns
