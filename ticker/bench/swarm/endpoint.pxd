from ticker.bench.swarm.net cimport sockaddr_in


cdef class Endpoint:
    """The server that a swarm connects to."""

    cdef sockaddr_in server
    cdef bytes request
    cdef bytes agreed
    cdef bytes extension                   # that was offered, and must be taken
    cdef str subprotocol
    cdef bint loopback

    cdef int open_socket(self, int number) except -1
    cdef int connected(self, int fd, int number) except -1
    cdef object upgraded(self, bytes head)
