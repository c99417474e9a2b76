"""The sockets of a feed of datagrams: its lines, its witnesses, its re-request server.

If a group's sources are known, it is joined for these sources only (RFC 4607): the kernel drops
packets of others before they take room in the socket's buffer. To count them all the same, a
witness joins the group for all other sources: a second socket with a small buffer.

Source: ip(7), IP_ADD_SOURCE_MEMBERSHIP and IP_BLOCK_SOURCE; SO_MEMINFO of linux/sock_diag.h.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
from collections.abc import Sequence

from ticker.errors import FeedError

Address = tuple[str, int]

RECEIVE_BUFFER = 32 << 20
"""Receive buffer requested for each socket, in bytes: a second of a million messages. Most machines
grant less."""
WITNESS_BUFFER = 64 << 10
COUNTED_AT_ONCE = 512
"""Datagrams that a witness reads at most, more than its buffer holds."""

SO_MEMINFO = 55
SO_RCVBUFFORCE = 33
IP_MULTICAST_ALL = 49
IP_BLOCK_SOURCE = 38
IP_ADD_SOURCE_MEMBERSHIP = 39
MEMINFO_DROPS = 8
MEMINFO = struct.Struct("9I")


def is_multicast(host: str) -> bool:
    return ipaddress.IPv4Address(host).is_multicast


def line_socket(address: Address, interface: str, sources: Sequence[str]) -> socket.socket:
    """The socket of a line. Raises FeedError: nothing can listen there."""
    host, port = address
    opened = _socket()
    try:
        if is_multicast(host):
            _bind_to_group(opened, address)
            _join(opened, host, interface, sources)
        else:
            opened.bind((host, port))
    except (OSError, ValueError) as error:
        opened.close()
        raise FeedError(
            f"line {host}:{port}: cannot listen on interface {interface} ({error}); "
            "check `lines`, `interface` and `source`"
        ) from None
    return opened


def _bind_to_group(opened: socket.socket, address: Address) -> None:
    """Bind to the group, so that the socket gets only the group's datagrams."""
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    opened.bind(address)
    opened.setsockopt(socket.IPPROTO_IP, IP_MULTICAST_ALL, 0)


def _join(opened: socket.socket, host: str, interface: str, sources: Sequence[str]) -> None:
    group, own = socket.inet_aton(host), socket.inet_aton(interface)
    for source in sources:
        opened.setsockopt(
            socket.IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, group + own + socket.inet_aton(source)
        )
    if not sources:
        opened.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group + own)


def request_socket(server: Address) -> socket.socket:
    """A socket connected to the server, so that only its answers come. Raises FeedError."""
    opened = _socket()
    try:
        opened.connect(server)
    except OSError as error:
        opened.close()
        raise FeedError(
            f"rerequest {server[0]}:{server[1]}: cannot be reached ({error}); check `rerequest`"
        ) from None
    return opened


def _socket(buffer: int = RECEIVE_BUFFER) -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    opened.setblocking(False)
    try:
        opened.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, buffer)
    except PermissionError:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    return opened


def drops_of(opened: socket.socket) -> int:
    """Datagrams that the kernel dropped because the socket's buffer was full."""
    meminfo = opened.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, MEMINFO.size)
    return int(MEMINFO.unpack(meminfo)[MEMINFO_DROPS])


class Witness:
    """Counts the datagrams of other senders to a multicast group. They cost the feed nothing: they
    are read only when their count is asked for, and the kernel counts those without room.

    Raises:
        FeedError: the group cannot be joined in this way.
    """

    def __init__(self, address: Address, interface: str, sources: Sequence[str]) -> None:
        host, port = address
        self._socket = _socket(WITNESS_BUFFER)
        self._seen = 0
        group, own = socket.inet_aton(host), socket.inet_aton(interface)
        try:
            _bind_to_group(self._socket, address)
            self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group + own)
            for source in sources:
                block = group + own + socket.inet_aton(source)
                self._socket.setsockopt(socket.IPPROTO_IP, IP_BLOCK_SOURCE, block)
        except OSError as error:
            self._socket.close()
            raise FeedError(
                f"line {host}:{port}: cannot be watched for other sources ({error}); check `source`"
            ) from None

    def count(self) -> int:
        """Datagrams of strangers since the start."""
        with contextlib.suppress(BlockingIOError):
            for _ in range(COUNTED_AT_ONCE):
                self._socket.recv(1)
                self._seen += 1
        return self._seen + drops_of(self._socket)

    def close(self) -> None:
        self._socket.close()
