"""The kernel's figures of TCP sockets, by netlink, which is fast even if /proc/net/tcp is long.

Source: sock_diag(7), linux/inet_diag.h.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY, NLMSG_ERROR, NLMSG_DONE = 20, 2, 3
REQUEST, DUMP = 0x1, 0x301
LISTENING = 1 << 10
SKMEMINFO = 7
HEADER = struct.Struct("=IHHII")
ASKED = struct.Struct("=BBBxI")
SOCKET_ID = struct.Struct("!HH4s12x4s12xI8s")
FOUND = struct.Struct("=4x48xIIIII")


@dataclass(frozen=True)
class Told:
    """`queue`: of a listening socket the connections in its accept queue, else unread bytes.
    `memory`: bytes that the kernel has allocated for what the socket holds."""

    port: int
    inode: int
    queue: int
    unsent: int
    memory: int


def listening() -> dict[int, Told]:
    """All listening sockets by inode."""
    no_one = SOCKET_ID.pack(0, 0, bytes(4), bytes(4), 0, bytes(8))
    return {told.inode: told for told in _ask(DUMP, LISTENING, no_one)}


def connection(near: tuple[str, int], far: tuple[str, int]) -> Told | None:
    """The socket at `near` that is connected with `far`; None: there is none."""
    asked = SOCKET_ID.pack(
        near[1], far[1], socket.inet_aton(near[0]), socket.inet_aton(far[0]), 0, b"\xff" * 8
    )
    return next(_ask(REQUEST, 0xFFF, asked), None)


def _ask(flags: int, states: int, socket_id: bytes) -> Iterator[Told]:
    body = ASKED.pack(socket.AF_INET, socket.IPPROTO_TCP, 1 << (SKMEMINFO - 1), states)
    body += socket_id
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as netlink:
        size = HEADER.size + len(body)
        netlink.send(HEADER.pack(size, SOCK_DIAG_BY_FAMILY, flags, 1, 0) + body)
        while True:
            data = netlink.recv(1 << 18)
            while data:
                size, kind, *_ = HEADER.unpack_from(data)
                if kind in (NLMSG_DONE, NLMSG_ERROR):
                    return
                yield _told(data[HEADER.size : size])
                data = data[size:]
            if flags == REQUEST:
                return


def _told(message: bytes) -> Told:
    (port,) = struct.unpack_from("!H", message, 4)
    _, queue, unsent, _, inode = FOUND.unpack_from(message)
    memory = 0
    at = FOUND.size
    while at + 4 <= len(message):
        size, kind = struct.unpack_from("=HH", message, at)
        if kind == SKMEMINFO:
            received, _, sending, _, ahead, queued = struct.unpack_from("=6I", message, at + 4)
            memory = received + max(sending, queued) + ahead
        at += (size + 3) & ~3
    return Told(port, inode, queue, unsent, memory)
