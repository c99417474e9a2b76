"""A SoupBinTCP feed as `ticker serve` runs it, against a server written from the specification."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.feeds.worker_process import image_of
from ticker.config import parse
from ticker.errors import ConfigError
from ticker.shm.counters import Counters, Heartbeat
from ticker.shm.header import KIND_FEED
from ticker.shm.segment import Geometry, attach, create_feed, private_feed, remove
from ticker.shm.table import PriceTable
from ticker.simulate.speakers.itch import ItchMarket
from ticker.supervisor.feeds.simulators import simulator_command

GEOMETRY = Geometry(rows=64, rings=1, ring_capacity=4096)
CHILD = """
import sys
from pathlib import Path
from ticker.config import parse
from ticker.feeds.images import keeper
from ticker.feeds.workers.worker import FeedContext, run
keeper.FEWEST, keeper.AGAIN = 200, 10_000_000
folder = Path(sys.argv[3]) if sys.argv[3:] else None
run(parse(sys.argv[1]).feeds[0], FeedContext(segment=sys.argv[2], boot_id=7, folder=folder))
"""


def configured(port: int, more: str = "", table: str = "") -> str:
    return (
        '[[feeds]]\nname = "soup"\nprotocol = "itch50"\nsession = "soupbintcp"\nvenue = "XNAS"\n'
        f'calendar = "none"\nrows = 64\ndate = "2026-01-05"\nlines = ["127.0.0.1:{port}"]\n{more}\n'
        f'[feeds.soupbintcp]\nusername = "me"\npassword_env = "SOUP_PASSWORD"\n{table}\n'
    )


def messages_of_a_day(count: int) -> list[bytes]:
    market = ItchMarket(20, 3, messages=count)
    buffer = bytearray(64 * count)
    _, used = market.generate(count, buffer)
    found, at = [], 0
    while at < used:
        length = int.from_bytes(buffer[at : at + 2], "big")
        found.append(bytes(buffer[at + 2 : at + 2 + length]))
        at += 2 + length
    return found


def rows_of(mapping: Any) -> dict[str, dict[str, int]]:
    """Without what depends on when it was received."""
    table = PriceTable(mapping)
    found = {}
    for row in range(len(table)):
        values = table.values(row)
        assert values is not None
        for name in ("receive_time", "publish_time", "flags", "corrections", "quotes"):
            values.pop(name, None)
        found[table.symbol(row)] = values
    return found


def lossless(messages: list[bytes]) -> dict[str, dict[str, int]]:
    from tests.feeds.conftest import Feed

    feed = Feed(private_feed(GEOMETRY, 1, 1))
    feed.decoder.midnight_ns = 1_767_589_200_000_000_000
    for message in messages:
        feed.decoder.decode(message, 0)
    feed.market.publish(1)
    return rows_of(feed.mapping)


class Server:
    """Sends `messages` to a client that logs in as me/secret, and cuts connections where told."""

    def __init__(self, messages: list[bytes]) -> None:
        self.messages = messages
        self.session = b"DAY1"
        self.cuts: list[int] = []
        self.logins: list[tuple[bytes, int]] = []
        self.heartbeats = 0
        self.logouts = 0
        self.ends = False
        self.upto = len(messages)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._converse(reader, writer)
        writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        login = await reader.readexactly(49)
        assert login[:3] == b"\x00\x2fL"
        session, sequence = login[19:29].strip(), int(login[29:49])
        self.logins.append((session, sequence))
        if login[3:19] != b"me    secret    ":
            writer.write(b"\x00\x02JA")
            return
        if session not in (b"", self.session):
            writer.write(b"\x00\x02JS")
            return
        sequence = sequence or self.upto + 1
        stream = b"\x00\x1fA" + self.session.rjust(10) + b"%20d" % sequence
        for message in self.messages[sequence - 1 : self.upto]:
            stream += (1 + len(message)).to_bytes(2, "big") + b"S" + message
        if self.cuts:
            writer.write(stream[: self.cuts.pop()])
            await writer.drain()
            return
        writer.write(stream + (b"\x00\x01Z" if self.ends else b""))
        while not self.ends:
            packet = await reader.readexactly(3)
            self.heartbeats += packet == b"\x00\x01R"
            if packet == b"\x00\x01O":
                self.logouts += 1
                return


@contextlib.asynccontextmanager
async def running(
    server: Server, text: Callable[[int], str], name: str, folder: Path | None = None
) -> AsyncIterator[Any]:
    """The server, and a worker in a process of its own."""
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    child = start(text(port), name, folder=folder)
    try:
        yield child, port
    finally:
        child.kill()
        await asyncio.to_thread(child.wait)
        listener.close()


def start(
    text: str, name: str, password: str = "secret", folder: Path | None = None
) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "SOUP_PASSWORD": password}
    more = [] if folder is None else [str(folder)]
    return subprocess.Popen([sys.executable, "-c", CHILD, text, name, *more], env=environment)


@pytest.fixture
def segment() -> Any:
    name = f"/ticker.test{os.getpid()}.soup"
    create_feed(name, GEOMETRY, 7, 1)
    try:
        yield name, attach(name, KIND_FEED, boot_id=7)
    finally:
        remove(name)


async def until(what: Callable[[], Any]) -> None:
    async with asyncio.timeout(30):
        while not what():
            await asyncio.sleep(0.01)


pytestmark = pytest.mark.slow


def in_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """An async test, in an event loop of its own."""

    @functools.wraps(test)
    def run(*arguments: Any, **fixtures: Any) -> None:
        asyncio.run(test(*arguments, **fixtures))

    return run


@in_loop
async def test_disconnects_at_random_places_end_with_the_lossless_table(segment: Any) -> None:
    name, mapping = segment
    messages = messages_of_a_day(4000)
    server = Server(messages)
    chance = random.Random(4)
    server.cuts = [chance.randint(0, 60_000) for _ in range(4)]
    async with running(server, configured, name):
        await until(lambda: Counters(mapping)["messages"] == 4000)
        await until(lambda: rows_of(mapping) == lossless(messages))
    assert Counters(mapping)["lost_messages"] == Counters(mapping)["duplicate_messages"] == 0
    assert len(server.logins) == 5
    assert server.logins[0] == (b"", 1)
    assert all(session in (b"", b"DAY1") for session, _ in server.logins)


@pytest.mark.parametrize("rebuild", [True, False])
@in_loop
async def test_a_successor_ends_where_it_would_have(segment: Any, rebuild: bool) -> None:
    name, mapping = segment
    messages = messages_of_a_day(3000)
    server = Server(messages)
    server.upto = 2000
    more = f"rebuild = {str(rebuild).lower()}"

    async with running(server, lambda port: configured(port, more), name) as (child, port):
        reached = 2000 if rebuild else 0
        await until(lambda: server.logins and Heartbeat(mapping).state == "live")
        await until(lambda: Counters(mapping)["messages"] >= reached)
        child.send_signal(signal.SIGKILL)
        child.wait()
        before = Counters(mapping)["messages"]
        server.upto = 3000
        later = start(configured(port, more), name)
        try:
            await until(lambda: len(server.logins) == 2)
            if rebuild:
                assert server.logins[1] == (b"", 1)
                await until(lambda: Counters(mapping)["messages"] == before + 3000)
                await until(lambda: rows_of(mapping) == lossless(messages))
            else:
                assert server.logins == [(b"", 0), (b"DAY1", 2001)]
                await until(lambda: Counters(mapping)["messages"] == before + 1000)
                assert Counters(mapping)["gaps"] == 0
        finally:
            later.terminate()
            later.wait()
    await until(lambda: server.logouts == 1)


@in_loop
async def test_a_successor_goes_on_from_the_image_of_the_book(segment: Any, tmp_path: Path) -> None:
    name, mapping = segment
    messages = messages_of_a_day(3000)
    server = Server(messages)
    server.upto = 2000
    more = "image_interval = 0.02"

    async with running(server, lambda port: configured(port, more), name, tmp_path) as (
        child,
        port,
    ):
        await until(lambda: image_of(tmp_path, name))
        child.send_signal(signal.SIGKILL)
        child.wait()
        place = image_of(tmp_path, name)
        server.upto = 3000
        later = start(configured(port, more), name, folder=tmp_path)
        try:
            await until(lambda: rows_of(mapping) == lossless(messages))
            assert server.logins == [(b"", 1), (b"DAY1", place)]
        finally:
            later.terminate()
            later.wait()


@in_loop
async def test_heartbeats_end_of_session_and_the_next_one(segment: Any) -> None:
    name, mapping = segment
    server = Server(messages_of_a_day(1000))
    more = "heartbeat = 0.05"
    async with running(server, lambda port: configured(port, more), name):
        await until(lambda: server.heartbeats >= 3)
        assert Heartbeat(mapping).state == "live"
    server.ends = True
    async with running(server, lambda port: configured(port, more), name):
        await until(lambda: Heartbeat(mapping).state == "ended")
        server.session, server.ends = b"DAY2", False
        await until(lambda: Heartbeat(mapping).state == "live")
    assert (b"DAY1", 1001) in server.logins
    assert Counters(mapping)["sessions"] == 3


@in_loop
async def test_a_wrong_password_is_told_and_not_tried_again_at_once(
    segment: Any, tmp_path: Path
) -> None:
    name, mapping = segment
    server = Server([])
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    with (tmp_path / "log").open("wb") as out:
        text = configured(listener.sockets[0].getsockname()[1])
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, text, name], stdout=out, stderr=out,
            env={**os.environ, "SOUP_PASSWORD": "wrong"},
        )  # fmt: skip
        await until(lambda: "not authorized" in (tmp_path / "log").read_text())
        child.terminate()
        await asyncio.to_thread(child.wait)
    listener.close()
    assert len(server.logins) == 1
    assert Heartbeat(mapping).state == "stale"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (configured(1).replace('"soupbintcp"', '"moldudp64"'), "only with session"),
        (configured(1, 'rerequest = "127.0.0.1:9"'), "rerequest: not with soupbintcp"),
        (configured(1, table='session = "elevenchars"'), "feeds[0].soupbintcp.session"),
        (configured(1).replace('"me"', '"seventh"'), "feeds[0].soupbintcp.username"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse(text)
    assert problem in str(error.value)


@in_loop
async def test_follows_the_simulated_exchange_and_its_kill(segment: Any) -> None:
    """`ticker simulate itch --session soupbintcp`: what `ticker serve` starts for such a feed."""
    name, mapping = segment
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    feed = parse(configured(port) + "[feeds.simulator]\nsymbols = 20\nrate = 5000\n").feeds[0]
    command = [part for part in simulator_command(feed) if part != "--die-with-parent"]
    exchange = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    child = start(configured(port), name)
    try:
        await until(lambda: Counters(mapping)["messages"] > 3000)
        assert len(PriceTable(mapping)) == 20
        await until(lambda: Heartbeat(mapping).state == "live")
        exchange.kill()
        exchange.wait()
        await until(lambda: Heartbeat(mapping).state == "stale")
        exchange = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        await until(lambda: Counters(mapping)["sessions"] == 2)
        await until(lambda: Heartbeat(mapping).state == "live")
        exchange.terminate()
        exchange.wait()
        await until(lambda: Heartbeat(mapping).state == "ended")
    finally:
        for process in (child, exchange):
            process.kill()
            process.wait()
    for bad in ("gaps", "duplicate_messages", "bad_packets", "unknown_orders", "short_messages"):
        assert Counters(mapping)[bad] == 0
