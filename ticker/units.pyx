"""Prices and times as integers, and their exact text.

A price is an int64 in units of 1e-9; a size is a uint64 in units of 10^-exponent; a time is an
int64 of ns since the epoch, UTC. No float ever holds one of them.
One thread per process writes timestamps: the last second's text is kept (write_timestamp).
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef extern from *:
    """
    #include <stdint.h>
    static inline uint64_t ticker_divide(uint64_t *high, uint64_t *low, uint64_t by) {
        unsigned __int128 value = (unsigned __int128)*high << 64 | *low;
        uint64_t rest = (uint64_t)(value % by);
        value /= by;
        *high = (uint64_t)(value >> 64);
        *low = (uint64_t)value;
        return rest;
    }
    """
    # Divide a number of 128 bits; the rest.
    uint64_t divide "ticker_divide"(uint64_t* high, uint64_t* low, uint64_t by) nogil

import re
from datetime import UTC, date, datetime

from ticker.errors import DecodeError

PRICE_SCALE = 1_000_000_000
PRICE_DECIMALS = 9
MAX_PRICE = 2**63 - 1
MAX_SIZE = 2**64 - 1

cdef char[200] PAIRS
cdef int _pair
for _pair in range(100):
    PAIRS[2 * _pair] = 48 + _pair // 10
    PAIRS[2 * _pair + 1] = 48 + _pair % 10


cdef inline void two_digits(char* out, uint32_t value) noexcept nogil:
    memcpy(out, &PAIRS[2 * value], 2)


cdef int write_uint(char* out, uint64_t value) noexcept nogil:
    """The decimal digits of `value`, no terminator; how many bytes (at most 20)."""
    cdef char[20] digits
    cdef int at = 20
    cdef uint64_t rest
    while value >= 100:
        rest = value // 100
        at -= 2
        two_digits(&digits[at], <uint32_t>(value - rest * 100))
        value = rest
    if value >= 10:
        at -= 2
        two_digits(&digits[at], <uint32_t>value)
    else:
        at -= 1
        digits[at] = <char>(48 + value)
    memcpy(out, &digits[at], 20 - at)
    return 20 - at


cdef int write_fraction(char* out, uint64_t fraction, int decimals) noexcept nogil:
    """'.' and `decimals` digits of `fraction` without trailing zeros; nothing for 0."""
    cdef int used = decimals
    cdef int at
    if not fraction:
        return 0
    while fraction % 10 == 0:
        fraction //= 10
        used -= 1
    out[0] = c"."
    at = used
    while at > 0:
        out[at] = <char>(48 + fraction % 10)
        fraction //= 10
        at -= 1
    return used + 1


cdef int write_price(char* out, int64_t price) noexcept nogil:
    """A price as the shortest exact decimal, at least one digit before the point; its length."""
    cdef int length = 0
    cdef uint64_t magnitude, whole, fraction, cents
    if price < 0:
        out[0] = c"-"
        length = 1
        magnitude = <uint64_t>0 - <uint64_t>price
    else:
        magnitude = <uint64_t>price
    whole = magnitude // 1000000000
    fraction = magnitude - whole * 1000000000
    length += write_uint(out + length, whole)
    if not fraction:
        return length
    cents = fraction // 10000000
    if cents * 10000000 == fraction:
        # whole cents: most prices of most venues
        out[length] = c"."
        two_digits(out + length + 1, <uint32_t>cents)
        return length + (2 if out[length + 2] == c"0" else 3)
    return length + write_fraction(out + length, fraction, 9)


cdef int write_size(char* out, uint64_t size, uint64_t exponent) noexcept nogil:
    """A size in 10^-exponent units as the shortest exact decimal; its length.

    `exponent` is at most MAX_SIZE_EXPONENT: no row has more (TableWriter.append refuses it).
    """
    cdef uint64_t scale = 1
    cdef uint64_t i
    cdef int length
    if not exponent:
        return write_uint(out, size)
    assert exponent <= MAX_SIZE_EXPONENT
    for i in range(exponent):
        scale *= 10
    length = write_uint(out, size // scale)
    return length + write_fraction(out + length, size % scale, <int>exponent)


cdef int write_volume(
    char* out, uint64_t high, uint64_t low, uint64_t exponent
) noexcept nogil:
    """A size of 128 bits, as write_size."""
    cdef uint64_t scale = 1
    cdef uint64_t i, fraction
    cdef int length
    if not high:
        return write_size(out, low, exponent)
    assert exponent <= MAX_SIZE_EXPONENT
    for i in range(exponent):
        scale *= 10
    fraction = divide(&high, &low, scale)
    length = write_uint128(out, high, low)
    return length + write_fraction(out + length, fraction, <int>exponent)


cdef int write_uint128(char* out, uint64_t high, uint64_t low) noexcept nogil:
    """As write_uint, up to 39 bytes."""
    cdef char[40] digits
    cdef int at = 40
    while high or low or at == 40:
        at -= 1
        digits[at] = <char>(48 + divide(&high, &low, 10))
    memcpy(out, &digits[at], 40 - at)
    return 40 - at


cdef struct Second:
    int64_t second               # since the epoch
    char text[20]                # its text: 2026-03-29T14:30:01.

cdef Second last_second


cdef void write_second(int64_t second) noexcept nogil:
    """Fill `last_second`: the civil date of an epoch second (H. Hinnant, civil_from_days)."""
    cdef int64_t days = second // 86400
    cdef int64_t rest = second - days * 86400
    if rest < 0:
        # // truncates in the release build and floors in the debug build: both come out here
        rest += 86400
        days -= 1
    cdef int64_t z = days + 719468  # since 0000-03-01; never negative, an int64 reaches 1677
    cdef int64_t era = z // 146097
    cdef uint32_t doe = <uint32_t>(z - era * 146097)
    cdef uint32_t yoe = (doe - doe // 1460 + doe // 36524 - doe // 146096) // 365
    cdef uint32_t doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
    cdef uint32_t mp = (5 * doy + 2) // 153
    cdef uint32_t month = mp + 3 if mp < 10 else mp - 9
    cdef int64_t year = <int64_t>yoe + era * 400 + (1 if month <= 2 else 0)
    cdef char* text = last_second.text
    two_digits(text, <uint32_t>(year // 100) % 100)
    two_digits(text + 2, <uint32_t>(year % 100))
    text[4] = c"-"
    two_digits(text + 5, month)
    text[7] = c"-"
    two_digits(text + 8, doy - (153 * mp + 2) // 5 + 1)
    text[10] = c"T"
    two_digits(text + 11, <uint32_t>(rest // 3600))
    text[13] = c":"
    two_digits(text + 14, <uint32_t>(rest // 60 % 60))
    text[16] = c":"
    two_digits(text + 17, <uint32_t>(rest % 60))
    text[19] = c"."
    last_second.second = second


write_second(0)


cdef int write_timestamp(char* out, int64_t ns) noexcept nogil:
    """RFC 3339 in UTC with microseconds (cut, not rounded); TIMESTAMP_TEXT bytes."""
    cdef int64_t second = ns // 1000000000
    # in uint64: the first second of the range begins before an int64 does
    cdef uint64_t rest = <uint64_t>ns - <uint64_t>second * 1000000000
    cdef uint32_t micros
    if <int64_t>rest < 0:
        rest += 1000000000
        second -= 1
    if second != last_second.second:
        write_second(second)
    micros = <uint32_t>(rest // 1000)
    memcpy(out, last_second.text, 20)
    two_digits(out + 20, micros // 10000)
    two_digits(out + 22, micros // 100 % 100)
    two_digits(out + 24, micros % 100)
    out[26] = c"Z"
    return TIMESTAMP_TEXT


def format_price(price: int) -> str:
    """A price in 1e-9 units as the shortest exact decimal: 185430000000 -> '185.43'."""
    cdef char[PRICE_TEXT] out
    return out[:write_price(out, price)].decode()


def format_size(size: int, exponent: int = 0) -> str:
    """A size of up to 128 bits in 10^-exponent units as the shortest exact decimal."""
    cdef char[VOLUME_TEXT] out
    if not 0 <= exponent <= MAX_SIZE_EXPONENT:
        raise ValueError(f"size exponent {exponent}: 0 to {MAX_SIZE_EXPONENT} are possible")
    return out[:write_volume(out, size >> 64, size & MAX_SIZE, exponent)].decode()


def format_timestamp(ns: int) -> str:
    """ns since the epoch as RFC 3339 UTC with microseconds."""
    cdef char[TIMESTAMP_TEXT] out
    return out[:write_timestamp(out, ns)].decode()


_DECIMAL = re.compile(r"(-?)(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?", re.ASCII)
_TIMESTAMP = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(Z|z|[+-]\d\d:\d\d)", re.ASCII
)


def parse_price(text: str) -> int:
    """Exact decimal text to a price in 1e-9 units.

    Raises:
        DecodeError: not a decimal number, finer than 1e-9, or out of range.
    """
    value = _scaled("price", text, PRICE_DECIMALS)
    if not -MAX_PRICE - 1 <= value <= MAX_PRICE:
        raise DecodeError(f"price {text[:40]!r}: out of range")
    return value


def parse_size(text: str, exponent: int = 0) -> int:
    """Exact decimal text to a size in 10^-exponent units.

    Raises:
        DecodeError: not a decimal number, finer than 10^-exponent, negative or out of range.
    """
    value = _scaled("size", text, exponent)
    if not 0 <= value <= MAX_SIZE:
        raise DecodeError(f"size {text[:40]!r}: out of range")
    return value


def _scaled(what: str, text: str, decimals: int) -> int:
    """Decimal text times 10^decimals, exactly; nothing here costs more than the text is long."""
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise DecodeError(f"{what} {text[:40]!r}: not a decimal number")
    sign, whole, fraction, power = match.groups(default="")
    digits = (whole + fraction).lstrip("0")
    significant = digits.rstrip("0")
    if not significant:
        return 0
    shift = decimals - len(fraction) + int(power or 0) + len(digits) - len(significant)
    if shift < 0:
        raise DecodeError(f"{what} {text[:40]!r}: finer than 1e-{decimals}")
    if len(significant) + shift > 20:
        raise DecodeError(f"{what} {text[:40]!r}: out of range")
    value = int(significant) * 10**shift
    return -value if sign else value


def parse_timestamp(text: str) -> int:
    """RFC 3339 text with an offset and at most nine decimals to ns since the epoch.

    A leap second (:60) is the first second of the next minute, as POSIX time has it.

    Raises:
        DecodeError: not a time of RFC 3339, no such date, or outside 1677 to 2262 (int64).
    """
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        raise DecodeError(f"time {text[:40]!r}: not RFC 3339, like 2026-03-29T14:30:01.234Z")
    day, hour, minute, second, fraction, offset = match.groups()
    try:
        days = date.fromisoformat(day).toordinal() - date(1970, 1, 1).toordinal()
        if int(hour) > 23 or int(minute) > 59 or int(second) > 60:
            raise ValueError("no such time of day")
    except ValueError as error:
        raise DecodeError(f"time {text[:40]!r}: {error}") from None
    seconds = days * 86400 + int(hour) * 3600 + int(minute) * 60 + int(second)
    if offset not in "Zz":
        east = int(offset[1:3]) * 3600 + int(offset[4:6]) * 60
        if int(offset[1:3]) > 23 or int(offset[4:6]) > 59:
            raise DecodeError(f"time {text[:40]!r}: no such offset")
        seconds -= east if offset[0] == "+" else -east
    ns = seconds * 1_000_000_000 + int((fraction or "").ljust(9, "0"))
    if not -(2**63) <= ns < 2**63:
        raise DecodeError(f"time {text[:40]!r}: out of range")
    return ns


def utc_midnight(ns: int) -> int:
    """ns of the UTC midnight at or before `ns`."""
    return ns - ns % 86_400_000_000_000


def utc(ns: int) -> datetime:
    """ns since the epoch as an aware datetime (microseconds, cut)."""
    return datetime.fromtimestamp(ns // 1_000_000_000, UTC).replace(
        microsecond=ns % 1_000_000_000 // 1000
    )
