"""The books that clients watch, and their frames: see views.pyx."""

cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t

from ticker.gateway.books.encode cimport LongFrame
from ticker.gateway.books.levels cimport Book, Levels
from ticker.gateway.prices.board cimport Board
from ticker.gateway.sockets.connection cimport ENCODINGS
from ticker.shm.depth.layout cimport DepthLevel
from ticker.shm.layout cimport SYMBOL_BYTES, VENUE_BYTES


cdef enum:
    KEPT = 16                    # editions of a view, a power of two
    DELTAS = 4                   # of an encoding that are kept, by the version they go on from

# A book as clients may have it.
cdef struct Edition:
    uint32_t version             # of the view; 0: there is none
    bint told                    # a client has it: it stays as it is
    uint64_t seq
    int64_t time
    uint64_t size_exponent
    uint32_t counts[2]
    DepthLevel* sides[2]

# A symbol's book, over all venues or on one, so many levels deep.
cdef struct View:
    uint32_t symbol
    uint32_t levels              # 0: nobody watches it, and its place is free
    char venue[VENUE_BYTES + 1]  # empty: over all
    char name[SYMBOL_BYTES]
    uint64_t stamp               # of the rows that the newest edition was read from
    uint32_t version             # of the newest edition; 0: there is none yet
    Edition editions[KEPT]       # by version
    DepthLevel* memory           # of all editions
    LongFrame wholes[ENCODINGS]
    LongFrame deltas[ENCODINGS][DELTAS]


cdef enum Refreshed:
    VIEW_SAME = 0
    VIEW_OTHER = 1               # the newest edition, which nobody has yet, is another
    VIEW_MOVED = 2               # there is a new edition


@cython.final
cdef class Views:
    cdef Board board
    cdef readonly Levels levels
    cdef uint64_t* counters
    cdef View** views
    cdef uint32_t count          # views [0, count) have been used
    cdef uint32_t capacity
    cdef dict numbers            # of the view of (symbol, venue, levels)
    cdef list free_numbers
    cdef readonly uint32_t open_count

    cdef Refreshed refresh(self, uint32_t number) except? VIEW_MOVED
    cdef bint pending(self) except -1
    cdef bint has_book(self, uint32_t number) noexcept nogil
    cdef const LongFrame* frame(
        self, uint32_t number, uint32_t seen, uint32_t encoding
    ) noexcept nogil
    cdef View* _place(self) except NULL
    cdef View* _checked(self, object number) except NULL
    cdef int _free(self, View* view) except -1
    cdef LongFrame* _encoded(
        self, View* view, LongFrame* frame, uint32_t origin, uint32_t encoding
    ) noexcept nogil
