cimport cython
from libc.stdint cimport int64_t, uint32_t

from ticker.gateway.sockets.connection cimport Connection, ConnectionTable


@cython.final
cdef class Deadlines:
    cdef ConnectionTable connections
    cdef object speaker
    cdef public int64_t heartbeat        # ns without a word that are too long, 0: never

    cdef int _expire(self, uint32_t number) except -1
    cdef int _close_slow(self, uint32_t number) except -1
    cdef bytes _sealed(self, object tls, bytes words)
    cdef int _beat(self, Connection* connection, uint32_t number, list frames) except -1
