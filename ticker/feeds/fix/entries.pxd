"""One entry of a NoMDEntries group (268) of FIX market data; see entries.pyx.

Its time: 272 without 273 is a value date (FX), not a time; 273 alone is of the day of
SendingTime, or of the day before if that makes it lie in the future.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
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
    CLOSING = 0x35
    EMPTY_BOOK = 0x4A

cdef enum Part:
    HAS_PRICE = 1
    HAS_SIZE = 2
    BAD = 4                          # a field of the entry is not what its tag must be

cdef struct Entry:
    bint open
    uint8_t kind
    uint8_t action
    uint8_t parts                    # Part
    uint32_t flags                   # of a trade, as its conditions (277) have it
    int64_t price
    uint64_t size
    int64_t midnight                 # of 272, 0: none
    int64_t time_of_day              # 273, negative: none
    Field id
    Field reference                  # 280: the id that this one replaces

# The last date that was read, and its midnight: most often it is the next one's too.
cdef struct Day:
    uint8_t[8] text
    int64_t midnight

cdef bint read_day(Day* day, const uint8_t* text, int64_t* midnight) noexcept nogil
cdef void take_field(Entry* entry, const Field* field, int size_decimals, Day* day) noexcept nogil


cdef inline void open_entry(Entry* entry) noexcept nogil:
    memset(entry, 0, sizeof(Entry))
    entry.open = True
    entry.action = NEW
    entry.flags = TRADE_REGULAR
    entry.time_of_day = -1


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
