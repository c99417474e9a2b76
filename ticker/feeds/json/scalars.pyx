"""Numbers and times written as text, to integers, digit by digit: no float on the way.

`units.parse_price` and `units.parse_timestamp` are the same for Python, and what these are
tested against.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from ticker.errors import DecodeError

cdef enum:
    LARGEST_POWER = 400          # of ten; beyond it everything but 0 is out of range

cdef uint64_t[20] POWERS
cdef int _power
POWERS[0] = 1
for _power in range(1, 20):
    POWERS[_power] = POWERS[_power - 1] * 10


cdef inline bint digit(char byte) noexcept nogil:
    return c"0" <= byte <= c"9"


cdef bint read_decimal(
    const char* text, size_t length, int decimals, bint cut, int64_t* out
) noexcept nogil:
    """Decimal text, with or without exponent, as a count of 10^-decimals.

    Finer digits than that must be zeros, or with `cut` are dropped (towards zero).
    """
    cdef const char* at = text
    cdef const char* end = text + length
    cdef bint negative = False
    cdef bint point = False
    cdef bint digits = False
    cdef bint dropped = False
    cdef uint64_t value = 0
    cdef int fraction = 0        # digits after the point that are in `value`
    cdef int whole_dropped = 0   # digits before the point that did not fit
    cdef int power = 0
    if at < end and (at[0] == c"-" or at[0] == c"+"):
        negative = at[0] == c"-"
        at += 1
    while at < end:
        if at[0] == c"." and not point:
            point = True
        elif not digit(at[0]):
            break
        else:
            digits = True
            if value < 1844674407370955161ULL:
                value = value * 10 + <uint64_t>(at[0] - c"0")
                fraction += point
            else:
                # The first digit that does not fit, and all after it.
                dropped = dropped or at[0] != c"0"
                whole_dropped += not point
        at += 1
    if not digits:
        return False
    if at < end and not read_power(at, end, &power):
        return False
    power += decimals - fraction + whole_dropped
    return scale(value, power, negative, dropped, cut, out)


cdef bint read_power(const char* at, const char* end, int* out) noexcept nogil:
    """The exponent of a number, `e` included; saturates at LARGEST_POWER."""
    cdef bint negative = False
    cdef int power = 0
    if at[0] != c"e" and at[0] != c"E":
        return False
    at += 1
    if at < end and (at[0] == c"-" or at[0] == c"+"):
        negative = at[0] == c"-"
        at += 1
    if at == end:
        return False
    while at < end:
        if not digit(at[0]):
            return False
        if power < LARGEST_POWER:
            power = power * 10 + (at[0] - c"0")
        at += 1
    out[0] = -power if negative else power
    return True


cdef bint scale(
    uint64_t value, int power, bint negative, bint dropped, bint cut, int64_t* out
) noexcept nogil:
    """value * 10^power, if that is an int64 (and whole, unless cut)."""
    cdef uint64_t whole
    if power >= 0:
        # A digit that was dropped is worth one of the result, or more; or less, and may be cut.
        if dropped and (power or not cut):
            return False
        if value and (power > 18 or value > 9223372036854775807ULL // POWERS[power]):
            return False
        value = value * POWERS[power] if value else 0
    else:
        whole = value // POWERS[-power] if power >= -19 else 0
        if not cut and (dropped or whole * (POWERS[-power] if power >= -19 else 0) != value):
            return False
        value = whole
    out[0] = -<int64_t>value if negative else <int64_t>value
    return True


cdef bint read_uint(const char* text, size_t length, uint64_t* out) noexcept nogil:
    """Digits only, up to 19 of them."""
    cdef uint64_t value = 0
    cdef size_t i
    if not 0 < length < 20:
        return False
    for i in range(length):
        if not digit(text[i]):
            return False
        value = value * 10 + <uint64_t>(text[i] - c"0")
    out[0] = value
    return True


cdef inline int two(const char* at) noexcept nogil:
    """Two digits, or a number below 0."""
    if not (digit(at[0]) and digit(at[1])):
        return -1000
    return (at[0] - c"0") * 10 + (at[1] - c"0")


cdef int64_t days_of(int year, int month, int day) noexcept nogil:
    """Days since 1970-01-01 (H. Hinnant, days_from_civil); years from 0 on."""
    cdef int64_t y = year - (1 if month <= 2 else 0) + 400
    cdef int64_t era = y // 400
    cdef int64_t yoe = y - era * 400
    cdef int64_t doy = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    cdef int64_t doe = yoe * 365 + yoe // 4 - yoe // 100 + doy
    return (era - 1) * 146097 + doe - 719468


cdef int days_in(int year, int month) noexcept nogil:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


cdef bint read_rfc3339(const char* text, size_t length, int64_t* out) noexcept nogil:
    """A time with an offset (RFC 3339, section 5.6), ns since the epoch; finer digits are cut.

    A leap second is the first second of the next minute, as POSIX time has it. Years from 1678
    to 2261, which an int64 of ns holds.
    """
    cdef int year, month, day, hour, minute, second, east_hour, east_minute
    cdef size_t at = 19
    cdef int64_t fraction = 0
    cdef int64_t unit = 100000000
    cdef int64_t seconds
    if length < 20 or text[4] != c"-" or text[7] != c"-" or text[13] != c":" or text[16] != c":":
        return False
    if text[10] != c"T" and text[10] != c"t" and text[10] != c" ":
        return False
    year = two(text) * 100 + two(text + 2)
    month, day = two(text + 5), two(text + 8)
    hour, minute, second = two(text + 11), two(text + 14), two(text + 17)
    if not (1678 <= year <= 2261 and 1 <= month <= 12 and 1 <= day <= days_in(year, month)):
        return False
    if not (0 <= hour < 24 and 0 <= minute < 60 and 0 <= second <= 60):
        return False
    seconds = days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second
    if text[at] == c".":
        at += 1
        if at == length or not digit(text[at]):
            return False
        while at < length and digit(text[at]):
            fraction += (text[at] - c"0") * unit
            unit //= 10
            at += 1
    if at == length:
        return False
    if text[at] == c"+" or text[at] == c"-":
        if length - at != 6 or text[at + 3] != c":":
            return False
        east_hour, east_minute = two(text + at + 1), two(text + at + 4)
        if not (0 <= east_hour < 24 and 0 <= east_minute < 60):
            return False
        east_minute += 60 * east_hour
        seconds += 60 * (-east_minute if text[at] == c"+" else east_minute)
    elif length - at != 1 or (text[at] != c"Z" and text[at] != c"z"):
        return False
    out[0] = seconds * 1000000000 + fraction
    return True


def decimal(text: bytes, decimals: int, cut: bool = False) -> int:
    """`read_decimal` from Python. Raises DecodeError."""
    cdef int64_t value = 0
    if not read_decimal(text, len(text), decimals, cut, &value):
        raise DecodeError(f"{text[:40]!r}: no decimal number of 1e-{decimals} in an int64")
    return value


def rfc3339(text: bytes) -> int:
    """`read_rfc3339` from Python. Raises DecodeError."""
    cdef int64_t value = 0
    if not read_rfc3339(text, len(text), &value):
        raise DecodeError(f"time {text[:40]!r}: not RFC 3339, like 2026-03-29T14:30:01.234Z")
    return value
