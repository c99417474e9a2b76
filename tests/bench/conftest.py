"""A small real server for the swarm: one thread, one asyncio loop, frames by script."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ticker.bench.rig.ports import free_ports

HEAD = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
Answer = Callable[[dict[str, Any]], list[bytes]]


class ScriptedServer:
    """Answers each command with what `answer` gives, piece by piece, each its own segment."""

    def __init__(self, answer: Answer, head: bytes = HEAD) -> None:
        self.answer = answer
        self.head = head
        self.commands: list[dict[str, Any]] = []
        self.port = 0
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()))

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(10)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(10)

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        server = await asyncio.start_server(self._client, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stopped.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(self.head)
            while True:
                command = json.loads(await _message(reader))
                self.commands.append(command)
                for piece in self.answer(command):
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0.001)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()


async def _message(reader: asyncio.StreamReader) -> bytes:
    """The payload of one masked frame."""
    head = await reader.readexactly(2)
    size = head[1] & 127
    if size == 126:
        size = int.from_bytes(await reader.readexactly(2), "big")
    mask = await reader.readexactly(4)
    masked = await reader.readexactly(size)
    return bytes(byte ^ mask[index % 4] for index, byte in enumerate(masked))


@pytest.fixture
def scripted_server() -> Iterator[Callable[..., ScriptedServer]]:
    """`scripted_server(answer)`: a running server, stopped after the test."""
    servers: list[ScriptedServer] = []

    def start(answer: Answer, head: bytes = HEAD) -> ScriptedServer:
        servers.append(ScriptedServer(answer, head))
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def frame() -> Callable[..., bytes]:
    """`frame(type=..., symbol=..., ...)`: an unmasked text frame with that object."""

    def make(**fields: object) -> bytes:
        payload = json.dumps(fields).encode()
        if len(payload) < 126:
            return bytes((0x81, len(payload))) + payload
        return b"\x81\x7e" + len(payload).to_bytes(2, "big") + payload

    return make


@pytest.fixture
def free_port() -> int:
    """A TCP port of 127.0.0.1 where nobody listens."""
    return free_ports(1)[0]


class RawFramesServer(ScriptedServer):
    """As ScriptedServer, for any text: `answer` is asked with the client's hello too, and
    `heard` has every message."""

    def __init__(self, answer: Callable[[bytes], list[bytes]]) -> None:
        super().__init__(lambda _: [])
        self.heard: list[bytes] = []
        self._answer = answer

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(self.head)
            while True:
                text = await _message(reader)
                self.heard.append(text)
                writer.writelines(self._answer(text))
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()


@pytest.fixture
def raw_frames_server() -> Iterator[Callable[..., RawFramesServer]]:
    """`raw_frames_server(answer)`: a running server, stopped after the test."""
    servers: list[RawFramesServer] = []

    def start(answer: Callable[[bytes], list[bytes]]) -> RawFramesServer:
        servers.append(RawFramesServer(answer))
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        server.stop()
