"""Many WebSocket clients in one process, for loads and for checking what they are sent.

One epoll over all of them. Which symbols a client asks for is in watchlist.pyx, how it connects in
endpoint.pyx, how it reads in reader.pyx, and what it holds against the server in checks.pyx.
No Python object per frame; latencies go to histograms.

With a `dialect` other than "plain" the clients speak another server's protocol (wrapped.pyx).
That server has no snapshots of its own, or sends them as price messages like its others.

With `raw` the clients say nothing and only read: what the C send loop is read by. They take
the same path through the parser, so both senders meet the same reader.
"""

from libc.errno cimport EINTR, errno
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from posix.unistd cimport close, usleep

from ticker.bench.swarm.checks cimport DISCONNECTED, ERRORS, Checks
from ticker.bench.swarm.endpoint cimport Endpoint
from ticker.bench.swarm.histogram cimport Histogram
from ticker.bench.swarm.message cimport write_frame
from ticker.bench.swarm.net cimport (
    EPOLL_CLOEXEC,
    EPOLL_CTL_ADD,
    EPOLL_CTL_MOD,
    EPOLLIN,
    EPOLLOUT,
    MSG_NOSIGNAL,
    epoll_create1,
    epoll_ctl,
    epoll_event,
    epoll_wait,
    send,
)
from ticker.bench.swarm.reader cimport GONE, Reader
from ticker.bench.swarm.wait cimport realtime
from ticker.bench.swarm.watchlist cimport Watchlists
from ticker.bench.swarm.wrapped cimport NATS, has_snapshots

import errno as errno_names
import os

from ticker.bench.swarm.commands import ENCODINGS, command, refusal, subprotocol
from ticker.bench.swarm.wrapped import DIALECTS, HELLOS, PATHS, PONGS, subscription
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

cdef enum:
    EVENTS = 1024
    IN_FLIGHT = 256

CONTROL = 2**64 - 1


