"""UDP: see udp.pyx."""

from libc.stdint cimport int64_t, uint8_t, uint32_t
from posix.uio cimport iovec

from ticker.feeds.market.market cimport Market
from ticker.feeds.session cimport Session

cdef extern from "<sys/socket.h>" nogil:
    struct msghdr:
        void* msg_name
        unsigned int msg_namelen
        iovec* msg_iov
        size_t msg_iovlen
        int msg_flags

    struct mmsghdr:
        msghdr msg_hdr
        unsigned int msg_len

cdef extern from "<netinet/in.h>" nogil:
    struct in_addr:
        uint32_t s_addr

    struct sockaddr_in:
        in_addr sin_addr

cdef extern from "<poll.h>" nogil:
    struct pollfd:
        int fd
        short events
        short revents

cdef enum:
    BATCH = 32                     # datagrams of one system call
    BUFFER = 9216                  # bytes of one: a jumbo frame's payload fits
    MOST_SOCKETS = 64
    MOST_SOURCES = 16


cdef class UdpTransport:
    cdef readonly list sockets     # in the order of `lines`
    cdef object rerequest          # the socket among them, the last one, or None
    cdef int answers_fd            # of it, -1: there is none
    cdef int used
    cdef pollfd polled[MOST_SOCKETS + 1]   # the last one in use: `watched`
    cdef int watched               # 1: a caller's file descriptor is polled, too
    cdef int lines[MOST_SOCKETS]
    cdef bint checked[MOST_SOCKETS]        # datagrams count only if a source sent them
    cdef uint32_t sources[MOST_SOURCES]    # as they are on the wire
    cdef int source_count
    cdef sockaddr_in names[BATCH]
    cdef list witnesses
    cdef mmsghdr headers[BATCH]
    cdef iovec vectors[BATCH]
    cdef uint8_t* buffers

    cdef bint _is_source(self, uint32_t address) noexcept nogil
    cdef int _receive(self, int index, Session session) noexcept nogil
    cdef void _gather(self) noexcept nogil
    cdef int _poll(self, int64_t timeout_ns) noexcept nogil
    cdef bint _turn(
        self, Session session, Market market, int64_t since_ns, int64_t until_ns
    ) noexcept nogil
