"""One watcher: its socket, what it has half received, what it is still due; and all of them.

A connection's number is its place in the table; a freed place is used again.
"""

cimport cython
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from ticker.gateway.sockets.frames cimport FrameReader
from ticker.gateway.sockets.outbound cimport Outbound
from ticker.shm.header cimport Mapping


cpdef enum Encoding:
    PLAIN = 0                    # JSON without what only ticker.v1 has
    JSON = 1
    MSGPACK = 2
    PROTOBUF = 3
    EVENT_STREAM = 4                   # server-sent events: JSON, and nothing the other way
    ENCODINGS = 5

# The dialects of vendors (ticker/gateway/dialects/), whose messages hub/forms.pyx encodes.
cpdef enum VendorEncoding:
    ALPACA_JSON = 5              # from ENCODINGS on
    ALPACA_MSGPACK = 6
    POLYGON_JSON = 7
    ALL_ENCODINGS = 8

cdef inline bint is_text(uint32_t encoding) noexcept nogil:
    """Whether its messages are texts (RFC 6455, section 5.6)."""
    return encoding <= JSON or encoding == ALPACA_JSON or encoding == POLYGON_JSON

cdef enum ConnectionState:
    CONNECTION_FREE = 0
    CONNECTION_HEAD = 1          # its request head has not come whole
    CONNECTION_OPEN = 2          # frames both ways
    CONNECTION_LINGER = 3        # our close frame is out; waits for the peer to go
    CONNECTION_DOOMED = 4        # to be freed by the next reap()

cdef enum:
    NO_CONNECTION = 0xFFFFFFFF
    SLOW_CLIENT = 4407

cdef struct Subscription:
    uint32_t topic
    uint32_t position            # in the topic's subscribers
    uint32_t seen                # version of the topic that was sent last; 0: no price yet

# What each flush touches is in the first cache line, and the size is a number of lines: with 15,000
# clients the lines that a turn fetches are what its own part of a flush costs.
cdef struct Connection:
    int fd
    uint8_t state                # ConnectionState
    uint8_t wants_write          # its socket is full: EPOLLOUT is on
    uint8_t sealed               # records wait in its TlsSession
    uint8_t gathered             # a send of this turn, not sent yet (sender.pyx)
    uint8_t encoding             # Encoding
    uint8_t batch                # a flush is one message
    uint8_t at_once              # each change as it comes: it never waits for a turn
    uint8_t bar_states           # bit for each BarState whose bars are told; 0: all
    uint32_t subscription_count
    Subscription* subscriptions
    PyObject* tls                # owned TlsSession (tls.py), NULL: none
    int64_t sent_at              # when it was sent something last
    uint32_t resume              # subscription that the next flush begins with
    uint16_t turns               # of the wheel between two flushes; 0: as the server flushes
    uint8_t pace                 # number in PACES (pacing/rates.py)
    uint8_t window_bits          # of messages that are deflated for it; 0: none are
    int64_t deadline             # what for depends on the state; 0: none
    uint32_t generation          # of this place in the table
    uint32_t subscription_capacity
    # -- the second line
    Outbound waiting             # in plain, also where there is TLS
    FrameReader* reader          # NULL while at rest
    uint8_t* inbound             # of a request head
    uint32_t inbound_length
    float tokens                 # commands it may still give
    int64_t tokens_at
    double max_rate              # flushes per second that it asked for, 0: it did not
    # -- the third
    uint32_t controls_second
    uint16_t controls            # pings and pongs of the peer in this second
    uint16_t close_code
    uint8_t strikes              # for refused messages
    uint8_t pinged
    uint8_t[54] unused


@cython.final
cdef class ConnectionTable:
    cdef Connection* table       # of whole cache lines, in `memory`
    cdef void* memory
    cdef readonly uint32_t capacity
    cdef uint32_t high_water     # places [0, high_water) have been used
    cdef uint32_t open_count
    cdef uint32_t used
    cdef uint32_t lent           # sockets that were handed over and still count
    cdef uint32_t* free_places
    cdef uint32_t free_count
    cdef uint32_t* doomed
    cdef uint32_t doomed_count
    cdef uint32_t* drained       # connections whose socket took all that waited
    cdef uint32_t drained_count
    cdef readonly int epoll_fd
    cdef uint32_t max_outbound
    cdef Mapping mapping         # keeps `counters` mapped
    cdef uint64_t* counters
    cdef int64_t now             # by the monotonic clock, which the edges pass in
    cdef int64_t head_timeout
    cdef int64_t slow_timeout
    cdef int64_t ping_interval
    cdef int64_t half_timeout    # of a message that has begun

    cdef int deliver(self, uint32_t number, const uint8_t* data, size_t length) noexcept nogil
    cdef int settle(
        self, uint32_t number, const uint8_t* data, size_t length, ssize_t sent
    ) noexcept nogil
    cdef ssize_t push(
        self, Connection* connection, const uint8_t* data, size_t length
    ) noexcept nogil
    cdef void put_records(self, uint32_t number, bytes records) noexcept
    cdef void writable(self, uint32_t number) noexcept nogil
    cdef void doom(self, uint32_t number) noexcept nogil
    cdef void fail(
        self, uint32_t number, uint16_t code, const char* reason, size_t length
    ) noexcept nogil
    cdef bint full(self) noexcept nogil
    cdef uint32_t place(self, int fd) noexcept nogil
    cdef void free(self, uint32_t number) noexcept
    cdef Connection* checked(self, object number) except NULL
    cdef void _finish_records(self, uint32_t number) noexcept with gil
    cdef void _block(self, uint32_t number) noexcept nogil
    cdef void _end_sending(self, uint32_t number) noexcept nogil
    cdef int _keep(self, Connection* connection, const uint8_t* data, size_t length) noexcept nogil
    cdef void _watch(self, uint32_t number, int operation) noexcept nogil
    cdef void _release(self, uint32_t number) noexcept
