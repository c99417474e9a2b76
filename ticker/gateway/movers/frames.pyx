"""Ready frames of the lists of movers, of each list and encoding the newest.

In: frames that Python has encoded, about once a second (protocol/movers.py). Out: the same bytes for
all who watch the list (flush.pyx). Law: bounded; a list has one frame in each encoding.
"""

from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree, PyMem_RawMalloc
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy, memset

from ticker.gateway.books.encode cimport LongFrame
from ticker.gateway.sockets.connection cimport ENCODINGS


cdef class MoverFrames:
    """Of lists by their number."""

    def __dealloc__(self) -> None:
        cdef uint32_t i
        for i in range(self.count * ENCODINGS):
            PyMem_RawFree(self.frames[i].bytes)
        PyMem_RawFree(self.frames)

    cdef const LongFrame* frame(self, uint32_t number, uint32_t encoding) noexcept nogil:
        """NULL: there is none."""
        cdef LongFrame* frame
        if number >= self.count or encoding >= ENCODINGS:
            return NULL
        frame = self.frames + number * ENCODINGS + encoding
        return frame if frame.length else NULL

    def put(self, number: int, encoding: int, frame: bytes, message: int) -> None:
        """The newest frame of a list, whose message begins at byte `message`.

        Raises:
            ValueError: it has more than MOST_BYTES, or no such encoding.
        """
        cdef LongFrame* place
        cdef uint8_t* grown
        cdef uint32_t length = len(frame)
        cdef uint32_t wanted = number
        cdef uint32_t of = encoding
        if not 0 <= message <= <int>length <= MOST_BYTES or of >= ENCODINGS:
            raise ValueError(f"list {number}, encoding {encoding}: a frame of {length} bytes")
        if wanted >= self.count:
            self._grow(max(wanted + 1, 2 * self.count))
        place = self.frames + wanted * ENCODINGS + of
        if place.room < length:
            grown = <uint8_t*>PyMem_RawMalloc(length + length // 4)
            if grown == NULL:
                raise MemoryError
            PyMem_RawFree(place.bytes)
            place.bytes = grown
            place.room = length + length // 4
        memcpy(place.bytes, <const uint8_t*>frame, length)
        place.message = message
        place.length = length

    def clear(self, number: int) -> None:
        """Nobody watches a list any more."""
        cdef uint32_t wanted = number
        cdef uint32_t of
        if wanted < self.count:
            for of in range(<uint32_t>ENCODINGS):
                PyMem_RawFree(self.frames[wanted * ENCODINGS + of].bytes)
                memset(self.frames + wanted * ENCODINGS + of, 0, sizeof(LongFrame))

    cdef int _grow(self, uint32_t count) except -1:
        cdef LongFrame* grown = <LongFrame*>PyMem_RawCalloc(
            <size_t>count * ENCODINGS, sizeof(LongFrame)
        )
        if grown == NULL:
            raise MemoryError
        if self.count:
            memcpy(grown, self.frames, <size_t>self.count * ENCODINGS * sizeof(LongFrame))
        PyMem_RawFree(self.frames)
        self.frames = grown
        self.count = count
        return 0
