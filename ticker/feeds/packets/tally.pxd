"""What became of a capture's packets: see tally.pyx."""

from libc.stdint cimport uint32_t, uint64_t

from ticker.feeds.packets.layers cimport VERDICTS, Verdict

cdef enum:
    MOST_KINDS = 32                # of what is not read, told apart

cdef struct Unread:
    uint32_t kind                  # what Layers.next is
    uint64_t packets


cdef class Tally:
    cdef readonly uint64_t packets     # in the file
    cdef readonly uint64_t datagrams   # handed out
    cdef readonly uint64_t cut         # of those: that the capture has in part
    cdef readonly uint64_t without_time
    cdef uint64_t elsewhere            # datagrams of other lines
    cdef uint64_t nowhere              # packets of an interface that the file does not describe
    cdef uint64_t[VERDICTS] verdicts
    cdef Unread[MOST_KINDS] unread
    cdef int kinds
    cdef uint64_t further              # of kinds beyond those

    cdef void refuse(self, Verdict verdict, uint32_t kind) noexcept nogil
