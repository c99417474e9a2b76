from libc.stdint cimport uint32_t, uint64_t


cdef class Draw:
    """Different symbols by weight, without putting one back."""

    cdef uint32_t count                 # symbols
    cdef uint32_t room                  # a power of two, at least `count`
    cdef uint64_t* weights
    cdef uint64_t* tree                 # sums of weights, as a Fenwick tree from 1

    cdef void _change(self, uint32_t symbol, uint64_t by) noexcept nogil
    cdef uint32_t _take(self, uint64_t at) noexcept nogil
    cdef int fill(self, uint64_t seed, uint32_t* out, uint32_t wanted) except -1
