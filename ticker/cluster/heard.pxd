"""A feed's rows as its speaker tells them: see heard.pyx."""

cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Realloc
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from ticker.cluster.frame cimport (
    BODY_OFFSET,
    QUOTE_WORDS,
    STATUS_WORD,
    Define,
    FrameHead,
    FrameTrade,
)
from ticker.pages cimport prefetch_to_write
from ticker.shm.layout cimport (
    CACHE_LINE,
    COMMON_WORDS,
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


# A row of this segment, and what its speaker has of it. What each trade needs is in the first five
# cache lines.
cdef struct Heard:
    Values values                # the speaker's own
    uint64_t seq_ahead           # to be added to the speaker's numbers, so that none goes back
    uint64_t told_seq            # of the newest trade that readers have, or that the row had
    uint64_t told_match          # and what else tells it from others, 0: not known
    int64_t told_time
    uint32_t ring
    uint32_t wholes              # publications since a word behind COMMON_WORDS changed, up to WHOLES
    bint follows                 # readers see `values`, with nothing added, and both copies have its rest
    bint counts_anew             # where the speaker's count goes on from what was shown is not known
    bint behind                  # the speaker has less of the day than was shown
    uint32_t shard
    uint32_t next_of_shard       # row + 1; 0: none
    uint32_t reserved
    uint64_t quotes_ahead
    uint64_t corrections_ahead
    int64_t found                # publish time of what a predecessor left in the row
    uint64_t image               # number of the newest image that it was in
    uint64_t padding[4]          # whole cache lines


cdef enum:
    MOST_ROW = 1 << 20           # a feed has no more rows
    NO_ROOM = 0xFFFFFFFF         # in `own`: the table has no room for this row
    WHOLES = 2                   # publications of a row that fill both of its copies
    NEWS_QUOTE = 1
    NEWS_STATUS = 2
    NEWS_AGAIN = 4
    QUOTE_FLAGS = ROW_HAS_BID | ROW_HAS_ASK
    STATUS_FLAGS = ROW_STALE | ROW_TEST | ROW_HELD


# What is new beside trades; all of it is in COMMON_WORDS.
cdef inline uint8_t news_of(const Values* old, const Values* new) noexcept nogil:
    cdef uint8_t news = 0
    if (old.bid != new.bid or old.ask != new.ask or old.bid_size != new.bid_size
            or old.ask_size != new.ask_size or old.quotes != new.quotes
            or (old.flags ^ new.flags) & QUOTE_FLAGS):
        news |= NEWS_QUOTE
    if old.status != new.status or (old.flags ^ new.flags) & STATUS_FLAGS:
        news |= NEWS_STATUS
    return news


# The same by a bit for each word that differs, and for each flag.
cdef inline uint8_t news_in(uint32_t words, uint64_t flags) noexcept nogil:
    return <uint8_t>(
        (<int>NEWS_QUOTE if words & QUOTE_WORDS or flags & QUOTE_FLAGS else 0)
        | (<int>NEWS_STATUS if words & STATUS_WORD or flags & STATUS_FLAGS else 0)
    )


# The symbol and the venue of a row or a define, which name it, with a NUL between them.
cdef inline bytes key_of(const char* symbol, const char* venue):
    cdef char[SYMBOL_BYTES + 1 + VENUE_BYTES] key
    cdef size_t length = strnlen(symbol, SYMBOL_BYTES)
    cdef size_t more = strnlen(venue, VENUE_BYTES)
    memcpy(key, symbol, length)
    key[length] = 0
    memcpy(key + length + 1, venue, more)
    return PyBytes_FromStringAndSize(key, length + 1 + more)


# Both are written soon, and lie anywhere in memory; `resting`: the copy of the row that is.
cdef inline void fetch(Heard* heard, Row* row, uint8_t resting) noexcept nogil:
    cdef int line
    for line in range(<int>(COMMON_WORDS * 8) // CACHE_LINE):
        prefetch_to_write(<char*>heard + line * CACHE_LINE, 1, 2)
        prefetch_to_write(<char*>row.copies[resting] + line * CACHE_LINE, 1, 2)
    prefetch_to_write(<char*>heard + sizeof(Values), 1, 2)
    prefetch_to_write(<char*>row, 1, 2)


# What a record has of its trade. Its second word is written at once: the ring copies whole words, and a
# word in parts is not there before all that was stored before it.
cdef inline void fill_record(Record* record, uint32_t row, const FrameTrade* trade) noexcept nogil:
    (<uint64_t*>record)[1] = (
        <uint64_t>row | <uint64_t>trade.kind << 32 | <uint64_t>trade.conditions << 48
    )
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
    cdef uint8_t* resting        # of each own row: the copy that is written next
    cdef uint8_t* news           # News bits of each row of a frame
    cdef uint32_t* places        # of each row of a frame: bytes before it
    cdef uint64_t images         # that were begun
    cdef bint skips              # rows of images that follow have trades that are not told
    cdef bint other_box          # the speaker is of another box than the one before
    cdef bint changed            # since the doorbell was rung

    cdef void forget_numbers(self, bint other_box) noexcept
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
    cdef int _enter(self, uint32_t row, bytes key) except -1
    cdef const uint8_t* _row(
        self, const uint8_t* at, uint64_t near, uint8_t* news, bint image, bint first
    ) noexcept
    cdef void _tell_trades(self, const uint8_t* frame, const uint8_t* at, bint again) noexcept
    cdef Values _shown(self, uint32_t row) noexcept
    cdef uint8_t _show(self, uint32_t row, bint image) noexcept
    cdef void _publish(self, uint32_t row) noexcept
    cdef uint8_t _show_merged(self, uint32_t row, bint image, bint first) noexcept
    cdef void _count_on(self, uint32_t row, uint64_t ahead) noexcept
    cdef bint _is_new(self, uint32_t row, const FrameTrade* trade) noexcept
    cdef void _changes(self, const uint8_t* frame) noexcept
    cdef void _write(self, uint32_t row, Record* record) noexcept


# Our row of a speaker's that is known; -1: there is no room for it.
cdef inline int64_t own_of(HeardRows rows, uint32_t theirs) noexcept nogil:
    if rows.own[theirs] == <uint32_t>NO_ROOM:
        return -1
    return <int64_t>rows.own[theirs] - 1


# Whether this row of the speaker is known by this name.
cdef inline bint is_known(HeardRows rows, const Define* define) noexcept nogil:
    cdef const Row* row
    if define.row >= rows.own_room or not 0 < rows.own[define.row] <= rows.table.used:
        return False
    row = &rows.table.rows[rows.own[define.row] - 1]
    return (
        memcmp(row.symbol, define.symbol, SYMBOL_BYTES) == 0
        and memcmp(row.venue, define.venue, VENUE_BYTES) == 0
    )


# A place for our number of this row of the speaker.
cdef inline int make_room(HeardRows rows, uint32_t theirs) except -1:
    cdef uint32_t room = rows.own_room if rows.own_room else 1024
    cdef uint32_t* grown
    if theirs < rows.own_room:
        return 0
    while room <= theirs:
        room *= 2
    grown = <uint32_t*>PyMem_Realloc(rows.own, room * sizeof(uint32_t))
    if grown == NULL:
        raise MemoryError("no memory for the rows of a bridge")
    memset(grown + rows.own_room, 0, (room - rows.own_room) * sizeof(uint32_t))
    rows.own = grown
    rows.own_room = room
    return 0


# Whether all that the frame names is of its shard.
cdef inline bint are_of_shard(HeardRows rows, const uint8_t* frame) noexcept:
    cdef Define define
    cdef uint32_t i
    for i in range((<const FrameHead*>frame).defines):
        memcpy(&define, frame + BODY_OFFSET + i * sizeof(Define), sizeof(Define))
        if define.row >= MOST_ROW or rows.sharding.of(
            define.symbol, strnlen(define.symbol, SYMBOL_BYTES)
        ) != (<const FrameHead*>frame).shard:
            return False
    return True
