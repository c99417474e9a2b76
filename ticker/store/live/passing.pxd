"""A receiver that wants some kinds of records passes over the others where they are.

Law: as RingReader.read (ring.pyx): a record is passed over whole or not at all, and a lap is left for
`read` to count.
"""

from libc.stdint cimport uint64_t

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


cdef inline void resume(RingReader reader, uint64_t position) noexcept:
    """Go on from a record, or from the oldest that is sure to stay until it is read."""
    cdef uint64_t head = reader.position
    cdef uint64_t room = reader.ring.mask + 1
    if head > position + room - room // 4:
        reader.skipped += head - (room - room // 4) - position
        position = head - (room - room // 4)
    reader.position = min(position, head)
