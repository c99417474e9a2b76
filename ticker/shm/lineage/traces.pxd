"""The newest messages of traced rows, in a file in memory; a feed's worker writes it, others read.

    0     TraceHead
    ...   MOST_TRACED x KEPT_MESSAGES x TraceSlot: those of each traced row, by their number

A slot's sequence is odd while it is written, 0: empty.
"""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from ticker.shm.lineage.origin cimport Origin

cdef enum:
    TRACE_FORMAT = 1
    MOST_TRACED = 64             # rows
    KEPT_MESSAGES = 32           # of each
    MESSAGE_BYTES = 960          # of a message that are kept

cdef struct TraceHead:
    char magic[8]                # "TICKTRAC"
    uint64_t format
    uint64_t reserved[6]

cdef struct TraceSlot:
    uint64_t sequence
    uint64_t row
    uint64_t first_seq           # of the row, of the trades that the message made
    uint64_t last_seq
    int64_t receive_time
    uint64_t number              # of the message in its session, 0: it has none
    uint64_t place               # of an Origin (origin.pxd)
    uint64_t length              # of the whole message
    uint8_t message[MESSAGE_BYTES]


@cython.final
cdef class TraceWriter:
    cdef object memory
    cdef uint8_t[::1] view       # keeps `slots` alive
    cdef TraceSlot* slots
    cdef uint64_t[MOST_TRACED] counts

    cdef void keep(
        self, uint32_t place, uint32_t row, uint64_t first_seq, uint64_t last_seq,
        int64_t receive_time, const Origin* origin, const uint8_t* message, size_t length,
    ) noexcept nogil
    cdef void clear(self, uint32_t place) noexcept nogil


@cython.final
cdef class TraceReader:
    cdef object memory
    cdef const uint8_t[::1] view
    cdef const TraceSlot* slots

    cdef bint _read(self, uint32_t number, TraceSlot* out) noexcept
