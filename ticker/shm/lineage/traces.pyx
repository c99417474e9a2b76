"""The newest messages of traced rows: one writer, any number of readers that never wait.

In: messages of which a decoder made trades. Out: their bytes, and where they came from. Owned by a
feed's worker, while somebody traces a symbol of it.

Law: a slot is given whole or not at all. A message that is longer than a slot is cut, and says so.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

from ticker.shm.atomics cimport (
    fence_acquire,
    fence_release,
    load_acquire,
    load_relaxed,
    store_relaxed,
    store_release,
)
from ticker.shm.lineage.origin cimport CHANNEL_BITS, LINE_BITS, Origin

import mmap
import os
from pathlib import Path

from ticker.errors import SegmentError

cdef char* MAGIC = b"TICKTRAC"
cdef enum:
    LOOKS = 10

FILE_BYTES = sizeof(TraceHead) + MOST_TRACED * KEPT_MESSAGES * sizeof(TraceSlot)
TRACED_ROWS = MOST_TRACED
if sizeof(TraceSlot) != 1024:
    raise ImportError("traces.pxd: a slot is not a power of two")


cdef class TraceWriter:
    """A new, empty file at `path`, in the place of another one.

    Raises:
        OSError: it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        cdef TraceHead* head
        fresh = path.with_name(f"{path.name}.new")
        fresh.unlink(missing_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(fresh, flags, 0o600)
        try:
            os.posix_fallocate(fd, 0, FILE_BYTES)
            self.memory = mmap.mmap(fd, FILE_BYTES)
        finally:
            os.close(fd)
        self.view = self.memory
        head = <TraceHead*>&self.view[0]
        self.slots = <TraceSlot*>(head + 1)
        memcpy(head.magic, MAGIC, 8)
        head.format = TRACE_FORMAT
        fresh.replace(path)

    cdef void keep(
        self, uint32_t place, uint32_t row, uint64_t first_seq, uint64_t last_seq,
        int64_t receive_time, const Origin* origin, const uint8_t* message, size_t length,
    ) noexcept nogil:
        """A message that made trades of the row that is traced at `place`."""
        cdef TraceSlot* slot = self.slots + place * <uint32_t>KEPT_MESSAGES + (
            self.counts[place] & (<uint64_t>KEPT_MESSAGES - 1)
        )
        cdef uint64_t sequence = load_relaxed(&slot.sequence) | 1
        store_release(&slot.sequence, sequence)
        fence_release()
        store_relaxed(&slot.row, row)
        store_relaxed(&slot.first_seq, first_seq)
        store_relaxed(&slot.last_seq, last_seq)
        store_relaxed(<uint64_t*>&slot.receive_time, <uint64_t>receive_time)
        store_relaxed(&slot.number, origin.sequence)
        store_relaxed(&slot.place, origin.place)
        store_relaxed(&slot.length, length)
        memcpy(slot.message, message, min(length, <size_t>MESSAGE_BYTES))
        fence_release()
        store_release(&slot.sequence, sequence + 1)
        self.counts[place] += 1

    cdef void clear(self, uint32_t place) noexcept nogil:
        """Another row is traced there from now on."""
        cdef TraceSlot* slot
        cdef uint32_t number
        for number in range(<uint32_t>KEPT_MESSAGES):
            slot = self.slots + place * <uint32_t>KEPT_MESSAGES + number
            store_release(&slot.sequence, 0)
        self.counts[place] = 0


cdef class TraceReader:
    """The messages that the file at `path` has.

    Raises:
        FileNotFoundError: nobody traces.
        SegmentError: it is none of these files.
    """

    def __init__(self, path: Path) -> None:
        cdef const TraceHead* head
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            status = os.fstat(fd)
            if status.st_uid != os.geteuid() or status.st_size != FILE_BYTES:
                raise SegmentError(f"{path}: is no file of traced messages; remove it")
            self.memory = mmap.mmap(fd, FILE_BYTES, prot=mmap.PROT_READ)
        finally:
            os.close(fd)
        self.view = self.memory
        head = <const TraceHead*>&self.view[0]
        if memcmp(head.magic, MAGIC, 8) or head.format != TRACE_FORMAT:
            raise SegmentError(f"{path}: is no file of traced messages; remove it")
        self.slots = <const TraceSlot*>(head + 1)

    def of_row(self, row: int) -> dict[int, dict[str, object]]:
        """By the row's seq the message that made the trade: `receive_time` (ns), `sequence` in its
        session (0: it has none), `line`, `channel`, `tag` of the session, `message`, and the
        `length` of it, which may be more than its bytes here."""
        cdef TraceSlot slot
        cdef uint32_t number
        cdef uint64_t wanted = row
        cdef uint64_t seq
        found = {}
        for number in range(<uint32_t>(MOST_TRACED * KEPT_MESSAGES)):
            if not self._read(number, &slot) or slot.row != wanted:
                continue
            message = {
                "receive_time": slot.receive_time, "sequence": slot.number,
                "line": slot.place & ((1 << LINE_BITS) - 1),
                "channel": slot.place >> LINE_BITS & ((1 << CHANNEL_BITS) - 1),
                "tag": slot.place >> (LINE_BITS + CHANNEL_BITS),
                "message": (<char*>slot.message)[:min(slot.length, <uint64_t>MESSAGE_BYTES)],
                "length": slot.length,
            }
            for seq in range(slot.first_seq, slot.last_seq + 1):
                found[seq] = message
        return found

    cdef bint _read(self, uint32_t number, TraceSlot* out) noexcept:
        cdef const TraceSlot* slot = self.slots + number
        cdef uint64_t sequence
        cdef int look
        for look in range(<int>LOOKS):
            sequence = load_acquire(&slot.sequence)
            if not sequence:
                return False
            if sequence & 1:
                continue
            memcpy(out, slot, sizeof(TraceSlot))
            fence_acquire()
            if load_relaxed(&slot.sequence) == sequence:
                return True
        return False
