"""An instance's name: one live supervisor has it, and its workers keep a part until they are gone.

Both are abstract sockets, which the kernel frees with their owners, also after a kill:

    \\0ticker.<name>            the supervisor's. It listens, so that others see whose it is.
    \\0ticker.<name>.workers    the supervisor's and each of its workers'.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import time

from ticker.errors import InstanceError

PATIENCE = 5.0
"""s to wait while the name's holder does not listen: an ending worker holds it for a moment."""
ORPHANS = 20.0
"""s to wait for the workers of a killed supervisor: they say goodbye to their clients first."""
STEP = 0.02
OTHERWISE = (
    "stop that, or give this server another name by --instance, or by server.instance in its "
    "configuration"
)


def take_name(name: str, patience: float = PATIENCE) -> socket.socket:
    """Take the name of an instance, for as long as the socket is open.

    Raises:
        InstanceError: another process has the name; the message says which.
    """
    deadline = time.monotonic() + patience
    while (taken := _bind(f"\0ticker.{name}")) is None:
        whose = _holder(name)
        if not whose and time.monotonic() >= deadline:
            whose = "is held by a process that is not a ticker server"
        if whose:
            raise InstanceError(f"instance {name!r} {whose}; {OTHERWISE}")
        time.sleep(STEP)
    taken.listen(16)
    taken.setblocking(False)
    return taken


def hold_name(name: str) -> socket.socket | None:
    """Take the name for a moment, for a worker that cleans up after its dead supervisor; None if
    another process has it.

    The socket does not listen, so that a server that starts meanwhile waits for it.
    """
    return _bind(f"\0ticker.{name}")


def take_workers_name(name: str, patience: float = ORPHANS) -> socket.socket:
    """Take the name that every worker inherits and keeps open. Waits until the workers of a
    predecessor are gone.

    Raises:
        InstanceError: they do not end in time.
    """
    deadline, told = time.monotonic() + patience, False
    while (taken := _bind(f"\0ticker.{name}.workers")) is None:
        if time.monotonic() >= deadline:
            raise InstanceError(
                f"instance {name!r}: workers of a server that was killed still run after "
                f"{patience:g} s; {OTHERWISE}"
            )
        if not told:
            import structlog  # not at the top: commands beside a server would wait for it

            structlog.get_logger().info("waits for the workers of a server that was killed")
        told = True
        time.sleep(STEP)
    return taken


def _bind(address: str) -> socket.socket | None:
    taken = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        taken.bind(address)
    except OSError:
        taken.close()
        return None
    return taken


def _holder(name: str) -> str:
    """The holder that listens on the name, in words; empty if none does."""
    found = listener(name)
    if found is None:
        return ""
    pid, uid = found
    if uid != os.geteuid():
        return f"is another user's (uid {uid})"
    return f"is running already (pid {pid})" if pid else "is running already"


def listener(name: str) -> tuple[int, int] | None:
    """(pid, uid) of the supervisor that has a name; pid 0: it is not told now. None: no server has
    it. One that has been killed is no server, though its workers may not have ended."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(f"\0ticker.{name}")
        except BlockingIOError:  # it listens, and its backlog is full
            return 0, os.geteuid()
        except OSError:
            return None
        size = struct.calcsize("3i")
        found = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    pid, uid, _ = struct.unpack("3i", found)
    return pid, uid


def answer(taken: socket.socket) -> None:
    """Let those go who asked whose the name is; when many wait, nobody more is told."""
    with contextlib.suppress(OSError):
        while True:
            taken.accept()[0].close()
