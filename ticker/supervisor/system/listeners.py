"""The listening sockets of the gateways: one for each, all on one port.

They are opened here, or come from systemd; the supervisor keeps them while workers come and go.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence

from ticker.config import ServerConfig
from ticker.errors import GatewayError

BACKLOG = 4096
PATIENCE = 1.0  # s for the kernel to free the port of workers that have just ended


def open_listeners(
    server: ServerConfig, passed: Sequence[socket.socket] = ()
) -> list[socket.socket]:
    """One socket per gateway. Those that are `passed` come first; further ones share their port.

    Raises:
        GatewayError: the address cannot be listened on, or is not the configured one.
    """
    _check_passed(server, passed)
    listeners = list(passed)
    host, port = server.host, server.port
    if passed:
        port = passed[0].getsockname()[1]
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            if port and not listeners:
                _probe(host, port)
            while len(listeners) < server.gateways:
                listeners.append(_listener(host, port))
                port = listeners[0].getsockname()[1]
        except OSError as error:
            if time.monotonic() >= deadline:
                for each in listeners:
                    each.close()
                raise GatewayError(_refusal(host, port, error, bool(passed))) from None
            time.sleep(0.02)
        else:
            return listeners


def _check_passed(server: ServerConfig, passed: Sequence[socket.socket]) -> None:
    """What was found safe is the configured address, so it must be the one that listens."""
    for each in passed:
        if each.family != socket.AF_INET or each.type != socket.SOCK_STREAM:
            raise GatewayError("a socket of the socket unit is not TCP over IPv4: ListenStream=")
        host, port = each.getsockname()
        if host != server.host or server.port not in (0, port):
            raise GatewayError(
                f"the socket unit listens on {host}:{port}, the configuration says "
                f"{server.host}:{server.port}; make server.host and server.port the same as "
                "ListenStream="
            )
        each.setblocking(False)
    if len(passed) > server.gateways:
        raise GatewayError(
            f"the socket unit has {len(passed)} sockets for {server.gateways} gateways; raise "
            "server.gateways, or remove lines of ListenStream="
        )


def _refusal(host: str, port: int, error: OSError, passed: bool) -> str:
    what = f"server.port: cannot listen on {host}:{port} ({error.strerror}); "
    if passed:
        return (
            f"{what}set ReusePort=yes in the socket unit, or have one ListenStream= for each of "
            "server.gateways"
        )
    return f"{what}stop the program that uses it, or choose another by --port"


def _probe(host: str, port: int) -> None:
    """Fail if another program listens on the port: SO_REUSEPORT would share the port with a program
    of the same user."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))


def _listener(host: str, port: int) -> socket.socket:
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.setblocking(False)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener
