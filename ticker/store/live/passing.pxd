"""A receiver that wants some kinds of records passes over the others where they are.

Law: as RingReader.read (ring.pyx): a record is passed over whole or not at all, and a lap is left for
`read` to count.
"""

from libc.stdint cimport uint32_t, uint64_t

from ticker.shm.atomics cimport load_acquire, load_relaxed
from ticker.shm.layout cimport (
    RECORD_CANCELLED,
    RECORD_CORRECTED,
    RECORD_PRINT,
    RECORD_TRADE,
    Record,
)
from ticker.shm.ring cimport RingReader, record_was_whole, slot_of

cdef enum:
    KIND_SHIFT = 32              # of Record.kind in the word of `row`


cdef inline uint64_t of_trades() noexcept nogil:
    """The kinds of records that say something of a trade, a bit each."""
    return (
        <uint64_t>1 << RECORD_TRADE | <uint64_t>1 << RECORD_PRINT
        | <uint64_t>1 << RECORD_CANCELLED | <uint64_t>1 << RECORD_CORRECTED
    )


cdef inline uint64_t pass_over(RingReader reader, uint64_t wanted, uint64_t most) noexcept nogil:
    """Pass over up to `most` records until one whose bit, 1 << kind, is in `wanted`; how many. They
    are not copied: most records of a busy feed are quotes, and there are a million a second."""
    cdef uint64_t first = reader.position
    cdef uint64_t position = first
    cdef Record* slot
    while position - first < most:
        slot = slot_of(&reader.ring, position)
        if load_acquire(&slot.sequence) != 2 * position + 2:
            break
        if wanted >> (load_relaxed(<uint64_t*>slot + 1) >> KIND_SHIFT & 63) & 1:
            break
        if not record_was_whole(slot, position):
            break
        position += 1
    reader.position = position
    return position - first


cdef inline uint32_t read_some(
    RingReader reader, uint64_t wanted, Record* records, uint32_t room, uint64_t* left,
    uint64_t* seen, int* found,
) noexcept nogil:
    """Up to `room` records whose bit is in `wanted`, of the next `left`, which become fewer; how
    many. `seen` grows by the number of all that were read or passed over; `found` is that of
    RingReader.read: 0 there are no more, -1 a lap, before which these records were."""
    cdef uint32_t count = 0
    cdef uint64_t passed
    found[0] = 1
    while count < room and left[0] and found[0] > 0:
        passed = pass_over(reader, wanted, left[0])
        seen[0] += passed
        left[0] -= passed
        if left[0]:
            found[0] = reader.read(&records[count])
            left[0] -= found[0] != 0
            if found[0] > 0:
                seen[0] += 1
                count += wanted >> records[count].kind & 1
    return count


cdef inline uint64_t oldest_sure(RingReader reader) noexcept:
    """The oldest record that is sure to stay until it is read, of a reader at the head."""
    cdef uint64_t room = reader.ring.mask + 1
    return reader.position - min(reader.position, room - room // 4)


cdef inline void resume(RingReader reader, uint64_t position) noexcept:
    """Go on from a record, or from the oldest that is sure to stay until it is read."""
    cdef uint64_t oldest = oldest_sure(reader)
    if position < oldest:
        reader.skipped += oldest - position
        position = oldest
    reader.position = min(position, reader.position)
