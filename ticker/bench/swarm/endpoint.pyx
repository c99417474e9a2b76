"""Where a swarm's clients connect: TCP sockets to one server, and the WebSocket handshake.

Law: a refusal becomes a BenchError in the server's own words. Source: RFC 6455, 1.3 and 4.1.

On the loopback each client binds a source address of 127.0.0.0/8 by its number, as one address
has 28,232 ephemeral ports; elsewhere the kernel chooses, and its ports are the limit. The socket
speaks plain TCP: there is no TLS here.
"""

from libc.errno cimport EINPROGRESS, errno
from libc.stdint cimport uint16_t
from libc.string cimport memset

from posix.unistd cimport close

from ticker.bench.swarm.net cimport (
    AF_INET,
    IP_BIND_ADDRESS_NO_PORT,
    IPPROTO_IP,
    IPPROTO_TCP,
    SO_ERROR,
    SOCK_CLOEXEC,
    SOCK_NONBLOCK,
    SOCK_STREAM,
    SOL_SOCKET,
    TCP_NODELAY,
    bind,
    connect,
    getsockopt,
    htons,
    inet_pton,
    setsockopt,
    sockaddr,
    sockaddr_in,
    socket,
)

import json
import os

from ticker.errors import BenchError

cdef enum:
    SOURCE_PORTS = 25000        # of 28,232 ephemeral ones per source address

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # RFC 6455, 1.3

DEFLATE = (b"Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; "
           b"client_no_context_takeover\r\n")


cdef class Endpoint:
    """`host` is an IPv4 address; `authority` what the server is to be called, if otherwise;
    `subprotocol` is offered and must be taken, unless empty; `token` goes into the handshake;
    `deflates`: permessage-deflate is offered and must be taken."""

    def __cinit__(
        self, host: str, port: int, path: str, *, subprotocol: str = "", authority: str = "",
        token: str = "", deflates: bool = False,
    ) -> None:
        cdef bytes text = host.encode("ascii")
        memset(&self.server, 0, sizeof(self.server))
        self.server.sin_family = AF_INET
        self.server.sin_port = htons(<uint16_t>port)
        if inet_pton(AF_INET, text, &self.server.sin_addr) != 1:
            raise ValueError(f"host {host!r}: an IPv4 address")
        self.loopback = text.startswith(b"127.")
        self.subprotocol = subprotocol
        self.agreed = b""
        if subprotocol:
            self.agreed = b"Sec-WebSocket-Protocol: " + subprotocol.encode() + b"\r\n"
        self.extension = DEFLATE if deflates else b""
        shown = f"Authorization: Bearer {token}\r\n" if token else ""
        self.request = (
            f"GET {path} HTTP/1.1\r\nHost: {authority or host}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {KEY.decode()}\r\n{shown}"
            "Sec-WebSocket-Version: 13\r\n"
        ).encode() + self.agreed + self.extension + b"\r\n"

    cdef int open_socket(self, int number) except -1:
        """A socket of client `number` that is being connected."""
        cdef int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)
        cdef int one = 1
        cdef sockaddr_in source
        if fd < 0:
            raise OSError(errno, os.strerror(errno), "socket")
        try:
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one))
            if self.loopback:
                setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one))
                memset(&source, 0, sizeof(source))
                source.sin_family = AF_INET
                inet_pton(AF_INET, b"127.0.0.%d" % (1 + number // SOURCE_PORTS), &source.sin_addr)
                if bind(fd, <const sockaddr*>&source, sizeof(source)) < 0:
                    raise OSError(errno, os.strerror(errno), "bind")
            if connect(fd, <const sockaddr*>&self.server, sizeof(self.server)) < 0:
                if errno != EINPROGRESS:
                    raise OSError(errno, os.strerror(errno), "connect")
        except BaseException:
            close(fd)
            raise
        return fd

    cdef int connected(self, int fd, int number) except -1:
        """The socket became writable: the connection is there, or failed."""
        cdef int error = 0
        cdef unsigned size = sizeof(error)
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size)
        if error:
            raise BenchError(f"client {number}: connect: {os.strerror(error)}")
        return 0

    cdef object upgraded(self, bytes head):
        """Bytes of the answer's head, 0 when it is not whole yet."""
        end = head.find(b"\r\n\r\n")
        if end < 0:
            return 0
        if not head.startswith(b"HTTP/1.1 101 ") or ACCEPT not in head[:end]:
            raise BenchError(f"the server refused the upgrade: {_refusal(head, end)}")
        if self.agreed not in head[:end + 2]:
            raise BenchError(f"the server does not speak {self.subprotocol}")
        if self.extension.strip() not in head[:end + 2]:
            raise BenchError("the server does not compress; set [gateway] compression = true")
        return end + 4


def _refusal(answer: bytes, end: int) -> str:
    """The status, and what a problem document (RFC 9457) says of it."""
    status = answer[:end].split(b"\r\n")[0].decode("latin-1")[:100]
    try:
        return f"{status}: {json.loads(answer[end + 4:])['detail']}"
    except (ValueError, KeyError, TypeError):
        return status
