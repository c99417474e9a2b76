cimport cython
from libc.stdint cimport uint8_t, uint16_t, uint32_t

from ticker.gateway.sockets.connection cimport Connection, ConnectionTable
from ticker.gateway.sockets.frames cimport FrameLimits, FrameReader

cdef enum:
    SCRATCH = 131072             # bytes received at a time


@cython.final
cdef class Reception:
    cdef ConnectionTable connections
    cdef object handler
    cdef public object tls_context       # ssl.SSLContext for what is accepted, None: plain
    cdef public bint counts_addresses
    cdef FrameLimits limits
    cdef FrameLimits deflated            # the same, of connections whose messages may be deflated
    cdef public bytes busy               # answer to whom there is no descriptor for
    cdef int listener_fd
    cdef int spare_fd            # closed for a moment when the descriptors have run out
    cdef bint accepting
    cdef uint8_t* scratch

    cdef int _accept(self) except -1
    cdef int _placed(self, uint32_t number) except -1
    cdef int _turn_away(self) except -1
    cdef void _pause(self) noexcept nogil
    cdef int _readable(self, uint32_t number) except -1
    cdef int _bytes(self, uint32_t number, size_t length) except -1
    cdef int _records(self, uint32_t number, bytes data) except -1
    cdef int _head_bytes(self, uint32_t number, size_t length) except -1
    cdef int _keep_head(self, uint32_t number, bytes data) except -1
    cdef int _frames(self, uint32_t number, uint8_t* data, size_t length) except -1
    cdef int _event(
        self, uint32_t number, int event, FrameReader* reader, uint8_t* payload, size_t length
    ) except -1
    cdef int _message(
        self, uint32_t number, FrameReader* reader, uint8_t* payload, size_t length
    ) except -1
    cdef int _broken(self, uint32_t number, uint16_t code) except -1
    cdef bint _flooded(self, Connection* connection) noexcept nogil
