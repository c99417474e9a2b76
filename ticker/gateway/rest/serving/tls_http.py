"""HTTP over a TLS connection whose handshake the front has done: an asyncio transport upon one.

In: a connected socket and its TlsSession. Out: an aiohttp protocol that sees plaintext.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from ticker.gateway.sockets.tls import TlsError, TlsSession


class TlsTransport(asyncio.Transport):
    """The transport that the HTTP protocol writes to."""

    def __init__(self, raw: asyncio.Transport, tls: TlsSession) -> None:
        super().__init__()
        self.raw = raw
        self.tls = tls

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if not self.raw.is_closing():
            self.raw.write(self.tls.encrypt(bytes(data)))

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name == "tls":
            return self.tls
        return self.raw.get_extra_info(name, default)

    def get_write_buffer_size(self) -> int:
        return self.raw.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.raw.set_write_buffer_limits(high, low)

    def is_closing(self) -> bool:
        return self.raw.is_closing()

    def is_reading(self) -> bool:
        return self.raw.is_reading()

    def pause_reading(self) -> None:
        self.raw.pause_reading()

    def resume_reading(self) -> None:
        self.raw.resume_reading()

    def can_write_eof(self) -> bool:
        return False

    def close(self) -> None:
        if not self.raw.is_closing():
            self.raw.write(self.tls.finish())
            self.raw.close()

    def abort(self) -> None:
        self.raw.abort()


class TlsHttp(asyncio.Protocol):
    """Stands between a raw socket's transport and the HTTP protocol."""

    def __init__(self, http: asyncio.Protocol, tls: TlsSession) -> None:
        self.http = http
        self.tls = tls
        self.transport: TlsTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = TlsTransport(cast(asyncio.Transport, transport), self.tls)
        self.http.connection_made(self.transport)

    def data_received(self, data: bytes) -> None:
        assert self.transport is not None
        try:
            plain = self.tls.receive(data)
        except TlsError:
            self.transport.raw.write(self.tls.pending())
            self.transport.raw.close()
            return
        if waiting := self.tls.pending():
            self.transport.raw.write(waiting)
        if plain:
            self.http.data_received(plain)

    def eof_received(self) -> bool | None:
        return self.http.eof_received()

    def connection_lost(self, exc: BaseException | None) -> None:
        self.http.connection_lost(cast("Exception | None", exc))

    def pause_writing(self) -> None:
        self.http.pause_writing()

    def resume_writing(self) -> None:
        self.http.resume_writing()
