"""The NATS protocol of a client: see natswire.pyx."""

from libc.stdint cimport uint8_t


cdef class NatsReader:
    cdef uint8_t* buffer
    cdef size_t room
    cdef size_t used             # bytes of the buffer that have come
    cdef size_t taken            # and those of them that are read
    cdef readonly size_t longest # bytes of a message that are taken

    cdef int _append(self, const uint8_t* data, size_t length) except -1
    cdef object _next(self)
    cdef object _message(self, const char* line, size_t length, size_t behind, bint headers)
