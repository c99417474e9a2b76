"""A reader of server-sent events on a bare socket, by html.spec.whatwg.org, section 9.2.6."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable
from typing import Any


class EventReader:
    """Asks for a path and reads what comes. `last_id` is what a browser would send on reconnect;
    `comments` and `retry` are what it heard beside the events. `first` is a whole request that is
    sent, and answered, before."""

    def __init__(
        self,
        port: int,
        path: str,
        *headers: str,
        method: str = "GET",
        accept: str = "text/event-stream",
        tls: ssl.SSLContext | None = None,
        receive_buffer: int = 65536,
        first: bytes = b"",
    ) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(10)
        self.buffer = b""
        self.last_id = ""
        self.comments: list[str] = []
        self.retry = 0
        try:
            self._ask(port, path, headers, method, accept, tls, first)
        except BaseException:
            self.socket.close()
            raise

    def _ask(
        self,
        port: int,
        path: str,
        headers: tuple[str, ...],
        method: str,
        accept: str,
        tls: ssl.SSLContext | None,
        first: bytes,
    ) -> None:
        self.socket.connect(("127.0.0.1", port))
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        if first:
            self.socket.sendall(first)
            _, _, size = self._until(b"\r\n\r\n").lower().partition(b"content-length: ")
            self._skip(int(size.partition(b"\r\n")[0]))
        accepted = (f"Accept: {accept}",) if accept else ()
        host = () if any(header.startswith("Host:") for header in headers) else ("Host: localhost",)
        lines = [f"{method} {path} HTTP/1.1", *host, *accepted, *headers, "", ""]
        self.socket.sendall("\r\n".join(lines).encode())
        self.head = self._until(b"\r\n\r\n").decode("latin-1")
        self.status = int(self.head.split()[1])

    def _until(self, mark: bytes) -> bytes:
        while mark not in self.buffer:
            got = self.socket.recv(65536)
            if not got:
                raise EOFError(self.buffer)
            self.buffer += got
        found, _, self.buffer = self.buffer.partition(mark)
        return found

    def _skip(self, length: int) -> None:
        while len(self.buffer) < length:
            self.buffer += self.socket.recv(65536)
        self.buffer = self.buffer[length:]

    def body(self) -> Any:
        """The whole body of a refusal."""
        while got := self.socket.recv(65536):
            self.buffer += got
        return json.loads(self.buffer)

    def event(self) -> Any:
        """The next event's message; comments and retry times before it are noted."""
        while True:
            data: list[str] = []
            identifier = None
            for line in self._until(b"\n\n").decode().split("\n"):
                name, _, value = line.partition(":")
                value = value.removeprefix(" ")
                if not name:
                    self.comments.append(value)
                elif name == "data":
                    data.append(value)
                elif name == "id":
                    identifier = value
                elif name == "retry":
                    self.retry = int(value)
                else:
                    raise AssertionError(line)
            if identifier is not None:
                self.last_id = identifier
            if data:
                return json.loads("\n".join(data))

    def until(self, kind: str) -> Any:
        """The next message of a type; others before it are skipped."""
        while (message := self.event())["type"] != kind:
            pass
        return message

    def ended(self) -> bool:
        """Whether nothing comes any more, after what is skipped."""
        while self.socket.recv(65536):
            pass
        return True

    def close(self) -> None:
        self.socket.close()


Read = Callable[..., EventReader]
"""read(path, *headers) -> EventReader of the rig's gateway (conftest.py)."""
