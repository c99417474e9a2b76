"""One entry of a NoMDEntries group (268) of FIX market data; see entries.pyx.

Its time: 272 without 273 is a value date (FX), not a time; 273 alone is of the day of
SendingTime, or of the day before if that makes it lie in the future.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from ticker.feeds.fix.fields cimport Field
from ticker.feeds.market.market cimport TRADE_REGULAR

cdef enum:
    DAY_SECONDS = 86400
    TOLERANCE_SECONDS = 3600         # further ahead of SendingTime: of the day before

cdef enum Action:
    NEW = 0x30                       # 279
    CHANGE = 0x31
    DELETE = 0x32

cdef enum Kind:
    NO_KIND = 0                      # 269
    OFFER_BID = 0x30
    OFFER_ASK = 0x31
    TRADE = 0x32
    INDEX_VALUE = 0x33
    OPENING = 0x34
    CLOSING = 0x35
    SETTLEMENT = 0x36
    HIGHEST = 0x37
    LOWEST = 0x38
    EMPTY_BOOK = 0x4A

cdef enum Part:
    HAS_PRICE = 1
    HAS_SIZE = 2
    BAD = 4                          # a field of the entry is not what its tag must be
    FINE = 8                         # its price has more decimals than are kept
    # Of the fields that name its instrument:
    SAYS_SYMBOL = 16                 # 55
    SAYS_ID = 32                     # 48
    SAYS_MORE = 64                   # 65, 22, 167, 200, 201, 202, 205, 207, 541
    SAYS_NO_SYMBOL = 512             # 55=[N/A]
    SAYS_ANY = 16 + 32 + 64 + 512
    DAY_BEFORE = 128                 # 286: of the business day before
    THIS_DAY = 1024                  # 286: of the day, or of the session
    NO_FIGURE = 2048                 # 286: of a delivery, expected or theoretical
    AT_LEVEL = 256                   # its position is that of a price level (1023)

# How finely a message writes.
cdef struct Decimals:
    int size                         # of sizes, at most
    int price                        # that prices are rounded to; negative: they are not rounded

cdef struct Entry:
    uint8_t kind
    uint8_t action
    uint16_t parts                   # Part
    uint32_t flags                   # of a trade, as its conditions (277) have it
    uint32_t position                # 290 or 1023, from 1 on; 0: none
    int32_t instrument               # its row, once that is known; negative: none
    int64_t price
    uint64_t size
    int64_t midnight                 # of 272, 0: none
    int64_t time_of_day              # 273, negative: none
    Field id
    Field reference                  # 280: the id that this one replaces
    uint64_t key                     # of the fields that name its instrument, 0: it has none
    const uint8_t* begin             # its first field

# The last date that was read, and its midnight: most often it is the next one's too.
cdef struct Day:
    uint8_t[8] text
    int64_t midnight

cdef bint read_day(Day* day, const uint8_t* text, int64_t* midnight) noexcept nogil
# True: the tag is one that is_of_entry.
cdef bint take_field(
    Entry* entry, const Field* field, const Decimals* decimals, Day* day
) noexcept nogil
# Whether only an entry as a whole has a field of this tag: then it has it once.
cdef bint is_of_entry(uint32_t tag) noexcept nogil
# Whether it says what an entry is, and not whose.
cdef bint says_of_entry(uint32_t tag) noexcept nogil
cdef bint is_count(uint32_t tag) noexcept nogil


cdef inline bint begins_group(uint32_t tag) noexcept nogil:
    """Whether a group begins with a field of this tag: what follows may be there several times."""
    return tag >= 146 and is_count(tag)


cdef inline void open_entry(Entry* entry, const uint8_t* begin) noexcept nogil:
    memset(entry, 0, sizeof(Entry))
    entry.action = NEW
    entry.flags = TRADE_REGULAR
    entry.time_of_day = -1
    entry.begin = begin


cdef inline int64_t entry_time(const Entry* entry, int64_t sent) noexcept nogil:
    """When an entry happened, ns; SendingTime if it does not say."""
    cdef int64_t day = DAY_SECONDS * <int64_t>1000000000
    cdef int64_t time
    if entry.time_of_day < 0:
        return sent
    if entry.midnight:
        return entry.midnight + entry.time_of_day
    time = sent - sent % day + entry.time_of_day
    return time - day if time > sent + TOLERANCE_SECONDS * <int64_t>1000000000 else time


cdef inline uint64_t name_of(const Field* text, int32_t instrument) noexcept nogil:
    """A number for an id of an instrument: 64 bits of a multiplicative hash, never 0."""
    cdef uint64_t name = (<uint64_t>instrument + 1) * <uint64_t>0x9E3779B97F4A7C15ULL
    cdef uint64_t word
    cdef size_t left = text.length
    cdef const uint8_t* at = text.value
    while left:
        word = 0
        memcpy(&word, at, min(left, <size_t>8))
        name = (name ^ word ^ left) * <uint64_t>0xFF51AFD7ED558CCDULL
        name ^= name >> 32
        at += min(left, <size_t>8)
        left -= min(left, <size_t>8)
    return name if name else 1
