"""A feed's image that was read back: see image.pyx."""

from libc.stdint cimport uint8_t, uint64_t

from ticker.feeds.images.layout cimport PARTS, ImageHead
from ticker.feeds.market.market cimport Market


cdef class Image:
    cdef Py_buffer buffer        # holds the bytes while `held`
    cdef bint held
    cdef const uint8_t* data
    cdef uint64_t length
    cdef ImageHead head
    cdef uint64_t[PARTS] offsets

    cdef bytes _bytes(self, int part)
    cdef const char* _fault(self, uint64_t boot_id, uint64_t fingerprint) noexcept nogil
    cdef const char* _damage(self) noexcept nogil
    cdef const char* _nonsense(self) noexcept nogil
    cdef uint64_t _count(self, int part, uint64_t size) noexcept nogil
    cdef int _restore_rows(self, Market market) except -1
    cdef int _restore_trades(self, Market market) except -1
    cdef int _restore_ids(self, Market market) except -1
    cdef int _restore_orders(self, Market market) except -1


cdef class NumberSet:
    cdef uint64_t* slots
    cdef uint64_t mask
    cdef bint has_zero

    cdef bint put(self, uint64_t number) noexcept nogil
    cdef bint has(self, uint64_t number) noexcept nogil
