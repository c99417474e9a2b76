from libc.stdint cimport uint8_t, uint32_t

from ticker.gateway.connection cimport ConnectionTable
from ticker.gateway.frames cimport FrameReader


cdef class Connections(ConnectionTable):
    cdef int _accept(self) except -1
    cdef int _readable(self, uint32_t number) except -1
    cdef int _head_bytes(self, uint32_t number, size_t length) except -1
    cdef int _frames(self, uint32_t number, uint8_t* data, size_t length) except -1
    cdef int _expire(self, uint32_t number) except -1
    cdef int _full(self) except -1
    cdef int _event(
        self, uint32_t number, int event, FrameReader* reader, uint8_t* payload, size_t length
    ) except -1
