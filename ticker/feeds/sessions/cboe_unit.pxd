"""Cboe sequenced units: see cboe_unit.pyx."""

from libc.stdint cimport int64_t

from ticker.feeds.sequence.channels cimport CHANNELS, Channels


cdef class CboeUnit(Channels):
    cdef bint[CHANNELS] wanted     # units of this feed; 0 is none
    cdef int64_t refused_until     # the proxy's quota is used up until then, 0: it is not
