"""The sends of a turn, gathered: by one call of the kernel for many (io_uring), or one each.

In: bytes for connections. Out: bytes to sockets. Law: nothing is under way when send_all() returns,
so the bytes belong to the caller again, and no connection goes while the kernel sends to it. A
connection is gathered once at most. What a socket does not take waits as ever (connection.pyx).
"""

from libc.errno cimport EAGAIN, EINTR, EINVAL, ENOSYS, EOPNOTSUPP, EPERM
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport strerror

from ticker.gateway.sockets.connection cimport (
    CONNECTION_DOOMED,
    Connection,
    ConnectionTable,
)
from ticker.shm.counters cimport GATEWAY_BYTES_SENT, count

from ticker.errors import GatewayError

cdef enum:
    LEAST = 4                    # sends that are worth a submission

assert RING_SLOTS == 256, "Gathered and results (sender.pxd) have a place for each slot"

_HINTS = {
    EPERM: "a seccomp profile or kernel.io_uring_disabled forbids it",
    EINVAL: "it needs Linux 6.1",
    ENOSYS: "it needs Linux 6.1",
    EOPNOTSUPP: "this build was made without <linux/io_uring.h>",
}


cdef class Sender:
    """`wanted`: "auto", "send" or "io_uring". Belongs to the thread that makes it.

    Raises:
        GatewayError: "io_uring" is wanted, and refused here.
    """

    def __cinit__(self, ConnectionTable connections not None, wanted: str = "auto") -> None:
        self.connections = connections
        self.ring.fd = -1
        if wanted != "send":
            self.error = -ring_open(&self.ring)
            self.ringing = not self.error
        if self.error and wanted == "io_uring":
            raise GatewayError(_refused(_reason(self.error)))

    def __dealloc__(self) -> None:
        if self.ringing:
            ring_close(&self.ring)

    @property
    def name(self) -> str:
        """Which one sends now."""
        return "io_uring" if self.ringing else "send"

    @property
    def refusal(self) -> str | None:
        """Why io_uring does not, where it was wanted."""
        return _reason(self.error) if self.error else None

    cdef bint put(self, uint32_t number, const uint8_t* data, size_t length) noexcept nogil:
        """Gather a send; there must be room. False: these bytes have gone their way at once, as those
        of TLS do, or of a socket that is full."""
        cdef Connection* connection = self.connections.table + number
        cdef Gathered* entry = self.gathered + self.count
        if connection.tls != NULL or connection.wants_write or connection.state == CONNECTION_DOOMED:
            self.connections.deliver(number, data, length)
            return False
        assert not connection.gathered
        connection.gathered = 1
        connection.sent_at = self.connections.now
        entry.data = data
        entry.length = <uint32_t>length
        entry.number = number
        self.count += 1
        return True

    cdef bint full(self) noexcept nogil:
        return self.count == RING_SLOTS

    cdef void send_all(self) noexcept nogil:
        """Send all that was gathered. It stands in `gathered` until forget()."""
        cdef Connection* connection
        cdef Gathered* entry
        cdef ssize_t sent
        cdef uint64_t bytes_sent = 0
        cdef uint32_t i
        cdef bint submitted = self.ringing and self.count >= LEAST
        if submitted:
            self._submit()
        for i in range(self.count):
            entry = self.gathered + i
            connection = self.connections.table + entry.number
            connection.gathered = 0
            if not submitted or self.results[i] == RING_UNSENT:
                sent = self.connections.push(connection, entry.data, entry.length)
            elif self.results[i] >= 0:
                sent = self.results[i]
                bytes_sent += <uint64_t>sent
            else:
                sent = 0 if self.results[i] in (-EAGAIN, -EINTR) else -1
            self.connections.settle(entry.number, entry.data, entry.length, sent)
        count(self.connections.counters, GATEWAY_BYTES_SENT, bytes_sent)

    cdef void _submit(self) noexcept nogil:
        """Where the kernel fails, the rest goes by send(2), and so does all from then on."""
        cdef Gathered* entry
        cdef uint32_t i
        cdef int failed
        for i in range(self.count):
            entry = self.gathered + i
            ring_put(
                &self.ring, i, self.connections.table[entry.number].fd, entry.data, entry.length
            )
        failed = ring_submit(&self.ring, self.count, self.results)
        if failed:
            ring_close(&self.ring)
            self.ringing = False
            self.error = -failed

    cdef void forget(self) noexcept nogil:
        """Begin anew."""
        self.count = 0


def refusal_here() -> str | None:
    """Why a process like this one can have no io_uring; None: it can."""
    cdef ticker_ring ring
    cdef int error = -ring_open(&ring)
    if error:
        return _reason(error)
    ring_close(&ring)
    return None


def check(wanted: str) -> None:
    """Raises GatewayError: "io_uring" is wanted, and refused here."""
    reason = refusal_here() if wanted == "io_uring" else None
    if reason is not None:
        raise GatewayError(_refused(reason))


def _refused(reason: str) -> str:
    return f'gateway.sender: io_uring is refused: {reason}; take "auto" or "send"'


def _reason(int error) -> str:
    hint = _HINTS.get(error)
    said = strerror(error).decode()
    return f"{said} ({hint})" if hint else said
