"""The bytes of one send: frames behind each other, or one message with all of them in it."""

cimport cython
from libc.stdint cimport uint8_t, uint32_t

from ticker.gateway.books.encode cimport LONGEST, LongFrame
from ticker.gateway.hub.encode cimport MOST_ROOM, Frame
from ticker.gateway.movers.frames cimport MOST_BYTES
from ticker.gateway.sockets.frames cimport SERVER_HEAD

cdef enum:
    SPARE = 2 * MOST_ROOM        # a parcel is full when less room is left
    BATCH_ROOM = SERVER_HEAD + 6 # in front of a batch: the frame's head and the array's
    AROUND = 8                   # bytes around an item of a batch, and at the end
    GATHERED = 131072            # bytes of parcels that wait behind each other


@cython.final
cdef class Parcel:
    cdef uint8_t* memory         # GATHERED bytes, then room for one parcel more
    cdef uint8_t* out
    cdef size_t capacity
    cdef size_t at               # end of what it holds
    cdef size_t start            # where that begins
    cdef uint32_t items          # messages in it
    cdef bint batch
    cdef uint32_t encoding

    cdef void begin(self, uint32_t encoding, bint batch) noexcept nogil
    cdef bint begin_behind(self, bytes ready) noexcept
    cdef bint full(self) noexcept nogil
    cdef void put(self, const Frame* frame) noexcept nogil
    cdef bint put_long(self, const LongFrame* frame) noexcept nogil
    cdef void _append(
        self, const uint8_t* bytes, size_t message, size_t length
    ) noexcept nogil
    cdef void finish(self) noexcept nogil
    cdef size_t length(self) noexcept nogil
    cdef bint leave(self) noexcept nogil
    cdef void rewind(self) noexcept nogil
