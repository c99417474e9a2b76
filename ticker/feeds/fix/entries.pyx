"""One entry of a NoMDEntries group (268) of FIX market data, field by field as they come.

Source: FIX 4.4 volume 3 ("Market Data", "Instrument"), volume 6; MDPriceLevel (1023) is of FIX 5.0
and used before.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint64_t
from libc.string cimport memcmp, memcpy

from ticker.feeds.market.conditions cimport flags_without, taken_by_fix
from ticker.feeds.fix.fields cimport Field
from ticker.feeds.fix.values cimport (
    read_date,
    read_decimal,
    read_rounded,
    read_time_of_day,
    read_uint,
)

cdef enum:
    PRICE_DECIMALS = 9
    MOST_POSITION = 100000


cdef bint take_field(
    Entry* entry, const Field* field, const Decimals* decimals, Day* day
) noexcept nogil:
    """A field of an entry. What is not what its tag must be makes the entry bad."""
    cdef bint good = True
    cdef int64_t size
    if field.tag == 270:
        good = read_price(entry, field, decimals)
    elif field.tag == 271:
        good = read_decimal(field.value, field.length, decimals.size, &size) and size >= 0
        entry.size = <uint64_t>size if good else 0
        entry.parts |= HAS_SIZE
    elif field.tag == 55:
        if is_no_symbol(field):
            entry.parts |= SAYS_NO_SYMBOL
        else:
            entry.key += name_of(field, 55)
            entry.parts |= SAYS_SYMBOL
    elif field.tag == 269:
        good = field.length == 1
        entry.kind = field.value[0]
    elif field.tag == 279:
        good = field.length == 1 and NEW <= field.value[0] <= DELETE
        entry.action = field.value[0]
    elif field.tag == 278:
        entry.id = field[0]
    elif field.tag == 280:
        entry.reference = field[0]
    elif field.tag == 273:
        good = read_time_of_day(field.value, clock_length(field), &entry.time_of_day)
    elif field.tag == 272:
        good = field.length == 8 and read_day(day, field.value, &entry.midnight)
    elif field.tag == 277:
        entry.flags = flags_without(taken_by_fix(field.value, field.length))
    elif field.tag == 290 or field.tag == 1023:
        good = read_position(entry, field)
    elif field.tag == 286:
        entry.parts |= read_open_close(field)
    elif field.tag == 48:
        entry.key += name_of(field, 48)
        entry.parts |= SAYS_ID
    elif (field.tag == 65 or field.tag == 22 or field.tag == 167 or field.tag == 200
            or field.tag == 201 or field.tag == 202 or field.tag == 205 or field.tag == 207
            or field.tag == 541):
        entry.key += name_of(field, <int>field.tag)
        entry.parts |= SAYS_MORE
    else:
        return False
    if not good:
        entry.parts |= BAD
    return True


cdef bint read_price(
    Entry* entry, const Field* field, const Decimals* decimals
) noexcept nogil:
    """What is finer than can be kept is rounded if it was declared how, else it is bad."""
    entry.parts |= HAS_PRICE
    if decimals.price >= 0:
        return read_rounded(
            field.value, field.length, decimals.price, PRICE_DECIMALS, &entry.price
        )
    if read_decimal(field.value, field.length, PRICE_DECIMALS, &entry.price):
        return True
    if read_rounded(
        field.value, field.length, PRICE_DECIMALS, PRICE_DECIMALS, &entry.price
    ):
        entry.parts |= FINE
    return False


cdef uint16_t read_open_close(const Field* field) noexcept nogil:
    """OpenCloseSettlFlag (286), one character or several apart: the Parts that it says."""
    cdef uint16_t parts = 0
    cdef size_t i
    for i in range(field.length):
        if field.value[i] == c"4":
            parts |= DAY_BEFORE
        elif field.value[i] == c"0" or field.value[i] == c"1":
            parts |= THIS_DAY
        elif c"2" <= field.value[i] <= c"5":
            parts |= NO_FIGURE
    return parts


cdef bint read_position(Entry* entry, const Field* field) noexcept nogil:
    """A price level's place goes before an entry's own."""
    cdef uint64_t position
    if not read_uint(field.value, field.length, &position):
        return False
    if not 0 < position <= MOST_POSITION:
        return False
    if field.tag == 1023:
        entry.parts |= AT_LEVEL
    elif entry.parts & AT_LEVEL:
        return True
    entry.position = <uint32_t>position
    return True


cdef inline bint is_no_symbol(const Field* field) noexcept nogil:
    """What stands in 55 where an instrument has none."""
    return not field.length or (field.length == 5 and not memcmp(field.value, b"[N/A]", 5)) or (
        field.length == 3 and not memcmp(field.value, b"N/A", 3)
    )


cdef bint is_of_entry(uint32_t tag) noexcept nogil:
    return says_of_entry(tag) or (
        tag == 55 or tag == 48 or tag == 22 or tag == 65 or tag == 167 or tag == 200
        or tag == 201 or tag == 202 or tag == 205 or tag == 207 or tag == 541
    )


cdef bint says_of_entry(uint32_t tag) noexcept nogil:
    return (
        tag == 269 or tag == 279 or tag == 270 or tag == 271 or tag == 278 or tag == 280
        or tag == 272 or tag == 273 or tag == 277 or tag == 290 or tag == 1023 or tag == 286
    )


cdef bint is_count(uint32_t tag) noexcept nogil:
    """NoXXX of a component that an entry, an Instrument or a header may have: FIX 4.4 and 5.0."""
    return (
        tag == 454 or tag == 864 or tag == 555 or tag == 711 or tag == 870 or tag == 604
        or tag == 457 or tag == 453 or tag == 802 or tag == 627 or tag == 386 or tag == 232
        or tag == 382 or tag == 1018 or tag == 1052 or tag == 1141 or tag == 1205 or tag == 1310
        or tag == 539 or tag == 804 or tag == 146
    )


cdef bint read_day(Day* day, const uint8_t* text, int64_t* midnight) noexcept nogil:
    """The midnight of a date (8 characters, YYYYMMDD). False: it is none."""
    if not same_day(text, day.text):
        if not read_date(text, midnight):
            return False
        memcpy(day.text, text, 8)
        day.midnight = midnight[0]
    midnight[0] = day.midnight
    return True


cdef inline bint same_day(const uint8_t* text, const uint8_t* known) noexcept nogil:
    cdef uint64_t one, other
    memcpy(&one, text, 8)
    memcpy(&other, known, 8)
    return one == other


cdef inline size_t clock_length(const Field* field) noexcept nogil:
    """Of an MDEntryTime without a time zone mark, which is UTC anyway."""
    return field.length - 1 if field.length and field.value[field.length - 1] == c"Z" else (
        field.length
    )
