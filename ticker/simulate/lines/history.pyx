"""A bounded store of framed messages: written ahead, sent from in place, re-sent from in place.

Offsets count bytes from the start of the session and never wrap; byte `offset` lives at
`base + offset % capacity`. The capacity is mapped twice in a row, so that a message or packet
that crosses the end is still one stretch of memory. When full, the oldest bytes are overwritten:
`find` no longer knows them. Nothing here copies a message.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy
from posix.mman cimport MAP_ANONYMOUS, MAP_FAILED, MAP_FIXED, MAP_NORESERVE, MAP_PRIVATE
from posix.mman cimport MAP_SHARED, PROT_NONE, PROT_READ, PROT_WRITE, mmap, munmap

import os

from ticker.checks cimport check
from ticker.endian cimport be16
from ticker.simulate.lines.packet cimport put64

cdef enum:
    MARK = 64                # messages from one mark to the next; a power of two
    SHORTEST = 14            # bytes of the shortest framed message
    SLACK = 64               # bytes past `head` that an encoder may touch


cdef class History:
    """Keeps the last `capacity` bytes (rounded up to whole pages, at least 1 MiB).

    A message follows a big-endian u16 of its length, or, with `byte_lengths`, begins with one
    byte of it that counts itself.
    """

    def __cinit__(self, capacity: int, byte_lengths: bool = False) -> None:
        cdef size_t page = os.sysconf("SC_PAGESIZE")
        cdef uint64_t marks = 1
        cdef size_t size = max(capacity, 1 << 20)
        self.capacity = (size + page - 1) // page * page
        while marks < self.capacity // (MARK * SHORTEST) + 2:
            marks *= 2
        self.byte_lengths = byte_lengths
        self.marks = <uint64_t*>calloc(marks, sizeof(uint64_t))
        if self.marks == NULL:
            raise MemoryError("the marks of a message history")
        self.mark_mask = marks - 1
        self.next_sequence = 1
        self.map_twice()

    cdef map_twice(self):
        cdef void* base
        cdef int half, fd = os.memfd_create("ticker-history", os.MFD_CLOEXEC)
        try:
            os.ftruncate(fd, self.capacity)
            base = mmap(NULL, 2 * self.capacity, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
            if base == MAP_FAILED:
                raise MemoryError(f"address space for {self.capacity} bytes of history")
            self.base = <uint8_t*>base
            for half in range(2):
                if mmap(self.base + half * self.capacity, self.capacity, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED:
                    raise MemoryError(f"{self.capacity} bytes of history")
        finally:
            os.close(fd)

    def __dealloc__(self) -> None:
        free(self.marks)
        if self.base != NULL:
            munmap(self.base, 2 * self.capacity)

    cdef size_t block_length(self, const uint8_t* at) noexcept nogil:
        return at[0] if self.byte_lengths else 2 + be16(at)

    cdef uint8_t* space(self) noexcept nogil:
        """Where the next messages are written; ends `capacity` bytes on."""
        return self.base + self.head % self.capacity

    cdef void wrote(self, size_t size, uint64_t messages) noexcept nogil:
        self.head += size
        self.waiting += messages
        check(self.head - self.sent + SLACK <= self.capacity)

    cdef uint8_t* take(
        self, size_t room, uint64_t limit, int64_t time, size_t* size, uint32_t* count
    ) noexcept nogil:
        """The next packet's blocks: up to `limit` messages in `room` bytes, stamped with `time`.

        Valid until `capacity` more bytes are written. `time` is ns since midnight (ITCH: u48 at
        5 of each message); below 0 leaves the messages as they are.
        """
        cdef uint8_t* start = self.base + self.sent % self.capacity
        cdef uint8_t* at = start
        cdef uint64_t end = self.next_sequence + min(limit, self.waiting)
        cdef uint64_t first = self.next_sequence
        cdef size_t length
        while self.next_sequence < end:
            length = self.block_length(at)
            if at + length > start + room:
                break
            if time >= 0:
                stamp(at + 7, time)
            if self.next_sequence & (MARK - 1) == 0:
                self.marks[(self.next_sequence // MARK) & self.mark_mask] = (
                    self.sent + (at - start)
                )
            at += length
            self.next_sequence += 1
        self.sent += at - start
        self.waiting -= self.next_sequence - first
        count[0] = <uint32_t>(self.next_sequence - first)
        size[0] = at - start
        check(self.sent <= self.head)
        return start

    cdef const uint8_t* find(self, uint64_t sequence, size_t* size) noexcept nogil:
        """The sent message `sequence` and all after it: `size` bytes; NULL if not retained."""
        cdef uint64_t mark = sequence // MARK
        cdef uint64_t offset, at
        if sequence < 1 or sequence >= self.next_sequence:
            return NULL
        if mark + self.mark_mask < self.next_sequence // MARK:
            return NULL
        # the first message is no multiple of MARK, and lies at offset 0
        offset = self.marks[mark & self.mark_mask] if mark else 0
        if offset + self.capacity < self.head + SLACK:
            return NULL
        at = mark * MARK if mark else 1
        while at < sequence:
            offset += self.block_length(self.base + offset % self.capacity)
            at += 1
        size[0] = self.sent - offset
        return self.base + offset % self.capacity

    cdef void discard(self) noexcept nogil:
        """Forget what was written and not yet sent."""
        self.head = self.sent
        self.waiting = 0

    # The Python face, for tests and tools

    def append(self, framed: bytes, messages: int) -> None:
        """Write framed messages ahead."""
        cdef const uint8_t[::1] data = framed
        if data.shape[0] + (self.head - self.sent) + SLACK > self.capacity:
            raise ValueError(f"{len(framed)} bytes do not fit into {self.capacity}")
        memcpy(self.space(), &data[0], data.shape[0])
        self.wrote(data.shape[0], messages)

    def send(self, room: int, limit: int, time: int = -1) -> tuple[int, bytes]:
        """Take the next packet: (count, its message blocks)."""
        cdef size_t size
        cdef uint32_t count
        cdef uint8_t* blocks = self.take(room, limit, time, &size, &count)
        return count, blocks[:size]

    def get(self, sequence: int) -> bytes | None:
        """The sent message `sequence` without its length, if it is retained."""
        cdef size_t size
        cdef const uint8_t* block = self.find(sequence, &size)
        if block == NULL:
            return None
        return block[0 if self.byte_lengths else 2:self.block_length(block)]


cdef inline void stamp(uint8_t* at, int64_t time) noexcept nogil:
    """Write a u48; the two bytes after it stay."""
    cdef uint8_t[8] word
    put64(word, <uint64_t>time << 16)
    memcpy(at, word, 6)
