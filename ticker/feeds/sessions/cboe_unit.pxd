"""Cboe sequenced units: see cboe_unit.pyx."""

from libc.stdint cimport int64_t, uint8_t

from ticker.feeds.unit_stream cimport Units, UnitStream

cdef enum:
    UNITS = 256                    # numbers of units; 0 is none


cdef class CboeUnit(Units):
    cdef bint[UNITS] wanted        # units of this feed
    cdef void* streams[UNITS]      # UnitStream of each unit that was heard of, borrowed
    cdef list known                # the same, owned
    cdef uint8_t numbers[UNITS]    # of those, in order of appearance
    cdef int used
    cdef bint started              # the protocol was told that a session began
    cdef int64_t refused_until     # the proxy's quota is used up until then, 0: it is not

    cdef bint _ready(self, int unit) noexcept nogil
    cdef bint _create(self, int unit) noexcept with gil
    cdef void _settle(self) noexcept nogil
