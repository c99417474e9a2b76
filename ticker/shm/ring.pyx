"""A broadcast ring: one transmitter, any number of receivers, which it never waits for.

Threads: one process writes, each receiver belongs to one process and has its own position.
Loss: a receiver that is lapped counts what it missed, jumps to the head and goes on; it must
then read the price table again. A record is given whole or not at all.
Death: a record that its writer did not finish was never given; one that it finished stays
(receivers may have it), even where the writer died before it counted it.
Source: the Agrona BroadcastTransmitter and the LMAX Disruptor, with fixed 64-byte records
that carry their own sequence.
"""

from libc.stdint cimport uint64_t

from ticker.shm.atomics cimport (
    copy_words_in,
    copy_words_out,
    fence_acquire,
    load_acquire,
    store_release,
)
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport RECORD_WORDS, Record, RingHeader

from ticker.errors import SegmentError


cdef Ring locate(Mapping mapping, uint64_t index) except *:
    cdef Ring ring
    cdef uint64_t capacity = mapping.header.ring_capacity
    mapping.feed_state()
    if index >= mapping.header.ring_count:
        raise IndexError(f"ring {index}: the segment has {mapping.header.ring_count}")
    ring.head = <RingHeader*>(
        mapping.base + mapping.header.rings_offset
        + index * (sizeof(RingHeader) + capacity * sizeof(Record))
    )
    ring.records = <Record*>(<char*>ring.head + sizeof(RingHeader))
    ring.mask = capacity - 1
    return ring


cdef class RingWriter:
    """Writes ring `index` of a feed segment; goes on where its predecessor stopped."""

    def __cinit__(self, Mapping mapping not None, index: int) -> None:
        if not mapping.writable:
            raise SegmentError("the segment is mapped read-only: only its owner may write it")
        self.mapping = mapping
        self.ring = locate(mapping, index)
        self.cursor = load_acquire(&self.ring.head.cursor)
        if load_acquire(&slot_of(&self.ring, self.cursor).sequence) == 2 * self.cursor + 2:
            # Whole, but not counted: writing it again would give the receivers that have it
            # one record less, and tear it under those that are copying it.
            self.cursor += 1
            store_release(&self.ring.head.cursor, self.cursor)

    cdef void write(self, Record* record) noexcept nogil:
        """Publish a record; its `sequence` field is filled in here."""
        cdef Record* slot = begin_record(&self.ring, self.cursor)
        copy_words_in(
            <uint64_t*>slot + 1, <const uint64_t*>record + 1, RECORD_WORDS - 1
        )
        commit_record(&self.ring, self.cursor)
        record.sequence = 2 * self.cursor + 2
        self.cursor += 1

    def put(self, row: int, kind: int, price: int = 0, size: int = 0, exchange_time: int = 0,
            match: int = 0, publish_time: int = 0, seq: int = 0, conditions: int = 0) -> None:
        """Write one record from Python."""
        cdef Record record
        record.row = row
        record.kind = kind
        record.reserved = 0
        record.conditions = conditions
        record.price = price
        record.size = size
        record.exchange_time = exchange_time
        record.match = match
        record.publish_time = publish_time
        record.seq = seq
        self.write(&record)


cdef class RingReader:
    """Reads ring `index` of a feed segment, from its head on."""

    def __cinit__(self, Mapping mapping not None, index: int) -> None:
        self.mapping = mapping
        self.ring = locate(mapping, index)
        self.position = load_acquire(&self.ring.head.cursor)

    cdef bint pending(self) noexcept nogil:
        """Whether `read` has anything to say: by the slot, as `read` does. (The cursor runs
        behind the slot, so a receiver may be one ahead of it, for good if the writer dies.)"""
        return (
            load_acquire(&slot_of(&self.ring, self.position).sequence)
            >= 2 * self.position + 2
        )

    cdef int read(self, Record* out) noexcept nogil:
        """The next record into `out`: 1 given, 0 nothing new, -1 lapped (counted, and at the
        head again). `out` is written even when it is not given."""
        cdef Record* slot = slot_of(&self.ring, self.position)
        cdef uint64_t whole = 2 * self.position + 2
        cdef uint64_t before = load_acquire(&slot.sequence)
        if before < whole:
            return 0
        if before == whole:
            copy_words_out(<uint64_t*>out, <const uint64_t*>slot, RECORD_WORDS)
            if record_was_whole(slot, self.position):
                self.position += 1
                return 1
            fence_acquire()  # the cursor's load stays below the marker's
        cdef uint64_t head = load_acquire(&self.ring.head.cursor)
        self.laps += 1
        self.skipped += head - self.position
        self.position = head
        return -1

    def take(self, limit: int) -> list[dict[str, int]]:
        """Up to `limit` records as dictionaries; a lap ends the list early (`laps` counts)."""
        cdef Record record
        found = []
        while len(found) < limit and self.read(&record) == 1:
            found.append({
                "row": record.row, "kind": record.kind, "price": record.price,
                "size": record.size, "exchange_time": record.exchange_time,
                "match": record.match, "publish_time": record.publish_time,
                "seq": record.seq, "conditions": record.conditions,
            })
        return found
