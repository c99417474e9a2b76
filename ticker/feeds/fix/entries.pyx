"""One entry of a NoMDEntries group (268) of FIX market data, field by field as they come.

Source: FIX 4.4 volume 3 ("Market Data"), volume 6.
"""

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcpy

from ticker.feeds.market.conditions cimport flags_without, taken_by_fix
from ticker.feeds.fix.fields cimport Field, read_date, read_decimal, read_time_of_day

cdef enum:
    PRICE_DECIMALS = 9


cdef void take_field(Entry* entry, const Field* field, int size_decimals, Day* day) noexcept nogil:
    """A field of an entry. What is not what its tag must be makes the entry bad."""
    cdef bint good = True
    cdef int64_t size
    if field.tag == 270:
        good = read_decimal(field.value, field.length, PRICE_DECIMALS, &entry.price)
        entry.parts |= HAS_PRICE
    elif field.tag == 271:
        good = read_decimal(field.value, field.length, size_decimals, &size) and size >= 0
        entry.size = <uint64_t>size if good else 0
        entry.parts |= HAS_SIZE
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
    if not good:
        entry.parts |= BAD


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
