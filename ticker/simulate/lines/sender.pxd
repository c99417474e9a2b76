"""Paced packets on two lines, what every simulated exchange sends: see sender.pyx."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from ticker.simulate.market.chance cimport Chance


cdef extern from "sys/socket.h" nogil:
    cdef struct iovec:
        void* iov_base
        size_t iov_len
    cdef struct msghdr:
        void* msg_name
        unsigned int msg_namelen
        iovec* msg_iov
        size_t msg_iovlen
    cdef struct mmsghdr:
        msghdr msg_hdr
        unsigned int msg_len
    int sendmmsg(int fd, mmsghdr* messages, unsigned int count, int flags)
    int MSG_DONTWAIT


cdef extern from "poll.h" nogil:
    cdef struct pollfd:
        int fd
        short events
        short revents
    int ppoll(pollfd* fds, unsigned long count, const timespec* timeout, const void* mask)
    int POLLIN


cdef extern from "time.h" nogil:
    cdef struct timespec:
        long tv_sec
        long tv_nsec
    int clock_gettime(int clock, timespec* now)
    int CLOCK_REALTIME
    int CLOCK_MONOTONIC


cdef enum:
    BATCH = 64               # packets per sendmmsg
    LINES = 2
    LONGEST_HEADER = 20      # bytes: MoldUDP64's


cdef struct Packet:
    uint8_t[LONGEST_HEADER] header
    const uint8_t* blocks
    size_t size


cdef struct Line:
    int fd
    uint64_t sent            # packets
    uint64_t lost            # left out on purpose
    uint64_t errors
    Packet held              # a packet that goes out late
    uint32_t held_for        # packets before it does; 0: none is held


cdef int64_t clock(int which) noexcept nogil


cdef class LineSender:
    cdef Chance chance
    cdef Line[LINES] lines
    cdef int line_count
    cdef size_t header_length
    cdef int watched_fd          # when it can be read, `loop` comes back; -1: none
    cdef int request_fd          # when it can be read, `serve` has something to do; -1: none
    cdef double rate             # messages/s once the market has opened
    cdef uint64_t loss           # of 2^64
    cdef uint32_t reorder
    cdef int64_t quantum         # ns from one tick of the pace to the next
    cdef double pace             # messages/s now
    cdef int64_t pace_from       # monotonic ns
    cdef int64_t wall_ahead      # ns, of the wall clock
    cdef uint64_t pace_sent      # messages since
    cdef int64_t last_tick
    cdef int64_t last_packet
    cdef bint ending
    cdef uint64_t postponed      # messages that the schedule gave up when far behind
    cdef int64_t latest          # ns that it was behind the schedule, at most
    cdef bint stamps_due         # messages say when they were due, not when they are sent
    cdef Packet[BATCH] packets
    cdef mmsghdr[BATCH + 1] vector
    cdef iovec[2 * BATCH + 2] parts

    # What a protocol's own sender says.
    cdef void send(self, uint64_t messages) noexcept nogil
    cdef void announce(self, uint32_t count) noexcept nogil
    cdef bint serve(self) noexcept nogil
    cdef bint encode_ahead(self) noexcept nogil
    cdef bint opened(self) noexcept nogil

    cdef int loop(self, int64_t until) noexcept nogil
    cdef uint64_t due(self, int64_t now) noexcept nogil
    cdef int64_t stamp(self) noexcept nogil
    cdef void send_line(self, Line* line, int count) noexcept nogil
    cdef void release(self) noexcept nogil
    cdef void place(self, unsigned int at, const Packet* packet) noexcept nogil
    cdef void flush(self, Line* line, unsigned int count) noexcept nogil