cdef class Swarm:
    """`clients` clients of one server, numbers from `first_client` on.

    `symbols` is the whole list that clients choose from, by `popularity` (popularity.py). The first
    `watchers` clients subscribe in `subscribe`; the others are probes for `probe`. `path`,
    `authority` and `token` are what the handshake says, where that is not the default.
    `deflates`: they offer permessage-deflate. `nap_us`: how often they look at their sockets; 0: their senders wake them.
    """

    cdef readonly int clients, open
    cdef readonly Histogram latency        # timestamp of an update to its receipt
    cdef readonly Histogram first_answer   # subscribe sent to snapshot received
    cdef Watchlists lists
    cdef Endpoint endpoint
    cdef Checks checks
    cdef Reader reader
    cdef Client* members
    cdef bytes hello
    cdef str encoding, channel
    cdef int epoll, first_client, nap_us, dialect
    cdef bint raw
    cdef int64_t last_read, begun

    def __cinit__(
        self, host: str, port: int, symbols: list[str], clients: int, per_client: int, *,
        first_client: int = 0, raw: bool = False, verify: bool = False, control_fd: int = -1,
        dialect: str = "plain", encoding: str = "plain", channel: str = "price", nap_us: int = 0,
        popularity: str = "uniform", path: str = "", authority: str = "", token: str = "",
        deflates: bool = False,
    ) -> None:
        self.clients = clients
        self.first_client = first_client
        self.raw = raw
        self.nap_us = nap_us
        self.encoding = encoding
        self.channel = channel
        self.dialect = DIALECTS[dialect]
        self.lists = Watchlists(
            symbols, clients, per_client, first_client=first_client, popularity=popularity
        )
        self.endpoint = Endpoint(
            host, port, path or PATHS[self.dialect], subprotocol=subprotocol(encoding),
            authority=authority, token=token, deflates=deflates,
        )
        self.checks = Checks(
            self.lists, raw=raw, verify=verify, each_trade=channel == "trades",
            snapshots=has_snapshots(self.dialect),
        )
        self.latency = self.checks.latency
        self.first_answer = self.checks.first_answer
        self.hello = self._framed(self._opcode(), HELLOS[self.dialect])
        self.reader = Reader(
            self.checks, clients, ENCODINGS.index(encoding), self.dialect,
            self._framed(self._opcode(), PONGS[self.dialect]), inflates=deflates,
        )
        self.members = <Client*>calloc(clients + 1, sizeof(Client))
        if self.members == NULL:
            raise MemoryError(f"a swarm of {clients}")
        self.epoll = epoll_create1(EPOLL_CLOEXEC)
        if self.epoll < 0:
            raise OSError(errno, os.strerror(errno), "epoll_create1")
        if control_fd >= 0:
            self._watch(control_fd, EPOLLIN, CONTROL, EPOLL_CTL_ADD)
        self.begun = realtime()

    def __dealloc__(self) -> None:
        cdef int i
        if self.members != NULL:
            for i in range(self.clients):
                if self.members[i].fd > 0:
                    close(self.members[i].fd)
        if self.epoll > 0:
            close(self.epoll)
        free(self.members)

    cdef int _watch(self, int fd, uint32_t events, uint64_t number, int operation) except -1:
        cdef epoll_event event
        event.events = events
        event.data.u64 = number
        if epoll_ctl(self.epoll, operation, fd, &event) < 0:
            raise OSError(errno, os.strerror(errno), "epoll_ctl")
        return 0

    # ---- connecting -------------------------------------------------------------------------

    def connect(self, timeout: float) -> None:
        """Connect all clients, at most IN_FLIGHT at a time.

        Raises:
            BenchError: refused, or not all open in time.
        """
        cdef int started = 0
        cdef int64_t end = realtime() + <int64_t>(timeout * 1e9)
        while self.open < self.clients:
            while started < self.clients and started - self.open < IN_FLIGHT:
                self.members[started].fd = self.endpoint.open_socket(self.first_client + started)
                self.members[started].state = CONNECTING
                self._watch(self.members[started].fd, EPOLLOUT, started, EPOLL_CTL_ADD)
                started += 1
            self._turn(10)
            if realtime() > end or self.checks.counts[<int>DISCONNECTED]:
                raise BenchError(f"{self.open} of {self.clients} clients open after "
                                 f"{timeout - (end - realtime()) / 1e9:.1f} s{self._closed()}; the "
                                 "server's limit of connections, or of descriptors on either "
                                 "side, may be reached")

    cdef int _connected(self, int number) except -1:
        """The socket became writable: say hello, or be open at once when raw."""
        cdef Client* client = &self.members[number]
        self.endpoint.connected(client.fd, number)
        self._watch(client.fd, EPOLLIN, number, EPOLL_CTL_MOD)
        if self.raw:
            client.state = OPEN
            self.open += 1
            return 0
        client.state = UPGRADING
        return self._send(client, self.endpoint.request)

    cdef int64_t _upgraded(self, Client* client, const uint8_t* at, size_t length) except -1:
        """Bytes of the answer's head, 0 when it is not whole yet."""
        cdef int64_t used = self.endpoint.upgraded(at[:length if length < 4096 else 4096])
        if used and self.hello:
            client.state = GREETING
            self._send(client, self.hello)
        elif used:
            client.state = OPEN
            self.open += 1
        return used

    cdef int _send(self, Client* client, bytes frame) except -1:
        if send(client.fd, <const char*>frame, len(frame), MSG_NOSIGNAL) != <ssize_t>len(frame):
            name = errno_names.errorcode.get(errno, errno)
            raise BenchError(f"a client could not send {len(frame)} bytes ({name}): the server "
                             f"does not read, or has closed{self._closed()}")
        return 0

    cdef str _closed(self):
        """What is known of connections that the server has closed."""
        cdef uint64_t number = self.checks.counts[<int>DISCONNECTED]
        if not number:
            return ""
        code = self.reader.close_code
        return f", {number} closed by the server" + (f" ({refusal(code)})" if code else "")

    # ---- subscribing ------------------------------------------------------------------------

    def symbols_of(self, client: int) -> list[str]:
        """What client `client` (from 0) subscribes to."""
        return self.lists.symbols_of(client)

    cdef int _command(self, int number, str action) except -1:
        """Send subscribe or unsubscribe for all symbols of a client."""
        fields = {"symbols": self.lists.symbols_of(number)}
        if self.channel != "price":
            fields["channel"] = self.channel
        if not self.dialect:
            opcode, message = command(self.encoding, action, **fields)
        elif action == "subscribe":
            opcode, message = self._opcode(), subscription(self.dialect, fields["symbols"])
        else:
            raise ValueError("only our own server is asked to unsubscribe")
        frame = self._framed(opcode, message)
        if action == "subscribe":
            self.checks.asked(number, realtime())
        else:
            self.checks.taken_back(number)
        return self._send(&self.members[number], frame)

    cdef int _opcode(self):
        """Of what another server's clients say."""
        return 2 if self.dialect == NATS else 1

    cdef bytes _framed(self, int opcode, bytes text):
        """A client frame with this message, nothing for nothing."""
        if not text:
            return b""
        if len(text) > 65535:
            raise ValueError(f"{self.lists.per_client} symbols per client do not fit in one "
                             "command")
        cdef bytearray frame = bytearray(len(text) + 8)
        cdef size_t length = write_frame(<uint8_t*>frame, opcode, text, len(text))
        return bytes(frame[:length])

    def configure(self, rates: list[float] | None = None, pace: str = "") -> None:
        """Ask for a pace, and for rates[c mod their number] flushes/s at most: c counts all clients."""
        cdef int number
        fields = {"pace": pace} if pace else {}
        for number in range(self.clients):
            if rates:
                fields["max_rate"] = rates[(self.first_client + number) % len(rates)]
            opcode, message = command(self.encoding, "configure", **fields)
            self._send(&self.members[number], self._framed(opcode, message))

    def subscribe(self, timeout: float, watchers: int) -> None:
        """Subscribe the first `watchers` clients and wait for every snapshot.

        Raises:
            BenchError: refused, or snapshots are missing when the time is over.
        """
        cdef int i = 0
        cdef int64_t end = realtime() + <int64_t>(timeout * 1e9)
        cdef uint64_t errors = self.checks.counts[<int>ERRORS]
        cdef uint64_t lost = self.checks.counts[<int>DISCONNECTED]
        while i < watchers or self.checks.waiting:
            while i < watchers and self.checks.waiting < IN_FLIGHT * self.lists.per_client:
                self._command(i, "subscribe")
                i += 1
            self._turn(10)
            if self.checks.counts[<int>ERRORS] > errors and self.checks.refused >= 0:
                raise BenchError(f"the server refused a subscribe: {refusal(self.checks.refused)}")
            if realtime() > end or self.checks.counts[<int>DISCONNECTED] > lost:
                raise BenchError(
                    f"{self.checks.waiting} snapshots are missing after "
                    f"{timeout - (end - realtime()) / 1e9:.1f} s"
                    f"{self._closed()} ({self.as_dict()})"
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
        if self.checks.subscribers[number].due:
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
        cdef int number, i, found
        cdef int told = 0
        with nogil:
            found = epoll_wait(self.epoll, events, EVENTS, 0 if self.nap_us else timeout_ms)
            if not found and self.nap_us:
                usleep(<unsigned>self.nap_us)
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
        cdef int64_t there = self.reader.fill(number, client.fd)
        cdef uint8_t* at = self.reader.buffer
        cdef size_t used = 0
        cdef int64_t now
        if there < 0:
            return self._lost(number) if there == GONE else 0
        now = realtime()
        self.last_read = now
        if client.state == UPGRADING:
            used = <size_t>self._upgraded(client, at, <size_t>there)
        if client.state >= GREETING:
            used += self.reader.frames(number, client.fd, at + used, <size_t>there - used, now)
        if client.state == GREETING and self.reader.inboxes[number].welcomed:
            client.state = OPEN
            self.open += 1
        return self.reader.keep(number, at + used, <size_t>there - used)

    cdef int _lost(self, int number) except -1:
        cdef Client* client = &self.members[number]
        self.checks.lost(number)
        if client.state == OPEN:
            self.open -= 1
        client.state = CLOSED
        close(client.fd)
        client.fd = -1
        return 0

    # ---- results ----------------------------------------------------------------------------

    @property
    def seconds(self) -> float:
        """From the last reset to the receipt of the newest update; 0 when there was none."""
        return max(0, self.checks.last_update - self.begun) / 1e9

    def as_dict(self) -> dict[str, int]:
        """The counts by name (checks.COUNTS)."""
        return self.checks.as_dict()

    def reset(self) -> None:
        """Forget counts and latencies; what clients have seen stays."""
        self.checks.reset()
        self.begun = realtime()

    def behind(self, times: list[int], watchers: int, prices: list[int] | None = None) -> int:
        """How many prices of the first `watchers` clients are not the newest (Checks.behind);
        `times` and `prices` are those of each symbol."""
        return self.checks.behind(times, watchers, prices)
