"""The wall clock, and waiting for a descriptor, as the generator's loops need them."""

from libc.stdint cimport int64_t
from posix.time cimport CLOCK_REALTIME, clock_gettime, timespec

cdef extern from "<poll.h>" nogil:
    cdef struct pollfd:
        int fd
        short events
        short revents
    int POLLIN
    int poll(pollfd* fds, unsigned long count, int timeout_ms)


cdef inline int64_t realtime() noexcept nogil:
    """ns since the epoch, UTC."""
    cdef timespec now
    clock_gettime(CLOCK_REALTIME, &now)
    return <int64_t>now.tv_sec * 1000000000 + now.tv_nsec


cdef inline bint readable(int fd, int timeout_ms) noexcept nogil:
    """Whether `fd` can be read (or a signal came) within the time."""
    cdef pollfd waited
    waited.fd = fd
    waited.events = <short>POLLIN
    waited.revents = 0
    return poll(&waited, 1, timeout_ms) != 0
