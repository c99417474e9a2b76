"""MoldUDP64: see moldudp64.pyx."""

from ticker.feeds.sequence.sequenced cimport Sequenced


cdef class MoldUDP64(Sequenced):
    pass
