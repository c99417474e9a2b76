"""Many WebSocket clients in one process, for loads and for checking what they are sent.

Every frame is read whole, in the encoding that was asked for: its symbol must be one that the
client asked for, its timestamp and `seq` may not go back, its price must belong to its timestamp
(publisher.price_at), a snapshot comes before the first update; on `trades` each `seq` follows
the one before, or `lagged` has said how many were skipped. What `seq` jumps over on the other
channels is counted as merged. No Python object per frame; latencies go to histograms.

Client c subscribes to `per_client` of the S symbols: (first + j * step) mod S with
first = c * spread mod S. Step and spread have no divisor in common with S, so every symbol has
the same number of subscribers, neighbours share few symbols, and the slot of a symbol is found
by one multiplication.

With a `dialect` other than "plain" the clients speak another server's protocol (wrapped.pyx).
That server has no snapshots of its own, or sends them as price messages like its others.

With `raw` the clients say nothing and only read: what the C send loop is read by. They take
the same path through the parser, so both senders meet the same reader.
"""

from libc.errno cimport EAGAIN, EINPROGRESS, EINTR, errno
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memset
from posix.unistd cimport close

from ticker.bench.histogram cimport Histogram
from ticker.bench.message cimport (
    MESSAGE_ERROR,
    MESSAGE_LAGGED,
    MESSAGE_MALFORMED,
    MESSAGE_SNAPSHOT,
    MESSAGE_UPDATE,
    Frame,
    Message,
    SecondCache,
    read_frame,
    read_message,
    write_frame,
)
from ticker.bench.message_binary cimport read_msgpack, read_protobuf
from ticker.bench.net cimport (
    AF_INET,
    EPOLL_CLOEXEC,
    EPOLL_CTL_ADD,
    EPOLL_CTL_MOD,
    EPOLLIN,
    EPOLLOUT,
    IP_BIND_ADDRESS_NO_PORT,
    IPPROTO_IP,
    IPPROTO_TCP,
    MSG_NOSIGNAL,
    SO_ERROR,
    SOCK_CLOEXEC,
    SOCK_NONBLOCK,
    SOCK_STREAM,
    SOL_SOCKET,
    TCP_NODELAY,
    bind,
    connect,
    epoll_create1,
    epoll_ctl,
    epoll_event,
    epoll_wait,
    getsockopt,
    htons,
    inet_pton,
    recv,
    send,
    setsockopt,
    sockaddr,
    sockaddr_in,
    socket,
)
from ticker.bench.synthetic cimport price_of
from ticker.bench.wait cimport realtime
from ticker.bench.wrapped cimport (
    NATS,
    PIECE_PING,
    PIECE_PRICE,
    PIECE_REFUSED,
    PIECE_SUBSCRIBED,
    PIECE_WELCOME,
    Piece,
    has_snapshots,
    next_piece,
)

import errno as errno_names
import math
import os

from ticker.bench.commands import ENCODINGS, command, subprotocol
from ticker.bench.wrapped import DIALECTS, HELLOS, PATHS, PONGS, subscription
from ticker.errors import BenchError

cdef enum ClientState:
    CLOSED = 0
    CONNECTING
    UPGRADING
    GREETING                    # upgraded; the dialect's own welcome is to come
    OPEN

cdef struct Client:
    int fd
    ClientState state
    uint32_t first              # its first symbol
    uint32_t due                # snapshots it waits for
    int64_t asked               # when it sent its last subscribe
    uint8_t* rest               # a frame that is not whole yet
    size_t rest_length
    char* stream                # NATS: an operation that is not whole yet
    size_t stream_length

cdef struct Slot:
    int64_t time                # of the newest price seen, 0: none yet, -1: unsubscribed
    int64_t seq
    int64_t skipped             # by `lagged` since then

cdef enum Encoding:             # as in commands.ENCODINGS
    PLAIN = 0
    JSON
    MSGPACK
    PROTOBUF

