"""The price table, and the two halves of its protocol; table.pyx says the law.

Memory order, per step (C11 section numbers; x86 needs only that the compiler keeps the order,
AArch64 gets stlr/ldar and dmb):

    begin_write    store_release, not relaxed: a reader that loads 2g+1 must see copy g, and a
                   relaxed store behind the release of 2g carries that only through the
                   same-thread release sequence of C11 5.1.2.4, which C++20 took out.
                   fence_release keeps the values behind it: who sees one of them and then
                   fences (was_whole) sees 2g+1 or later (7.17.4, fence to fence).
    commit_write   store_release: who loads 2g+2 sees all the values.
    begin_read     load_acquire, pairs with both stores.
    was_whole      fence_acquire, then a relaxed load: the copy's loads stay above it.
"""

cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcmp

from ticker.checks cimport check
from ticker.shm.atomics cimport (
    copy_words_in,
    copy_words_out,
    fence_acquire,
    fence_release,
    load_acquire,
    load_relaxed,
    store_release,
)
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport COMMON_WORDS, REST_WORDS, FeedState, Row, RowRest, Values


cdef inline uint64_t begin_read(Row* row) noexcept nogil:
    """The generation to read at; `was_whole` wants it back."""
    return load_acquire(&row.generation)


cdef inline const uint64_t* current_common(Row* row, uint64_t generation) noexcept nogil:
    return row.copies[(generation >> 1) & 1]


cdef inline void copy_out(
    Row* row, RowRest* rest, uint64_t generation, uint64_t* values
) noexcept nogil:
    """The VALUE_WORDS of the copy that is current at this generation, from both of its places."""
    copy_words_out(values, current_common(row, generation), COMMON_WORDS)
    copy_words_out(values + COMMON_WORDS, rest.copies[(generation >> 1) & 1], REST_WORDS)


cdef inline bint was_whole(Row* row, uint64_t generation) noexcept nogil:
    """Whether what was copied from current_common is one publication. That copy is written
    again from generation 2g+3 on."""
    fence_acquire()
    return load_relaxed(&row.generation) <= (generation | 1) + 1


cdef inline uint64_t* resting_common(Row* row, uint64_t generation) noexcept nogil:
    return row.copies[((generation >> 1) + 1) & 1]


cdef inline uint64_t* begin_write(Row* row, uint64_t generation) noexcept nogil:
    """Mark the row (even `generation`) as being written; the copy to fill."""
    store_release(&row.generation, generation + 1)
    fence_release()
    return resting_common(row, generation)


cdef inline void write_rest(
    RowRest* rest, uint64_t generation, const uint64_t* values
) noexcept nogil:
    """The words of `values` behind COMMON_WORDS, into the resting copy of `generation`."""
    copy_words_in(rest.copies[((generation >> 1) + 1) & 1], values + COMMON_WORDS, REST_WORDS)


cdef inline void commit_write(Row* row, uint64_t generation) noexcept nogil:
    """Make the resting copy of `generation` (even or odd) the current one."""
    store_release(&row.generation, (generation | 1) + 1)


cdef dict by_name(const Values* values)
cdef bint is_symbol(const char* symbol, size_t length) noexcept nogil


cdef class PriceTable:
    """Any reader's view of a feed's rows."""

    cdef Mapping mapping
    cdef Row* rows
    cdef RowRest* rests          # of each row, the rest
    cdef FeedState* state
    cdef readonly uint32_t capacity

    cdef uint32_t row_count(self) noexcept nogil
    cdef int read(self, uint32_t row, Values* out) noexcept nogil
    cdef Row* _checked(self, object row) except NULL


@cython.final
cdef class TableWriter(PriceTable):
    """The one writer's view."""

    cdef readonly uint32_t repaired
    cdef uint32_t used

    cdef bint repair(self, uint32_t row) noexcept nogil
    cdef int64_t append(
        self, const char* symbol, size_t symbol_length, const char* venue,
        const char* currency, uint64_t size_exponent, uint64_t instrument_key,
    ) noexcept nogil
    cdef void publish(self, uint32_t row, const Values* values) noexcept nogil


cdef inline void publish_common(TableWriter table, uint32_t row, const Values* values) noexcept nogil:
    """Make the first COMMON_WORDS of `values` the current ones; the others are in both copies
    already, as the last two publications were whole or these words have not changed since."""
    cdef Row* target = table.rows + row
    cdef uint64_t generation = load_relaxed(&target.generation)
    check(row < table.used)
    check(not generation & 1)
    check(has_rest(table.rests[row].copies[0], values))
    check(has_rest(table.rests[row].copies[1], values))
    copy_words_in(begin_write(target, generation), <const uint64_t*>values, COMMON_WORDS)
    commit_write(target, generation)


cdef inline bint has_rest(const uint64_t* copy, const Values* values) noexcept nogil:
    """Whether the rest of a copy is that of these values. For the writer."""
    return not memcmp(copy, <const uint64_t*>values + COMMON_WORDS, REST_WORDS * 8)


cdef inline void copy_own(PriceTable table, uint32_t row, Values* values) noexcept nogil:
    """What the row shows, for the one who writes it: it stands still."""
    copy_out(
        table.rows + row, table.rests + row, load_relaxed(&table.rows[row].generation),
        <uint64_t*>values,
    )
