"""Publications and reads cut into steps, so that a test can try every order of them.

The steps are the very inline functions that TableWriter, PriceTable and the rings are made of.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy

from ticker.bench.shm.pattern cimport fill, fill_record, intact, record_intact
from ticker.shm.atomics cimport (
    copy_words_in,
    copy_words_out,
    load_acquire,
    load_relaxed,
    store_release,
)
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport (
    COMMON_WORDS,
    REST_WORDS,
    VALUE_WORDS,
    Record,
    Row,
    RowRest,
    Values,
)
from ticker.shm.ring cimport (
    RingReader,
    RingWriter,
    begin_record,
    commit_record,
    record_was_whole,
    slot_of,
)
from ticker.shm.table cimport (
    PriceTable,
    begin_read,
    begin_write,
    commit_write,
    copy_out,
    was_whole,
    write_rest,
)


cdef class RowSteps:
    """A publication and a read of one row, cut into steps that a test may interleave. Half 0 is in
    the Row, half 1 in its RowRest."""

    cdef Mapping mapping
    cdef Row* row
    cdef RowRest* rest
    cdef Values written, copied
    cdef uint64_t generation, read_generation
    cdef uint64_t* target

    def __cinit__(self, PriceTable table not None, row: int) -> None:
        self.mapping = table.mapping
        self.row = table._checked(row)
        self.rest = table.rests + <uint32_t>row

    def begin_write(self, number: int) -> None:
        fill(<uint64_t*>&self.written, number, VALUE_WORDS)
        self.generation = load_relaxed(&self.row.generation)
        self.target = begin_write(self.row, self.generation)

    def write_half(self, half: int) -> None:
        if half:
            write_rest(self.rest, self.generation, <uint64_t*>&self.written)
        else:
            copy_words_in(self.target, <uint64_t*>&self.written, COMMON_WORDS)

    def commit_write(self) -> None:
        commit_write(self.row, self.generation)

    def begin_read(self) -> None:
        self.read_generation = begin_read(self.row)

    def read_half(self, half: int) -> None:
        cdef Values whole
        cdef uint32_t at = COMMON_WORDS if half else 0
        copy_out(self.row, self.rest, self.read_generation, <uint64_t*>&whole)
        memcpy(
            <uint64_t*>&self.copied + at, <uint64_t*>&whole + at,
            (REST_WORDS if half else COMMON_WORDS) * 8,
        )

    def read_was_whole(self) -> bool:
        return was_whole(self.row, self.read_generation)

    def copied_number(self) -> int:
        """The publication that the copy is of, -1 when it is of two."""
        if not intact(<uint64_t*>&self.copied, VALUE_WORDS):
            return -1
        return self.copied.price


cdef class RecordSteps:
    """The writing and the reading of one ring record, in steps. `content` is what a record is
    derived from, so that a test can tell two that were written under one number."""

    cdef Mapping mapping
    cdef RingWriter writer
    cdef RingReader reader
    cdef Record written, copied
    cdef uint64_t number, before

    def __cinit__(self, RingWriter writer, RingReader reader) -> None:
        self.writer = writer
        self.reader = reader

    def begin_write(self, number: int, content: int) -> None:
        self.number = number
        fill_record(&self.written, content)
        begin_record(&self.writer.ring, self.number)

    def write_half(self, half: int) -> None:
        cdef uint64_t* slot = <uint64_t*>slot_of(&self.writer.ring, self.number)
        cdef uint32_t at = 4 if half else 1
        copy_words_in(slot + at, <uint64_t*>&self.written + at, 4 if half else 3)

    def finish_write(self) -> None:
        store_release(&slot_of(&self.writer.ring, self.number).sequence, 2 * self.number + 2)

    def count_write(self) -> None:
        commit_record(&self.writer.ring, self.number)

    def begin_read(self) -> bool:
        """Whether the record that the reader is at is whole."""
        self.before = load_acquire(
            &slot_of(&self.reader.ring, self.reader.position).sequence
        )
        return self.before == 2 * self.reader.position + 2

    def read_half(self, half: int) -> None:
        cdef uint64_t* slot = <uint64_t*>slot_of(&self.reader.ring, self.reader.position)
        cdef uint32_t at = 4 if half else 0
        copy_words_out(<uint64_t*>&self.copied + at, slot + at, 4)

    def read_was_whole(self) -> bool:
        return record_was_whole(
            slot_of(&self.reader.ring, self.reader.position), self.reader.position
        )

    def copied_content(self, most: int) -> int:
        """Which content from 0 to `most` the copy is of, -1 when of none."""
        for content in range(most + 1):
            if record_intact(&self.copied, content):
                return content
        return -1


def take_content(RingReader ring not None, most: int) -> int | None:
    """Read one record of RecordSteps: its content, -1 torn, -2 lapped, None nothing."""
    cdef Record record
    cdef int got = ring.read(&record)
    if got <= 0:
        return None if got == 0 else -2
    for content in range(most + 1):
        if record_intact(&record, content):
            return content
    return -1


def pending(RingReader ring not None) -> bool:
    """Whether the ring has something to read."""
    return ring.pending()
