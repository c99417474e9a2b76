"""The program quickfix_venue.py as a process: a FIX venue that others wrote."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

PATIENCE = 10.0


class Venue:
    """The program quickfix_venue.py, and what it has said so far."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process = process
        self.port = port
        self.said: list[str] = []
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            self.said.append(line.decode().rstrip())

    async def do(self, command: str) -> None:
        assert self.process.stdin is not None
        done = f"done {command.split()[0]}"
        before = self.said.count(done)
        self.process.stdin.write(command.encode() + b"\n")
        await wait_until(lambda: self.said.count(done) > before)

    def heard(self, *fields: str) -> int:
        """Messages that it received or sent with all of these fields."""
        return sum(all(f"|{field}|" in line for field in fields) for line in self.said)

    async def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            await asyncio.wait_for(self.process.wait(), PATIENCE)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
        await self._reading


async def wait_until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline, "it never came"
        await asyncio.sleep(0.005)


@asynccontextmanager
async def venue_at(folder: Path, begin: str) -> AsyncIterator[Venue]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).with_name("quickfix_venue.py")),
        str(port),
        str(folder),
        begin,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    venue = Venue(process, port)
    try:
        await wait_until(lambda: "ready" in venue.said)
        yield venue
    finally:
        await venue.close()
