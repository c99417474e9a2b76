"""The bytes of one send: frames behind each other, or one message with all of them in it.

Parcels that leave() stay where they are until rewind(), while the next one is made behind them.
Law: bounded. Who puts something asks full() first; what has no room is sent next time.
"""

from cpython.mem cimport PyMem_RawFree, PyMem_RawMalloc
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy

from ticker.gateway.hub.encode cimport Frame
from ticker.gateway.sockets.connection cimport PROTOBUF, is_text
from ticker.gateway.sockets.frames cimport OPCODE_BINARY, OPCODE_TEXT, SERVER_HEAD, write_head
from ticker.gateway.wire.protobuf cimport put_varint
from ticker.shm.layout cimport CACHE_LINE


cdef class Parcel:
    """`capacity`: bytes at most, but at least for one message."""

    def __cinit__(self, capacity: int) -> None:
        cdef size_t longest = max(<size_t>LONGEST, <size_t>MOST_BYTES)
        self.capacity = max(capacity, 2 * SPARE, BATCH_ROOM + longest + AROUND)
        self.memory = <uint8_t*>PyMem_RawMalloc(GATHERED + self.capacity)
        if self.memory == NULL:
            raise MemoryError
        self.out = self.memory

    def __dealloc__(self) -> None:
        PyMem_RawFree(self.memory)

    cdef void begin(self, uint32_t encoding, bint batch) noexcept nogil:
        """An empty parcel for a client of this kind."""
        self.encoding = encoding
        self.batch = batch
        self.items = 0
        self.start = 0
        self.at = BATCH_ROOM if batch else 0

    cdef bint begin_behind(self, bytes ready) noexcept:
        """Put ready frames in front of all; False: there is no room, or it is a batch."""
        if self.batch or <size_t>len(ready) + SPARE > self.capacity:
            return False
        memcpy(self.out, <const uint8_t*>ready, len(ready))
        self.at = len(ready)
        return True

    cdef bint full(self) noexcept nogil:
        return self.at + SPARE > self.capacity

    cdef void put(self, const Frame* frame) noexcept nogil:
        """Append a frame, or as an item of the batch only its message."""
        if frame.length:
            self._append(frame.bytes + frame.start, frame.message - frame.start, frame.length)

    cdef bint put_long(self, const LongFrame* frame) noexcept nogil:
        """The same, of a frame that there may be no room for; whether there was."""
        if self.at + frame.length + AROUND > self.capacity:
            return False
        self._append(frame.bytes + frame.start, frame.message - frame.start, frame.length)
        return True

    cdef void _append(
        self, const uint8_t* bytes, size_t message, size_t length
    ) noexcept nogil:
        """`bytes` of a frame, whose message begins at `message`."""
        self.items += 1
        if not self.batch:
            memcpy(self.out + self.at, bytes, length)
            self.at += length
            return
        length -= message
        if is_text(self.encoding):
            self.out[self.at] = c"[" if self.items == 1 else c","
            self.at += 1
        elif self.encoding == PROTOBUF:
            self.out[self.at] = 1 << 3 | 2
            self.at = put_varint(<char*>self.out, <int>self.at + 1, length)
        memcpy(self.out + self.at, bytes + message, length)
        self.at += length

    cdef void finish(self) noexcept nogil:
        """All is in: of a batch, write what stands in front of the items."""
        cdef uint8_t[SERVER_HEAD] head
        cdef char[6] array
        cdef int before = 0
        cdef int size
        if not self.batch:
            return
        if not self.items:
            self.start = self.at
            return
        if is_text(self.encoding):
            self.out[self.at] = c"]"
            self.at += 1
        elif self.encoding != PROTOBUF:
            array[0] = <char>0xDC  # array 16
            array[1] = <char>(self.items >> 8)
            array[2] = <char>self.items
            before = 3
        else:
            array[0] = <char>(15 << 3 | 2)
            before = put_varint(array, 1, self.at - BATCH_ROOM)
        size = write_head(
            head, OPCODE_TEXT if is_text(self.encoding) else OPCODE_BINARY,
            self.at - BATCH_ROOM + before,
        )
        self.start = BATCH_ROOM - before - size
        memcpy(self.out + BATCH_ROOM - before, array, before)
        memcpy(self.out + self.start, head, size)

    cdef size_t length(self) noexcept nogil:
        return self.at - self.start

    cdef bint leave(self) noexcept nogil:
        """Let it stand; whether there is room for another one behind it."""
        self.out += (self.at + CACHE_LINE - 1) & ~<size_t>(CACHE_LINE - 1)
        return self.out <= self.memory + GATHERED

    cdef void rewind(self) noexcept nogil:
        """Nothing stands any more."""
        self.out = self.memory
