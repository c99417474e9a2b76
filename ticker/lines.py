"""The log's writer: lines to a descriptor, without ever waiting for it.

Law: a line is one write, so lines of several processes never mix. Writing never raises and never
waits. Without a reader, or on a full disk, a line is dropped and counted; the next line that can be
written has the number of dropped lines.
"""

from __future__ import annotations

import json
import os
import select
import socket
import stat
import sys

WAITING = 1 << 20
"""The unwritten rest of a line that may wait for room, in bytes; a longer rest is dropped."""


class Lines:
    """Standard error, or another descriptor, as a file of lines that never blocks.

    Attributes:
        dropped: lines that could not be written since the count was last reported.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.dropped = 0
        self._rest = b""
        self._pid = os.getpid()
        self._socket = _socket_of(descriptor)
        self._target, self._may_block = _without_waiting(descriptor)

    def write(self, text: str) -> int:
        """A whole line, or several; dropped as a whole if there is no room now."""
        if not text.strip("\n"):
            return len(text)  # `print` sends the end of a line by itself
        if os.getpid() != self._pid:  # the rest is for our parent to write
            self._pid, self._rest = os.getpid(), b""
        line = text if text.endswith("\n") else f"{text}\n"
        if self._rest and not self._put(b""):
            self.dropped += 1
            return len(text)
        if self.dropped and self._put(self._said_dropped()):
            self.dropped = 0
        if self._rest or not self._put(line.encode("utf-8", "backslashreplace")):
            self.dropped += 1
        return len(text)

    def close(self) -> None:
        """Close the descriptors opened here; the one that was passed in stays open."""
        if self._socket is not None:
            self._socket.close()
        if self._target != self.descriptor:
            os.close(self._target)
            self._target = self.descriptor

    def flush(self) -> None:
        """Does nothing: only a rest without room waits, and it cannot be flushed."""

    def isatty(self) -> bool:
        return os.isatty(self.descriptor)

    def fileno(self) -> int:
        return self.descriptor

    def _said_dropped(self) -> bytes:
        said = {"event": "log lines dropped", "count": self.dropped, "pid": os.getpid()}
        return f"{json.dumps(said)}\n".encode()

    def _put(self, line: bytes) -> bool:
        """Write the rest of an earlier line, then this one. False: nothing of this one was
        written."""
        data = self._rest + line
        try:
            taken = self._send(data)
        except OSError:
            return False
        if taken < len(self._rest) or (line and taken == len(self._rest)):
            self._rest = self._rest[taken:]
            return False
        # A line longer than a pipe takes at once goes on with the next one.
        self._rest = data[taken:] if len(data) - taken <= WAITING else b"\n"
        return True

    def _send(self, data: bytes) -> int:
        """The number of bytes written. Raises OSError if none were."""
        if self._socket is not None:
            return self._socket.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        if not self._may_block:
            return os.write(self._target, data)
        if not select.select([], [self._target], [], 0)[1]:
            raise BlockingIOError
        return os.write(self._target, data[: select.PIPE_BUF])


def print_line(text: str) -> None:
    """Print a line to standard output, or nothing where nobody reads it or its disk is full."""
    try:
        lines = Lines(sys.stdout.fileno())
    except (OSError, ValueError):  # no descriptor: a test captures it inside of this process
        print(text)
    else:
        lines.write(text)
        lines.close()


def _socket_of(descriptor: int) -> socket.socket | None:
    """The socket behind a descriptor, if a service manager passed one as standard error."""
    try:
        if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            return socket.socket(fileno=os.dup(descriptor))
    except OSError:
        pass
    return None


def _without_waiting(descriptor: int) -> tuple[int, bool]:
    """A descriptor of the same file, and whether a write to it may have to wait.

    A pipe or a terminal is opened again, because O_NONBLOCK on the shared descriptor would affect
    all its users, a shell for instance. If it cannot be opened, each write first checks for room. A
    write to a regular file succeeds or fails at once.
    """
    try:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return descriptor, False
        flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        return os.open(f"/proc/self/fd/{descriptor}", flags), False
    except OSError:
        return descriptor, True