cdef enum Count:
    UPDATES = 0
    SNAPSHOTS
    ERRORS
    OTHERS
    PINGS
    READS
    BYTES
    DISCONNECTED
    LAGGED
    SKIPPED
    MERGED
    # violations: any of these above 0 is a defect
    MALFORMED
    UNASKED
    BACKWARDS
    MISMATCHED
    BEFORE_SNAPSHOT
    GAPS
    COUNT_END

COUNTS = (
    "updates", "snapshots", "errors", "others", "pings", "reads", "bytes", "disconnected",
    "lagged", "skipped", "merged",
    "malformed", "unasked", "backwards", "mismatched", "before_snapshot", "gaps",
)
VIOLATIONS = ("malformed", "unasked", "backwards", "mismatched", "before_snapshot", "gaps")
assert len(COUNTS) == COUNT_END

cdef enum:
    EVENTS = 1024
    BUFFER = 1 << 20
    SOURCE_PORTS = 25000        # of 28,232 ephemeral ones per source address
    IN_FLIGHT = 256

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455, 1.3
CONTROL = 2**64 - 1


cdef uint32_t coprime(uint32_t near, uint32_t of) except 0:
    """The first number from `near` on that has no divisor in common with `of`."""
    while math.gcd(near, of) != 1:
        near += 1
    return near


