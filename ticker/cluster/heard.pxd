"""A feed's rows as its speaker tells them: see heard.pyx."""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from ticker.cluster.frame cimport FrameTrade
from ticker.pages cimport prefetch_to_write
from ticker.shm.layout cimport (
    CACHE_LINE,
    ROW_HAS_ASK,
    ROW_HAS_BID,
    ROW_HELD,
    ROW_STALE,
    ROW_TEST,
    SYMBOL_BYTES,
    VENUE_BYTES,
    Record,
    Row,
    Values,
)
from ticker.shm.shards.sharding cimport Sharding
from ticker.shm.table cimport TableWriter

cdef extern from "<string.h>" nogil:
    size_t strnlen(const char* text, size_t most)


# A row of this segment, and what its speaker has of it.
cdef struct Heard:
    Values values                # the speaker's own
    uint64_t seq_ahead           # to be added to the speaker's numbers, so that none goes back
    uint64_t quotes_ahead
    uint64_t corrections_ahead
    uint64_t told_seq            # of the newest trade that readers have, or that the row had
    uint64_t told_match          # and what else tells it from others, 0: not known
    int64_t told_time
    int64_t found                # publish time of what a predecessor left in the row
    uint64_t image               # number of the newest image that it was in
    uint32_t shard
    uint32_t next_of_shard       # row + 1; 0: none
    uint32_t ring
    uint32_t wholes              # publications since a word behind COMMON_WORDS changed, up to WHOLES
    bint counts_anew             # where the speaker's count goes on from what was shown is not known
    bint behind                  # the speaker has less of the day than was shown


cdef enum:
    MOST_ROW = 1 << 20           # a feed has no more rows
    NO_ROOM = 0xFFFFFFFF         # in `own`: the table has no room for this row
    WHOLES = 2                   # publications of a row that fill both of its copies
    NEWS_QUOTE = 1
    NEWS_STATUS = 2
    NEWS_AGAIN = 4
    QUOTE_FLAGS = ROW_HAS_BID | ROW_HAS_ASK


# What is new beside trades; all of it is in COMMON_WORDS.
cdef inline uint8_t news_of(const Values* old, const Values* new) noexcept nogil:
    cdef uint8_t news = 0
    if (old.bid != new.bid or old.ask != new.ask or old.bid_size != new.bid_size
            or old.ask_size != new.ask_size or old.quotes != new.quotes
            or (old.flags ^ new.flags) & QUOTE_FLAGS):
        news |= NEWS_QUOTE
    if old.status != new.status or (old.flags ^ new.flags) & (ROW_STALE | ROW_TEST | ROW_HELD):
        news |= NEWS_STATUS
    return news


# The symbol and the venue of a row or a define, which name it.
cdef inline tuple key_of(const char* symbol, const char* venue):
    return symbol[:strnlen(symbol, SYMBOL_BYTES)], venue[:strnlen(venue, VENUE_BYTES)]


# Both are written soon, and lie anywhere in memory.
cdef inline void fetch(Heard* heard, Row* row) noexcept nogil:
    cdef int line
    for line in range(<int>sizeof(Heard) // CACHE_LINE + 1):
        prefetch_to_write(<char*>heard + line * CACHE_LINE, 1, 2)
    for line in range(<int>sizeof(Row) // CACHE_LINE):
        prefetch_to_write(<char*>row + line * CACHE_LINE, 1, 2)


# What a record has of its trade.
cdef inline void fill_record(Record* record, const FrameTrade* trade) noexcept nogil:
    record.kind = trade.kind
    record.reserved = 0
    record.conditions = trade.conditions
    record.price = trade.price
    record.size = trade.size
    record.exchange_time = trade.exchange_time
    record.match = trade.match
    record.seq = trade.seq


@cython.final
cdef class HeardRows:
    cdef TableWriter table
    cdef uint64_t* counters
    cdef list rings
    cdef uint32_t ring_count
    cdef Sharding sharding
    cdef dict rows_by_name
    cdef Heard* heard            # by own row
    cdef uint32_t* first         # by shard: one of its own rows + 1; 0: it has none
    cdef size_t heard_bytes
    cdef uint32_t* own           # by the speaker's row: own row + 1; 0: not known
    cdef uint32_t own_room
    cdef uint8_t* news           # News bits of each row of a frame
    cdef uint64_t images
    cdef bint skips              # rows of images that follow have trades that are not told
    cdef bint other_box          # the speaker is of another box than the one before
    cdef bint changed            # since the doorbell was rung

    cdef void forget_numbers(self, bint other_box) noexcept
    cdef void begin_image(self) noexcept
    # Whose rows these are; False: they are not of this shard, and nothing is learnt.
    cdef bint learn_names(self, const uint8_t* frame) except *
    # Whether all rows of the frame have been named.
    cdef bint knows(self, const uint8_t* frame) noexcept
    # Publish a frame whose rows are known; `first`: the shard's first image of an epoch.
    # Its trades come later, if not `trades`.
    cdef void apply(self, const uint8_t* frame, bint image, bint first, bint trades) noexcept
    # Its trades alone: its rows were in an image. `again`: a predecessor may have told them.
    cdef void write_trades(self, const uint8_t* frame, bint again) noexcept
    # Nobody vouches for rows of the shard that the newest image does not have.
    cdef void forsake(self, uint32_t number) noexcept

    cdef int _name(self, const uint8_t* at) except -1
    cdef int _enter(self, uint32_t row, tuple key) except -1
    cdef const uint8_t* _row(self, const uint8_t* at, uint8_t* news, bint image, bint first) noexcept
    cdef Values _shown(self, uint32_t row) noexcept
    cdef uint8_t _show(self, uint32_t row, bint image) noexcept
    cdef uint8_t _show_merged(self, uint32_t row, bint image, bint first) noexcept
    cdef bint _is_shown(self, uint32_t row, const Values* old) noexcept
    cdef void _count_on(self, uint32_t row, uint64_t ahead) noexcept
    cdef bint _is_new(self, uint32_t row, const FrameTrade* trade) noexcept
    cdef void _changes(self, const uint8_t* frame) noexcept
    cdef void _write(self, uint32_t row, Record* record) noexcept
    cdef int64_t _own(self, uint32_t theirs) noexcept
