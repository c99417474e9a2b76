"""Cboe sequenced units: see cboe_unit.pyx."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from ticker.feeds.sequenced cimport Sequenced
from ticker.feeds.session cimport Session

cdef enum:
    UNITS = 256                    # numbers of units; 0 is none


cdef class CboeUnit(Session)


cdef class UnitStream(Sequenced):
    cdef CboeUnit owner
    cdef readonly int unit
    cdef readonly bint waiting     # for an image; what comes meanwhile is kept
    cdef int64_t image_timeout_ns  # 0: there is no spin server
    cdef int64_t waits_until
    cdef int64_t asks_from         # no requests before it, 0: any time
    cdef uint64_t arriving         # position of the packet that is being taken
    cdef int64_t arrived_ns
    cdef bint over                 # its last message was End of Session

    cdef void packet(
        self, const uint8_t* data, size_t length, uint32_t sequence, uint32_t messages, int line,
        int64_t now_ns,
    ) noexcept nogil
    cdef bint _is_quiet(self, int64_t now_ns) noexcept nogil
    cdef void _go_on_at(self, uint64_t position) noexcept nogil
    cdef void _stop_waiting(self) noexcept nogil
    cdef void leave(self) noexcept nogil
    cdef bint refuse(self, uint32_t sequence, uint32_t messages, int64_t now_ns) noexcept nogil
    cdef bint take_image(
        self, const uint8_t* data, size_t length, uint32_t sequence, int64_t now_ns
    ) noexcept nogil


cdef class CboeUnit(Session):
    cdef object options
    cdef void* streams[UNITS]      # UnitStream of each unit that was heard of, borrowed
    cdef list known                # the same, owned
    cdef uint8_t numbers[UNITS]    # of those, in order of appearance
    cdef int used
    cdef bint started              # the protocol was told that a session began
    cdef int64_t refused_until     # the proxy's quota is used up until then, 0: it is not
    cdef bint reachable            # somebody is logged in to the proxy

    cdef bint _ready(self, int unit) noexcept nogil
    cdef bint _create(self, int unit) noexcept with gil
    cdef void _joined(self) noexcept nogil
    cdef void _began_again(self, UnitStream stream, int64_t now_ns) noexcept nogil
    cdef void _clear_unit(self, UnitStream stream, int64_t now_ns) noexcept nogil
    cdef void _settle(self) noexcept nogil
