"""A wheel of turns: clients stand in a bucket of it until their turn comes.

    turn:      n-1        n        n+1       n+2    ...      time of turn n: base_time + (n - base_turn) * width
    bucket:  [ taken ] [ a b c ] [ d   ] [       ]

A client's number is its place in the table of connections. A turn's number is its bucket, modulo BUCKETS.
"""

cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef enum:
    TURNS = 4                    # turns of the wheel per flush interval
    FINE_TURNS = 8               # the same of a wheel whose interval may be short: a client waits
                                 # for up to one turn more than its interval
    BUCKETS = 64                 # a power of two; a client that waits for longer goes round again
    FEW = 600                    # a bucket with fewer clients joins the next one

cdef enum:
    NOWHERE = 0xFFFFFFFF         # in `next`: the client stands in no bucket
    LAST = 0xFFFFFFFE            # in `next`: it is the last of its bucket


@cython.final
cdef class Wheel:
    cdef uint32_t places
    cdef uint32_t* next
    cdef uint32_t* turns         # of each client: the turn that it waits for, then the one that it had
    cdef uint32_t[BUCKETS] head
    cdef uint32_t[BUCKETS] tail
    cdef uint32_t[BUCKETS] count
    cdef readonly uint64_t turn  # the next one
    cdef uint64_t base_turn
    cdef int64_t base_time
    cdef readonly int64_t width
    cdef uint32_t per_interval   # turns
    cdef public uint32_t few     # FEW, or 0: no bucket joins another one

    cdef bint stands(self, uint32_t number) noexcept nogil
    cdef bint enter(self, uint32_t number, uint64_t turn) noexcept nogil
    cdef uint64_t after_last(self, uint32_t number, uint32_t turns) noexcept nogil
    cdef void leave(self, uint32_t number) noexcept nogil
    cdef uint64_t reached(self, int64_t now) noexcept nogil
    cdef uint32_t take(self, uint64_t turn) noexcept nogil
    cdef int64_t next_time(self) noexcept nogil
    cdef void set_width(self, int64_t width, int64_t now) noexcept nogil
    cdef void _append(self, uint32_t number, uint64_t turn) noexcept nogil