cdef class Swarm:
    """`clients` clients of one server, numbers from `first_client` on.

    `symbols` is the whole list that clients choose from. The first `watchers` clients subscribe
    in `subscribe`; the others are probes for `probe`.
    """

    cdef readonly int clients
    cdef readonly int open
    cdef readonly Histogram latency        # timestamp of an update to its receipt
    cdef readonly Histogram first_answer   # subscribe sent to snapshot received
    cdef Client* members
    cdef Slot* slots
    cdef uint8_t* buffer
    cdef uint64_t[24] counts
    cdef uint64_t waiting                  # snapshots due over all clients
    cdef uint32_t symbol_count, per_client, step, inverse, spread
    cdef dict numbers
    cdef list symbols
    cdef uint64_t* hash_keys
    cdef uint32_t* hash_values
    cdef uint32_t hash_mask
    cdef SecondCache cache
    cdef sockaddr_in server
    cdef bytes request, hello, answer_to_ping
    cdef const char* pong
    cdef size_t pong_length
    cdef int dialect
    cdef bytes agreed
    cdef str encoding, channel
    cdef int format
    cdef int epoll, control, first_client
    cdef bint raw, verify, each_trade
    cdef int64_t last_read

    def __cinit__(
        self, host: str, port: int, symbols: list[str], clients: int, per_client: int, *,
        first_client: int = 0, raw: bool = False, verify: bool = False, control_fd: int = -1,
        dialect: str = "plain",
        encoding: str = "plain", channel: str = "price",
    ) -> None:
        if not 1 <= per_client <= len(symbols):
            raise ValueError(f"{per_client} of {len(symbols)} symbols")
        self.clients = clients
        self.first_client = first_client
        self.raw = raw
        self.verify = verify
        self.control = control_fd
        self.encoding = encoding
        self.format = ENCODINGS.index(encoding)
        self.channel = channel
        self.each_trade = channel == "trades"
        self.symbols = list(symbols)
        self.symbol_count = <uint32_t>len(symbols)
        self.per_client = per_client
        self.step = coprime(self.symbol_count // 3 + 1, self.symbol_count)
        self.spread = coprime(self.symbol_count // 7 + 1, self.symbol_count)
        self.inverse = pow(self.step, -1, self.symbol_count) if self.symbol_count > 1 else 0
        self.latency = Histogram()
        self.first_answer = Histogram()
        self.dialect = DIALECTS[dialect]
        opcode = 2 if self.dialect == NATS else 1
        self.hello = self._framed(opcode, HELLOS[self.dialect])
        self.answer_to_ping = self._framed(opcode, PONGS[self.dialect])
        self.pong = self.answer_to_ping
        self.pong_length = <size_t>len(self.answer_to_ping)
        self._allocate()
        self._index_symbols()
        self._address(host, port)
        self.epoll = epoll_create1(EPOLL_CLOEXEC)
        if self.epoll < 0:
            raise OSError(errno, os.strerror(errno), "epoll_create1")
        if control_fd >= 0:
            self._watch(control_fd, EPOLLIN, CONTROL, EPOLL_CTL_ADD)

    def __dealloc__(self) -> None:
        cdef int i
        if self.members != NULL:
            for i in range(self.clients):
                free(self.members[i].rest)
                free(self.members[i].stream)
                if self.members[i].fd > 0:
                    close(self.members[i].fd)
        if self.epoll > 0:
            close(self.epoll)
        free(self.members)
        free(self.slots)
        free(self.buffer)
        free(self.hash_keys)
        free(self.hash_values)

    cdef int _allocate(self) except -1:
        cdef uint32_t room = 16
        cdef uint32_t i
        while room < 2 * self.symbol_count:
            room *= 2
        self.hash_mask = room - 1
        self.members = <Client*>calloc(self.clients, sizeof(Client))
        self.slots = <Slot*>calloc(<size_t>self.clients * self.per_client, sizeof(Slot))
        self.buffer = <uint8_t*>malloc(BUFFER)
        self.hash_keys = <uint64_t*>calloc(room, sizeof(uint64_t))
        self.hash_values = <uint32_t*>calloc(room, sizeof(uint32_t))
        if (self.members == NULL or self.slots == NULL or self.buffer == NULL
                or self.hash_keys == NULL or self.hash_values == NULL):
            raise MemoryError(f"a swarm of {self.clients}")
        for i in range(<uint32_t>self.clients):
            self.members[i].first = <uint32_t>(
                <uint64_t>(self.first_client + i) * self.spread % self.symbol_count
            )
        return 0

    cdef int _index_symbols(self) except -1:
        """Symbols by hash. Two symbols with one 64-bit hash are refused, so a hash is a name."""
        cdef uint32_t i, at
        cdef uint64_t key
        cdef bytes raw
        for i in range(self.symbol_count):
            raw = self.symbols[i].encode("ascii")
            key = hash_of(raw, len(raw))
            at = <uint32_t>(key >> 20) & self.hash_mask
            while self.hash_keys[at]:
                if self.hash_keys[at] == key:
                    raise ValueError(f"symbol {self.symbols[i]!r} is there twice")
                at = (at + 1) & self.hash_mask
            self.hash_keys[at] = key
            self.hash_values[at] = i
        return 0

    cdef int _address(self, str host, int port) except -1:
        cdef bytes text = host.encode("ascii")
        memset(&self.server, 0, sizeof(self.server))
        self.server.sin_family = AF_INET
        self.server.sin_port = htons(<uint16_t>port)
        if inet_pton(AF_INET, text, &self.server.sin_addr) != 1:
            raise ValueError(f"host {host!r}: an IPv4 address")
        offered = subprotocol(self.encoding).encode()
        self.agreed = b"Sec-WebSocket-Protocol: " + offered + b"\r\n" if offered else b""
        self.request = (
            b"GET " + PATHS[self.dialect].encode() + b" HTTP/1.1\r\nHost: " + text
            + b"\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Key: " + KEY
            + b"\r\nSec-WebSocket-Version: 13\r\n" + self.agreed + b"\r\n"
        )
        return 0

    cdef int _watch(self, int fd, uint32_t events, uint64_t number, int operation) except -1:
        cdef epoll_event event
        event.events = events
        event.data.u64 = number
        if epoll_ctl(self.epoll, operation, fd, &event) < 0:
            raise OSError(errno, os.strerror(errno), "epoll_ctl")
        return 0

    # ---- connecting -------------------------------------------------------------------------

    cdef int _connect(self, int number) except -1:
        cdef int one = 1
        cdef int fd
        cdef sockaddr_in source
        cdef Client* client = &self.members[number]
        fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
        if fd < 0:
            raise OSError(errno, os.strerror(errno), "socket")
        client.fd = fd
        client.state = CONNECTING
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one))
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one))
        memset(&source, 0, sizeof(source))
        source.sin_family = AF_INET
        inet_pton(AF_INET, _source(self.first_client + number), &source.sin_addr)
        if bind(fd, <const sockaddr*>&source, sizeof(source)) < 0:
            raise OSError(errno, os.strerror(errno), "bind")
        if connect(fd, <const sockaddr*>&self.server, sizeof(self.server)) < 0:
            if errno != EINPROGRESS:
                raise OSError(errno, os.strerror(errno), "connect")
        self._watch(fd, EPOLLOUT, number, EPOLL_CTL_ADD)
        return 0

    cdef int _connected(self, int number) except -1:
        """The socket became writable: say hello, or be open at once when raw."""
        cdef Client* client = &self.members[number]
        cdef int error = 0
        cdef unsigned size = sizeof(error)
        getsockopt(client.fd, SOL_SOCKET, SO_ERROR, &error, &size)
        if error:
            raise BenchError(f"client {number}: connect: {os.strerror(error)}")
        self._watch(client.fd, EPOLLIN, number, EPOLL_CTL_MOD)
        if self.raw:
            client.state = OPEN
            self.open += 1
            return 0
        client.state = UPGRADING
        return self._send(client, <const uint8_t*><char*>self.request, len(self.request))

    cdef int _send(self, Client* client, const uint8_t* data, size_t length) except -1:
        if send(client.fd, data, length, MSG_NOSIGNAL) != <ssize_t>length:
            name = errno_names.errorcode.get(errno, errno)
            raise BenchError(f"a client could not send {length} bytes ({name}): the server "
                             "does not read, or has closed")
        return 0

    cdef int64_t _upgraded(self, Client* client, const uint8_t* data, size_t length) except -1:
        """Bytes of the answer's head, 0 when it is not whole yet."""
        cdef bytes head = data[:length if length < 4096 else 4096]
        end = head.find(b"\r\n\r\n")
        if end < 0:
            return 0
        if not head.startswith(b"HTTP/1.1 101 ") or ACCEPT not in head[:end]:
            raise BenchError(f"the server refused the upgrade: {head[:end][:200]!r}")
        if self.agreed not in head[:end + 2]:
            raise BenchError(f"the server does not speak {subprotocol(self.encoding)}")
        if self.hello:
            client.state = GREETING
            self._send(client, <const uint8_t*><char*>self.hello, len(self.hello))
        else:
            client.state = OPEN
            self.open += 1
        return end + 4

    def connect(self, timeout: float) -> None:
        """Connect all clients, at most IN_FLIGHT at a time.

        Raises:
            BenchError: refused, or not all open in time.
        """
        cdef int started = 0
        cdef int64_t end = realtime() + <int64_t>(timeout * 1e9)
        while self.open < self.clients:
            while started < self.clients and started - self.open < IN_FLIGHT:
                self._connect(started)
                started += 1
            self._turn(10)
            if realtime() > end or self.counts[<int>DISCONNECTED]:
                raise BenchError(
                    f"{self.open} of {self.clients} clients open after {timeout:g} s, "
                    f"{self.counts[<int>DISCONNECTED]} closed by the server"
                )

    # ---- subscribing ------------------------------------------------------------------------

    def symbols_of(self, client: int) -> list[str]:
        """What client `client` (from 0) subscribes to."""
        cdef uint32_t j
        cdef uint64_t at
        chosen = []
        for j in range(self.per_client):
            at = (self.members[<int>client].first + <uint64_t>j * self.step) % self.symbol_count
            chosen.append(self.symbols[at])
        return chosen

    cdef int _command(self, int number, str action) except -1:
        """Send subscribe or unsubscribe for all symbols of a client."""
        cdef Client* client = &self.members[number]
        cdef bytes frame
        fields = {"symbols": self.symbols_of(number)}
        if self.channel != "price":
            fields["channel"] = self.channel
        if not self.dialect:
            opcode, message = command(self.encoding, action, **fields)
            frame = self._framed(opcode, message)
        elif action == "subscribe":
            frame = self._framed(
                2 if self.dialect == NATS else 1, subscription(self.dialect, fields["symbols"])
            )
        else:
            raise ValueError("only our own server is asked to unsubscribe")
        self._forget(number, 0 if action == "subscribe" else -1)
        if action == "subscribe":
            client.due = self.per_client
            self.waiting += self.per_client
            client.asked = realtime()
        return self._send(client, <const uint8_t*><char*>frame, len(frame))

    cdef bytes _framed(self, int opcode, bytes text):
        """A client frame with this message, nothing for nothing."""
        if not text:
            return b""
        if len(text) > 65535:
            raise ValueError(f"{self.per_client} symbols per client do not fit in one command")
        cdef bytearray frame = bytearray(len(text) + 8)
        cdef size_t length = write_frame(<uint8_t*>frame, opcode, text, len(text))
        return bytes(frame[:length])

    def configure(self, rates: list[float]) -> None:
        """Client number c of all takes at most rates[c mod their number] updates of a symbol per
        second."""
        cdef int number
        cdef bytes frame
        for number in range(self.clients):
            rate = rates[(self.first_client + number) % len(rates)]
            opcode, message = command(self.encoding, "configure", max_rate=rate)
            frame = self._framed(opcode, message)
            self._send(&self.members[number], <const uint8_t*><char*>frame, len(frame))

    cdef void _forget(self, int number, int64_t time) noexcept nogil:
        cdef uint32_t j
        for j in range(self.per_client):
            self.slots[<size_t>number * self.per_client + j].time = time
            self.slots[<size_t>number * self.per_client + j].seq = -1
            self.slots[<size_t>number * self.per_client + j].skipped = 0

    def subscribe(self, timeout: float, watchers: int) -> None:
        """Subscribe the first `watchers` clients and wait for every snapshot.

        Raises:
            BenchError: snapshots are missing when the time is over.
        """
        cdef int i = 0
        cdef int64_t end = realtime() + <int64_t>(timeout * 1e9)
        while i < watchers or self.waiting:
            while i < watchers and self.waiting < <uint64_t>IN_FLIGHT * self.per_client:
                self._command(i, "subscribe")
                i += 1
            self._turn(10)
            if realtime() > end:
                raise BenchError(
                    f"{self.waiting} snapshots are missing after {timeout:g} s "
                    f"({self.as_dict()})"
                )

    def probe(self, watchers: int, rate: float, seconds: float) -> None:
        """Clients from `watchers` on subscribe in turn, `rate` times per second together; each
        takes its subscription back half a round later. `first_answer` has the waits."""
        cdef int probes = self.clients - watchers
        cdef int64_t start = realtime()
        cdef uint64_t done = 0
        cdef uint64_t total = <uint64_t>(rate * seconds)
        if probes < 2:
            raise ValueError("probing takes two clients or more")
        while done < total:
            if realtime() - start < <int64_t>(done / rate * 1e9):
                self._turn(1)
                continue
            self._command(watchers + <int>(done % probes), "subscribe")
            if done >= <uint64_t>(probes // 2):
                self._take_back(watchers + <int>((done - probes // 2) % probes), rate)
            done += 1

    cdef int _take_back(self, int number, double rate) except -1:
        if self.members[number].due:
            raise BenchError(f"probe {number} still waits for its snapshots when it is to "
                             f"unsubscribe; the server is that slow, or {rate:g}/s too much")
        return self._command(number, "unsubscribe")

    # ---- the loop ---------------------------------------------------------------------------

    def run(self, seconds: float) -> bool:
        """Read until `control_fd` is readable (True) or the time is over (False)."""
        cdef int64_t end = realtime() + <int64_t>(seconds * 1e9)
        while realtime() < end:
            if self._turn(50):
                return True
        return False

    def drain(self, quiet: float, timeout: float) -> bool:
        """Read until nothing came for `quiet` seconds; False when that did not happen."""
        cdef int64_t now = realtime()
        cdef int64_t end = now + <int64_t>(timeout * 1e9)
        cdef int64_t span = <int64_t>(quiet * 1e9)
        self.last_read = now
        while now < end:
            self._turn(5)
            now = realtime()
            if now - self.last_read > span:
                return True
        return False

    cdef int _turn(self, int timeout_ms) except -1:
        """One epoll_wait and all it gave; 1 when the control descriptor is readable."""
        cdef epoll_event[EVENTS] events
        cdef int number, i
        cdef int told = 0
        cdef int found
        with nogil:
            found = epoll_wait(self.epoll, events, EVENTS, timeout_ms)
        if found < 0 and errno != EINTR:
            raise OSError(errno, os.strerror(errno), "epoll_wait")
        for i in range(found):
            if events[i].data.u64 == <uint64_t>CONTROL:
                told = 1
                continue
            number = <int>events[i].data.u64
            if self.members[number].state == CONNECTING:
                self._connected(number)
            elif self.members[number].state != CLOSED:
                self._receive(number)
        return told

    cdef int _receive(self, int number) except -1:
        cdef Client* client = &self.members[number]
        cdef size_t held = client.rest_length
        cdef size_t used = 0
        cdef ssize_t got
        cdef int64_t now
        if held:
            memcpy(self.buffer, client.rest, held)
            client.rest_length = 0
        got = recv(client.fd, self.buffer + held, BUFFER - held, 0)
        if got <= 0:
            if got < 0 and (errno == EAGAIN or errno == EINTR):
                client.rest_length = held
                return 0
            return self._lost(client)
        now = realtime()
        self.last_read = now
        self.counts[<int>READS] += 1
        self.counts[<int>BYTES] += <uint64_t>got
        held += <size_t>got
        if client.state == UPGRADING:
            used = <size_t>self._upgraded(client, self.buffer, held)
        if client.state >= GREETING:
            used += self._frames(number, self.buffer + used, held - used, now)
        return self._keep(client, self.buffer + used, held - used)

    cdef int _lost(self, Client* client) except -1:
        self.counts[<int>DISCONNECTED] += 1
        self.waiting -= client.due
        client.due = 0
        client.state = CLOSED
        self.open -= 1
        close(client.fd)
        client.fd = -1
        return 0

    cdef int _keep(self, Client* client, const uint8_t* data, size_t length) except -1:
        """Remember the beginning of a frame until the rest comes."""
        if length:
            free(client.rest)
            client.rest = <uint8_t*>malloc(length)
            if client.rest == NULL:
                raise MemoryError(f"{length} bytes")
            memcpy(client.rest, data, length)
        client.rest_length = length
        return 0

    cdef size_t _frames(
        self, int number, const uint8_t* data, size_t length, int64_t now
    ) noexcept nogil:
        """All whole frames; the bytes they took."""
        cdef size_t used = 0
        cdef int64_t step
        cdef Frame frame
        cdef Message message
        while True:
            step = read_frame(data + used, length - used, &frame)
            if step < 0:
                self.counts[<int>MALFORMED] += 1
                return length
            if step == 0:
                return used
            used += <size_t>step
            if self.dialect and frame.opcode <= 2:
                self._unwrap(number, &frame, now)
            elif frame.opcode == (1 if self.format <= JSON else 2):
                if self.format <= JSON:
                    read_message(<const char*>frame.payload, frame.length, &self.cache, &message)
                elif self.format == MSGPACK:
                    read_msgpack(frame.payload, frame.length, &message)
                else:
                    read_protobuf(frame.payload, frame.length, &message)
                self._message(number, &message, now)
            elif frame.opcode == 9:
                self._pong(number, &frame)
            elif frame.opcode != 10 and frame.opcode != 8:
                self.counts[<int>MALFORMED] += 1

    cdef void _unwrap(self, int number, Frame* frame, int64_t now) noexcept nogil:
        """What another server's frame holds, behind what its last one left over."""
        cdef Client* client = &self.members[number]
        cdef const char* data = <const char*>frame.payload
        cdef size_t length = frame.length
        cdef size_t used = 0
        cdef int64_t step
        cdef Piece piece
        if client.stream_length:
            length += client.stream_length
            client.stream = <char*>realloc(client.stream, length)
            memcpy(client.stream + client.stream_length, frame.payload, frame.length)
            data = client.stream
        while used < length:
            step = next_piece(self.dialect, data + used, length - used, &piece)
            if step < 0 or (step == 0 and self.dialect != NATS):
                self.counts[<int>MALFORMED] += 1
                used = length
            if step <= 0:
                break
            used += <size_t>step
            self._piece(number, &piece, now)
        self._keep_stream(client, data + used, length - used)

    cdef void _keep_stream(self, Client* client, const char* data, size_t length) noexcept nogil:
        cdef char* fresh = NULL
        if length:
            fresh = <char*>malloc(length)
            memcpy(fresh, data, length)
        free(client.stream)
        client.stream = fresh
        client.stream_length = length

    cdef void _piece(self, int number, Piece* piece, int64_t now) noexcept nogil:
        cdef Client* client = &self.members[number]
        cdef Message message
        if piece.kind == PIECE_PRICE:
            read_message(piece.body, piece.length, &self.cache, &message)
            self._message(number, &message, now)
        elif piece.kind == PIECE_PING:
            self.counts[<int>PINGS] += 1
            send(client.fd, <const char*>self.pong, self.pong_length, MSG_NOSIGNAL)
        elif piece.kind == PIECE_WELCOME and client.state == GREETING:
            client.state = OPEN
            self.open += 1
        elif piece.kind == PIECE_WELCOME:
            self._subscribed(client, client.due, now)
        elif piece.kind == PIECE_SUBSCRIBED:
            self._subscribed(client, 1 if client.due else 0, now)
        elif piece.kind == PIECE_REFUSED:
            self.counts[<int>ERRORS] += 1

    cdef void _subscribed(self, Client* client, uint32_t symbols, int64_t now) noexcept nogil:
        """A server without snapshots confirmed so many subscriptions."""
        client.due -= symbols
        self.waiting -= symbols
        if symbols:
            self.first_answer.add(now - client.asked)

    cdef void _pong(self, int number, Frame* frame) noexcept nogil:
        cdef uint8_t[160] out
        self.counts[<int>PINGS] += 1
        if frame.length < 126:
            send(self.members[number].fd, out, write_frame(out, 10, frame.payload, frame.length),
                 MSG_NOSIGNAL)

    cdef void _message(self, int number, Message* message, int64_t now) noexcept nogil:
        if message.kind == MESSAGE_UPDATE:
            self.counts[<int>UPDATES] += 1
            self.latency.add(now - message.time)
        elif message.kind == MESSAGE_SNAPSHOT:
            self.counts[<int>SNAPSHOTS] += 1
        elif message.kind == MESSAGE_MALFORMED:
            self.counts[<int>MALFORMED] += 1
            return
        elif message.kind == MESSAGE_LAGGED:
            self._lagged(number, message)
            return
        else:
            self.counts[<int>ERRORS if message.kind == MESSAGE_ERROR else <int>OTHERS] += 1
            return
        if not self.raw:
            self._price(number, message, now)

    cdef void _lagged(self, int number, Message* message) noexcept nogil:
        cdef int64_t place
        self.counts[<int>LAGGED] += 1
        self.counts[<int>SKIPPED] += <uint64_t>message.skipped
        if message.symbol_length:
            place = self._slot(&self.members[number], message)
            if place < 0:
                self.counts[<int>UNASKED] += 1
            else:
                self.slots[<size_t>number * self.per_client + <size_t>place].skipped += (
                    message.skipped
                )

    cdef void _price(self, int number, Message* message, int64_t now) noexcept nogil:
        """Check one price against what the client asked for and has seen."""
        cdef Client* client = &self.members[number]
        cdef Slot* slot
        cdef int64_t place = self._slot(client, message)
        if place < 0:
            self.counts[<int>UNASKED] += 1
            return
        slot = &self.slots[<size_t>number * self.per_client + <size_t>place]
        if slot.time < 0:
            return  # sent before the server read the unsubscribe
        if message.time < slot.time or (message.seq >= 0 and message.seq < slot.seq):
            self.counts[<int>BACKWARDS] += 1
        if self.verify and message.price != price_of(message.time):
            self.counts[<int>MISMATCHED] += 1
        if slot.time == 0 and has_snapshots(self.dialect):
            if message.kind == MESSAGE_UPDATE:
                self.counts[<int>BEFORE_SNAPSHOT] += 1
            if client.due:
                client.due -= 1
                self.waiting -= 1
                self.first_answer.add(now - client.asked)
        elif slot.seq >= 0 and message.kind == MESSAGE_UPDATE and message.seq > slot.seq:
            self.counts[<int>MERGED] += <uint64_t>(message.seq - slot.seq - 1)
            if self.each_trade and message.seq != slot.seq + slot.skipped + 1:
                self.counts[<int>GAPS] += 1
        slot.time = message.time
        slot.seq = message.seq
        slot.skipped = 0

    cdef int64_t _slot(self, Client* client, Message* message) noexcept nogil:
        """Which of its symbols this is, -1: none."""
        cdef uint64_t key = hash_of(message.symbol, message.symbol_length)
        cdef uint32_t at = <uint32_t>(key >> 20) & self.hash_mask
        cdef uint64_t place
        while self.hash_keys[at] != key:
            if self.hash_keys[at] == 0:
                return -1
            at = (at + 1) & self.hash_mask
        place = self.hash_values[at] + self.symbol_count - client.first
        place = place % self.symbol_count * self.inverse % self.symbol_count
        return <int64_t>place if place < self.per_client else -1

    # ---- results ----------------------------------------------------------------------------

    def as_dict(self) -> dict[str, int]:
        """The counts by name (COUNTS)."""
        cdef int i
        return {name: self.counts[i] for i, name in enumerate(COUNTS)}

    def reset(self) -> None:
        """Forget counts and latencies; what clients have seen stays."""
        memset(self.counts, 0, sizeof(self.counts))
        self.latency.clear()
        self.first_answer.clear()

    def behind(self, times: list[int], watchers: int) -> int:
        """How many prices of the first `watchers` clients are not the newest; `times` has the
        newest exchange time (ns) of each symbol."""
        cdef int number
        cdef uint32_t j
        cdef uint64_t at
        cdef int64_t newest
        cdef uint64_t missed = 0
        for number in range(<int>watchers):
            for j in range(self.per_client):
                at = (self.members[number].first + <uint64_t>j * self.step) % self.symbol_count
                newest = times[at]
                if self.slots[<size_t>number * self.per_client + j].time != newest // 1000 * 1000:
                    missed += 1
        return missed


cdef inline uint64_t hash_of(const char* symbol, size_t length) noexcept nogil:
    """FNV-1a, never 0."""
    cdef uint64_t value = 14695981039346656037ULL
    cdef size_t i
    for i in range(length):
        value = (value ^ <unsigned char>symbol[i]) * <uint64_t>1099511628211ULL
    return value | 1


def _source(number: int) -> bytes:
    """A source address: one of 127.0.0.0/8 has ports for SOURCE_PORTS clients."""
    return b"127.0.0.%d" % (1 + number // SOURCE_PORTS)
