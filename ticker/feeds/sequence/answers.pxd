"""The answers of a re-request server: see answers.pyx."""

from libc.stdint cimport int64_t


cdef class Answers:
    cdef bint connected            # an answer is the server's and nobody else's
    cdef int useless               # answers since `since_ns`, or since one was of use
    cdef int64_t since_ns

    # One has come. True: there were so many of no use that the server is to be left alone.
    cdef bint are_too_many(self, int64_t now_ns) noexcept nogil
