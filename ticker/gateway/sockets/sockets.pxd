"""What this package needs of <sys/socket.h>, <sys/epoll.h> and <unistd.h>."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t


cdef extern from "<sys/socket.h>" nogil:
    enum:
        MSG_NOSIGNAL
        MSG_DONTWAIT
        SOCK_NONBLOCK
        SOCK_CLOEXEC
        SHUT_WR
        SOL_SOCKET
        SO_SNDBUF
    ssize_t send(int fd, const void* data, size_t length, int flags)
    ssize_t recv(int fd, void* data, size_t length, int flags)
    int accept4(int fd, void* address, void* length, int flags)
    int shutdown(int fd, int how)
    ctypedef unsigned int socklen_t
    int setsockopt(int fd, int level, int name, const void* value, socklen_t length)
    int getpeername(int fd, void* address, socklen_t* length)

cdef extern from "<netinet/tcp.h>" nogil:
    enum:
        IPPROTO_TCP
        TCP_USER_TIMEOUT

cdef extern from "<unistd.h>" nogil:
    int close(int fd)
    int dup(int fd)

cdef extern from "<netinet/in.h>" nogil:
    struct in_addr:
        uint32_t s_addr
    struct sockaddr_in:
        in_addr sin_addr

cdef extern from "<sys/epoll.h>" nogil:
    enum:
        EPOLL_CTL_ADD
        EPOLL_CTL_DEL
        EPOLL_CTL_MOD
        EPOLL_CLOEXEC
        EPOLLIN
        EPOLLOUT
        EPOLLERR
        EPOLLHUP
        EPOLLRDHUP
    ctypedef union epoll_data_t:
        uint64_t u64
    struct epoll_event:
        uint32_t events
        epoll_data_t data
    int epoll_create1(int flags)
    int epoll_ctl(int epoll_fd, int operation, int fd, epoll_event* event)
    int epoll_wait(int epoll_fd, epoll_event* events, int most, int timeout)


cdef inline void bound_silence(int fd, int64_t ns) noexcept nogil:
    """Let the kernel end a connection whose peer acknowledges nothing for so long (RFC 5482). No
    ping of ours asks the reader of events whether it is still there."""
    cdef unsigned int milliseconds = <unsigned int>(ns // 1000000)
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &milliseconds, sizeof(milliseconds))


cdef inline str address_of(int fd):
    """The IPv4 address at the other end; empty when it is gone."""
    cdef sockaddr_in address
    cdef socklen_t size = sizeof(address)
    cdef const uint8_t* parts = <const uint8_t*>&address.sin_addr
    if getpeername(fd, &address, &size) < 0:
        return ""
    return f"{parts[0]}.{parts[1]}.{parts[2]}.{parts[3]}"
