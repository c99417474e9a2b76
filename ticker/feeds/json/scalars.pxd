"""Numbers written as text, to integers, exactly. See scalars.pyx."""

from libc.stdint cimport int64_t, uint64_t


cdef enum Finer:
    # what becomes of digits that are finer than asked for
    EXACT = 0                    # they must be zeros
    CUT                          # they are dropped, towards zero
    ROUND                        # they are rounded, a half away from zero


cdef inline bint digit(char byte) noexcept nogil:
    return c"0" <= byte <= c"9"


# Each: whether the text is one; if not, `out` is as it was.
cdef bint read_decimal(
    const char* text, size_t length, int decimals, Finer finer, int64_t* out
) noexcept nogil
cdef bint read_uint(const char* text, size_t length, uint64_t* out) noexcept nogil
