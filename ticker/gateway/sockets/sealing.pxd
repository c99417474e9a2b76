"""Sending through a TLS session, to a socket that may be full."""

from libc.stdint cimport uint8_t, uint64_t

cdef ssize_t seal(
    int fd, object tls, const uint8_t* data, size_t length, uint64_t* counters
) noexcept
cdef bint push_records(int fd, object tls, uint64_t* counters) noexcept
