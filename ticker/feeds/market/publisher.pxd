"""From private working values to rows, rings and doorbells, in that order."""

cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t

from ticker.checks cimport check
from ticker.pages cimport prefetch_to_write
from ticker.shm.doorbell cimport DoorbellRinger
from ticker.shm.layout cimport CACHE_LINE, COMMON_WORDS, Record, RecordKind, Row, Values
from ticker.shm.table cimport TableWriter


cdef enum Dirty:
    DIRTY_ROW = 1                # publish the row
    DIRTY_BOOK = 2               # the levels of its book that readers see may have changed
    DIRTY_QUOTE = 4              # its top has: a quote record follows the row
    DIRTY_STATUS = 8             # a status record follows the row
    DIRTY_CORRECTION = 16        # a correction record follows the row
    DIRTY_COMPARE = 32           # say by records how it differs from what the row shows now
    DIRTY_DAY = 64               # a record follows: a figure of the day changed without a trade

cdef enum:
    PENDING_TRADES = 4096

# The working state of one row, five cache lines; values.publish_time is filled in by flush. The words
# that most messages touch are beside each other: the last line is that behind COMMON_WORDS.
cdef struct Entry:
    uint32_t dirty               # Dirty bits; not 0: listed
    uint32_t shard
    int64_t change_time          # exchange time of the last change that was not a trade
    int64_t change_received      # 0: no message since the last flush made it
    uint64_t publications        # says which copy of the row is written next
    uint64_t whole               # publications to come that write all words: see changed_beside
    uint32_t depth               # place of its book and 1, where somebody watches it; else 0
    uint32_t depth_levels        # of it
    int64_t depth_time           # exchange time of the last change behind the top
    uint64_t reserved[1]
    Values values

# What a flush will write of a trade.
cdef struct Pending:
    Record record
    int64_t receive_time         # 0: of a cancel or correction


@cython.final
cdef class Publisher:
    cdef TableWriter table
    cdef list ring_writers
    cdef void** rings
    cdef uint32_t ring_count
    cdef DoorbellRinger ringer   # of the gateways, or None
    cdef uint64_t* counters
    cdef uint64_t* histograms
    cdef Entry* entries          # by row
    cdef uint32_t* dirty_rows
    cdef uint32_t dirty_count
    cdef Pending* pending
    cdef uint32_t pending_count
    cdef readonly int64_t last_publish_time
    cdef bint publishing
    cdef size_t entries_bytes

    cdef int64_t append(
        self, const char* symbol, size_t length, const char* venue, const char* currency,
        uint64_t size_exponent, uint64_t key,
    ) noexcept nogil
    cdef void adopt(self, uint32_t row) noexcept nogil
    cdef void trade(
        self, uint32_t row, RecordKind kind, int64_t price, uint64_t size, uint64_t match,
        uint32_t flags, int64_t exchange_time, int64_t receive_time,
    ) noexcept nogil
    cdef void took_back(
        self, uint32_t row, int64_t price, uint64_t size, uint64_t match, uint32_t flags,
        int64_t exchange_time,
    ) noexcept nogil
    cdef void corrected(
        self, uint32_t row, int64_t price, uint64_t size, uint64_t match, uint64_t new_match,
        uint32_t flags, int64_t exchange_time,
    ) noexcept nogil
    cdef void flush(self, int64_t publish_time) noexcept nogil
    cdef void _compare(self, uint32_t row) noexcept nogil
    cdef void _write_rows(self, int64_t publish_time) noexcept nogil
    cdef void _write_pending(self, int64_t publish_time) noexcept nogil
    cdef void _write_changes(self, int64_t publish_time) noexcept nogil
    cdef uint64_t _write_kinds(self, uint32_t dirty, Record* record) noexcept nogil
    cdef void _write(self, Record* record) noexcept nogil


cdef inline void mark_dirty(Publisher publisher, uint32_t row, uint32_t bits) noexcept nogil:
    cdef Entry* entry = &publisher.entries[row]
    if not entry.dirty:
        # A row is listed once, so the list cannot outgrow the table.
        check(publisher.dirty_count < publisher.table.capacity)
        publisher.dirty_rows[publisher.dirty_count] = row
        publisher.dirty_count += 1
        # All this will be read or written by the flush at the end of the packet.
        prefetch_row(publisher, row, entry)
    entry.dirty |= bits


cdef inline void changed_beside(Publisher publisher, uint32_t row) noexcept nogil:
    """Words behind COMMON_WORDS of the row's values may be others now: until each of its two copies
    has them, it is published whole. The caller marks the row dirty."""
    publisher.entries[row].whole = 2


cdef inline void prefetch_row(Publisher publisher, uint32_t row, Entry* entry) noexcept nogil:
    cdef Row* target = &publisher.table.rows[row]
    cdef char* copy = <char*>target.copies[(entry.publications + 1) & 1]
    cdef char* values = <char*>&entry.values
    cdef size_t line
    prefetch_to_write(target, 1, 2)
    for line in range(<size_t>(COMMON_WORDS * 8 // CACHE_LINE)):
        prefetch_to_write(values + CACHE_LINE * line, 1, 2)
        prefetch_to_write(copy + CACHE_LINE * line, 1, 2)
