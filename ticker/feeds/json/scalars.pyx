"""Numbers written as text, to integers, digit by digit: no float on the way.

`units.parse_price` is the same for Python, and these are tested against it.
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


cdef struct Dropped:
    # the digits that did not fit
    int count
    int first
    bint any                     # one is not 0


cdef bint read_decimal(
    const char* text, size_t length, int decimals, Finer finer, int64_t* out
) noexcept nogil:
    """Decimal text, with or without exponent, as a count of 10^-decimals; `finer` says what
    becomes of digits beyond these."""
    cdef const char* at = text
    cdef const char* end = text + length
    cdef bint negative = False
    cdef bint point = False
    cdef bint digits = False
    cdef Dropped dropped = Dropped(0, 0, False)
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
                if not dropped.count:
                    dropped.first = at[0] - c"0"
                dropped.count += 1
                dropped.any = dropped.any or at[0] != c"0"
                whole_dropped += not point
        at += 1
    if not digits:
        return False
    if at < end and not read_power(at, end, &power):
        return False
    power += decimals - fraction + whole_dropped
    return scale(value, power, negative, dropped, finer, out)


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
    uint64_t value, int power, bint negative, Dropped dropped, Finer finer, int64_t* out
) noexcept nogil:
    """value * 10^power, if that is an int64 (and whole, unless finer digits may go)."""
    cdef uint64_t whole, rest
    if power >= 0:
        # A digit that was dropped is worth one of the result, or more; or less, and may go.
        if dropped.any and (power or finer == EXACT):
            return False
        if finer == ROUND and dropped.first >= 5:
            value += 1
        if value and (power > 18 or value > 9223372036854775807ULL // POWERS[power]):
            return False
        value = value * POWERS[power] if value else 0
    else:
        whole = value // POWERS[-power] if power >= -19 else 0
        rest = value - whole * POWERS[-power] if power >= -19 else value
        if finer == EXACT and (dropped.any or rest):
            return False
        if finer == ROUND and power >= -19 and rest >= POWERS[-power] // 2:
            whole += 1
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


def decimal(text: bytes, decimals: int, finer: str = "exact") -> int:
    """`read_decimal` from Python; digits finer than 10^-decimals: `exact` refuses them, `cut`
    drops them, `round` rounds them, a half away from zero. Raises DecodeError."""
    cdef int64_t value = 0
    cdef Finer kind = <Finer><int>("exact", "cut", "round").index(finer)
    if not read_decimal(text, len(text), decimals, kind, &value):
        raise DecodeError(f"{text[:40]!r}: no decimal number of 1e-{decimals} in an int64")
    return value

