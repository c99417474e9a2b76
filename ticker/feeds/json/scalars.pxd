"""Numbers and times written as text, to integers, exactly. See scalars.pyx."""

from libc.stdint cimport int64_t, uint64_t

# Each: whether the text is one; if not, `out` is as it was.
cdef bint read_decimal(
    const char* text, size_t length, int decimals, bint cut, int64_t* out
) noexcept nogil
cdef bint read_uint(const char* text, size_t length, uint64_t* out) noexcept nogil
cdef bint read_rfc3339(const char* text, size_t length, int64_t* out) noexcept nogil
