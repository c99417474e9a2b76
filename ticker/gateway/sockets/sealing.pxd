"""What connection.pyx calls to send through a TLS session."""

from cpython.object cimport PyObject
from libc.stdint cimport uint8_t, uint64_t


cdef ssize_t seal(
    int fd, PyObject* tls, const uint8_t* data, size_t length, uint64_t* counters,
    uint8_t* waits,
) noexcept with gil
cdef bint push_records(
    int fd, PyObject* tls, uint64_t* counters, uint8_t* waits
) noexcept with gil
