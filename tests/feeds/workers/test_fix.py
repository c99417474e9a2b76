"""A FIX feed as `ticker serve` runs it and `ticker feed test` does; QuickFIX is the venue."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import structlog

from tests.certificates import Authority
from tests.feeds.fix_venue import Venue
from tests.feeds.streams import working
from ticker.config import parse
from ticker.errors import FeedError
from ticker.feeds.workers.fix import FixSource, claim_identity
from ticker.feeds.workers.fix_store import SequenceStore
from ticker.feeds.workers.presence import PrivateContext
from ticker.feeds.workers.worker import FeedWorker
from ticker.shm.counters import Counters, Heartbeat
from ticker.shm.header import KIND_FEED
from ticker.shm.segment import Geometry, attach, create_feed, private_feed, remove
from ticker.shm.table import PriceTable

GEOMETRY = Geometry(rows=16, rings=1, ring_capacity=1024)
UNIT = 1_000_000_000
IDENTITY = "FIX.4.4 TICKER VENUE"

CHILD = """
import sys
from ticker.config import parse
from ticker.feeds.workers.worker import FeedContext, run
run(parse(sys.argv[1]).feeds[0], FeedContext(segment=sys.argv[2], boot_id=7))
"""

At = Callable[..., AbstractAsyncContextManager[Any]]
Until = Callable[[Callable[[], Any]], Awaitable[None]]

pytestmark = pytest.mark.slow
numbers = itertools.count(1)


def config(port: int, more: str = "") -> str:
    return (
        '[[feeds]]\nname = "f"\nprotocol = "fix"\nvenue = "XOFF"\nrows = 16\n'
        f'lines = ["127.0.0.1:{port}"]\n[feeds.fix]\nsender = "TICKER"\ntarget = "VENUE"\n'
        f'symbols = ["AAPL"]\nheartbeat = 1\n{more}\n'
    )


def trade(price: int) -> str:
    return f"incremental 279=0|269=2|278=T{price}|55=AAPL|270={price}|271=100"


def is_price(segment: Any, price: int) -> bool:
    return price_of(segment) == price


def subscribed(venue: Venue, times: int) -> bool:
    return venue.heard("35=V") == times


def price_of(segment: Any) -> int:
    table = PriceTable(segment)
    values = table.values(0) if len(table) else None
    return values["price"] // UNIT if values else 0


class Shared:
    """A feed's segment, and the workers that take turns with it."""

    def __init__(self, text: str) -> None:
        self.name = f"/ticker.test{os.getpid()}.fix{next(numbers)}"
        self.text = text
        create_feed(self.name, GEOMETRY, 7, 1)
        self.segment = attach(self.name, KIND_FEED, boot_id=7)
        self.heartbeat = Heartbeat(self.segment)

    def worker(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", CHILD, self.text, self.name])


@asynccontextmanager
async def worker_of(shared: Shared) -> AsyncIterator[subprocess.Popen[bytes]]:
    child = shared.worker()
    try:
        yield child
    finally:
        child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(child.wait, 10)
        child.kill()
        child.wait()


@pytest.fixture
def share() -> Any:
    made: list[Shared] = []

    def make(text: str) -> Shared:
        made.append(Shared(text))
        return made[-1]

    yield make
    for each in made:
        remove(each.name)


def test_a_killed_worker_goes_on_where_it_stopped(
    tmp_path: Path, quickfix_at: At, until: Until, share: Callable[[str], Shared]
) -> None:
    """SIGKILL in the stream: the successor logs on with the next number, and what the venue sent
    in between comes again; no number is used twice, and nobody starts over."""

    async def run() -> None:
        async with quickfix_at(tmp_path, "FIX.4.4") as venue:
            shared = share(config(venue.port, f'sequence_file = "{tmp_path / "numbers"}"'))
            segment, counts = shared.segment, Counters(shared.segment)
            async with worker_of(shared) as child:
                await until(lambda: venue.heard("35=V") == 1 and shared.heartbeat.state == "live")
                await venue.do(trade(11))
                await until(lambda: price_of(segment) == 11)
                child.kill()
                child.wait()
            await until(lambda: "logout" in venue.said)
            await venue.do(trade(12))
            await venue.do(trade(13))
            async with worker_of(shared) as child:
                await until(lambda: price_of(segment) == 13 and shared.heartbeat.state == "live")
                await until(lambda: venue.heard("35=2") == 1)
                await venue.do(trade(14))
                await until(lambda: price_of(segment) == 14)
                values = PriceTable(segment).values(0)
                assert values is not None
                assert (values["trades"], values["volume"]) == (4, 400)
                assert counts["recovered_messages"] >= 2
                assert counts["lost_messages"] == 0
            assert child.returncode == 0
            assert shared.heartbeat.epoch == 2
            assert venue.heard("35=A", "141=Y") == 0
            assert venue.heard("35=A", "49=TICKER", "34=1") == 1
            assert venue.heard("35=2", "49=VENUE") == 0

    asyncio.run(run())


def test_a_worker_comes_back_after_every_disconnect(
    tmp_path: Path, quickfix_at: At, until: Until, share: Callable[[str], Shared]
) -> None:
    """Dropped without a word; the feed is stale until it is logged on again."""

    async def run() -> None:
        async with quickfix_at(tmp_path, "FIX.4.2") as venue:
            more = f'begin_string = "FIX.4.2"\nsequence_file = "{tmp_path / "numbers"}"'
            shared = share(config(venue.port, more))
            async with worker_of(shared) as child:
                for turn in (1, 2, 3):
                    await until(partial(subscribed, venue, turn))
                    await venue.do(trade(10 + turn))
                    await until(partial(is_price, shared.segment, 10 + turn))
                    await until(lambda: shared.heartbeat.state == "live")
                    await venue.do("drop")
                    await until(lambda: shared.heartbeat.state == "stale")
            assert child.returncode == 0

    asyncio.run(run())


# TLS


@asynccontextmanager
async def tls_before(port: int, authority: Authority) -> AsyncIterator[int]:
    """A TLS server on a free port that hands on to `port` in the clear."""

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(4096):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(copy(reader, onward[1]), copy(onward[0], writer))

    tls = authority.server_context("venue.example")
    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def feed_at(text: str) -> AsyncIterator[FixSource]:
    async with working(in_private(text)) as source:
        yield source


def in_private(text: str) -> FeedWorker:
    return FeedWorker(parse(text).feeds[0], PrivateContext(private_feed(GEOMETRY, 1, 1)))


def test_over_tls(tmp_path: Path, quickfix_at: At, until: Until) -> None:
    """With the right authority there is a session; with a wrong one, or another host's name, none
    of it leaves, and the reason is told."""
    other, right = Authority(tmp_path, "other"), Authority(tmp_path, "right")

    async def run() -> None:
        async with (
            quickfix_at(tmp_path, "FIX.4.4") as venue,
            tls_before(venue.port, right) as port,
        ):
            for authority, name in ((other, "venue.example"), (right, "other.example")):
                text = config(port, f'tls = true\ntls_ca = "{authority.path}"\ntls_name = "{name}"')
                with structlog.testing.capture_logs() as logged:
                    async with feed_at(text):
                        await until(lambda: [one for one in logged if "reason" in one])
                told = next(one for one in logged if one["event"] == "fix cannot connect")
                assert "certificate is refused" in told["reason"]
                assert "fix.tls_ca" in told["reason"]
            assert venue.heard("35=A") == 0
            text = config(port, f'tls = true\ntls_ca = "{right.path}"\ntls_name = "venue.example"')
            async with feed_at(text) as feed:
                await until(lambda: venue.heard("35=V") == 1)
                await venue.do(trade(11))
                await until(lambda: price_of(feed.pipeline.mapping) == 11)

    asyncio.run(run())


def test_no_certificates_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "empty.pem"
    path.write_text("")
    text = config(1, f'tls = true\ntls_ca = "{path}"')
    with pytest.raises(FeedError, match=r"empty\.pem: has no certificates"):
        in_private(text)


# ticker feed test


async def feed_test(path: Path, seconds: float) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ticker", "feed", "test", "f", "--config", str(path),
        "--seconds", str(seconds), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    return process.returncode, output.decode()


def test_a_live_session_is_not_disturbed(
    tmp_path: Path, quickfix_at: At, until: Until, share: Callable[[str], Shared]
) -> None:
    """A second logon with the same identity would end the first: refused before it connects."""

    async def run() -> None:
        async with quickfix_at(tmp_path, "FIX.4.4") as venue:
            path = tmp_path / "ticker.toml"
            path.write_text(config(venue.port))
            shared = share(path.read_text())
            async with worker_of(shared):
                await until(lambda: shared.heartbeat.state == "live")
                before = venue.heard("35=A")
                code, output = await feed_test(path, 1)
                assert code == 1
                assert "another process is logged on" in output
                assert "stop `ticker serve`" in output
                assert venue.heard("35=A") == before
                await venue.do(trade(11))
                await until(lambda: price_of(shared.segment) == 11)
                assert "logout" not in venue.said

    asyncio.run(run())


def test_a_feed_that_nobody_serves_is_shown(tmp_path: Path, quickfix_at: At, until: Until) -> None:
    """It logs on with the feed's own numbers, says what comes, logs out, and keeps the numbers."""

    async def run() -> None:
        async with quickfix_at(tmp_path, "FIX.4.4") as venue:
            path, kept = tmp_path / "ticker.toml", tmp_path / "numbers"
            path.write_text(config(venue.port, f'sequence_file = "{kept}"'))
            testing = asyncio.ensure_future(feed_test(path, 2))
            await until(lambda: venue.heard("35=V") == 1)
            await venue.do(trade(11))
            code, output = await testing
            assert code == 0, output
            assert "AAPL          trade 11 x 100" in output
            await until(lambda: venue.heard("35=5") == 2)
            store = SequenceStore(kept, IDENTITY)
            assert store.next_out > 3
            store.close()

    asyncio.run(run())


def test_an_identity_is_taken_once() -> None:
    feed = parse(config(9)).feeds[0]
    assert feed.fix is not None
    first = claim_identity(feed, feed.fix)
    with pytest.raises(FeedError, match="stop `ticker serve`"):
        claim_identity(feed, feed.fix)
    first.close()
    claim_identity(feed, feed.fix).close()
