"""The FIX session over TCP with QuickFIX as the venue: an engine that others wrote."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.feeds.fix_venue import PATIENCE, Venue
from tests.feeds.fix_venue import wait_until as until
from tests.feeds.tables import rows_of
from ticker.feeds.fix.initiator import FixOptions
from ticker.feeds.fix.requests import Subscription, symbols
from ticker.feeds.sessions.fix import Fix
from ticker.feeds.workers.connection import SessionConnection
from ticker.feeds.workers.fix import connection
from ticker.feeds.workers.fix_store import SequenceStore
from ticker.feeds.workers.pipeline import build
from ticker.shm.counters import Counters
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import PriceTable

SECOND = 1_000_000_000

At = Callable[..., AbstractAsyncContextManager[Any]]

pytestmark = pytest.mark.slow


class Line(asyncio.Protocol):
    """A connection that loses the frames whose numbers are in `lost`, once each."""

    def __init__(self, session: Fix, store: SequenceStore | None, lost: set[int]) -> None:
        self.connection: SessionConnection = connection(session, store)
        self.lost = lost
        self.closed = self.connection.closed
        self.logout = self.connection.logout

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.connection.connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.connection.connection_lost(error)

    def data_received(self, data: bytes) -> None:
        for frame in data.split(b"8=FIX")[1:]:
            sequence = int(frame.split(b"\x0134=")[1].split(b"\x01")[0])
            if sequence in self.lost:
                self.lost.remove(sequence)
                data = data.replace(b"8=FIX" + frame, b"")
        self.connection.data_received(data)


class Client:
    """The initiator: a pipeline of its own, and a connection to a venue."""

    def __init__(self, options: FixOptions, store: SequenceStore | None = None) -> None:
        if store is not None:
            options = replace(
                options, next_sequence_out=store.next_out, next_sequence_in=store.next_in
            )
        self.options, self.store = options, store
        self.mapping = private_feed(Geometry(rows=16, rings=1, ring_capacity=1024), 1, 1)
        self.pipeline = build(self.mapping, "fix", "fix", date(2026, 1, 2), session_options=options)
        assert isinstance(self.pipeline.session, Fix)
        self.session = self.pipeline.session
        self.table = PriceTable(self.mapping)
        self.lost: set[int] = set()

    async def connect(self, venue: Any) -> Line:
        _, line = await asyncio.get_running_loop().create_connection(
            lambda: Line(self.session, self.store, self.lost), "127.0.0.1", venue.port
        )
        return line

    def row(self, symbol: str = "AAPL") -> dict[str, int]:
        return rows_of(self.table).get(symbol, {})

    def counter(self, name: str) -> int:
        return Counters(self.mapping)[name]

    async def price(self, price: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while self.row().get("price") != price * SECOND:
                await asyncio.sleep(0.005)


Story = Callable[[Venue, Client, Line], Awaitable[None]]
Play = Callable[[Story], None]


@pytest.fixture(params=["FIX.4.4", "FIX.4.2"])
def options(request: pytest.FixtureRequest) -> FixOptions:
    return FixOptions(
        sender="TICKER",
        target="VENUE",
        begin_string=request.param,
        heartbeat_ns=1 * SECOND,
        request_timeout_ns=2 * SECOND,
        subscription=Subscription(instruments=symbols("AAPL", "MSFT")),
    )


@pytest.fixture
def play(tmp_path: Path, options: FixOptions, quickfix_at: At) -> Play:
    """`play(story)`: a venue and a client that has connected to it; at the end, if the connection
    stands, the client says good-bye."""

    async def run(story: Story) -> None:
        async with quickfix_at(tmp_path, options.begin_string) as venue:
            client = Client(options)
            line = await client.connect(venue)
            await story(venue, client, line)
            if not line.closed.done():
                line.logout()
                await line.closed

    return lambda story: asyncio.run(run(story))


def trade(price: int, identity: int) -> str:
    return f"incremental 279=0|269=2|278=T{identity}|55=AAPL|270={price}|271=100"


def test_logon_snapshot_stream_heartbeats_and_logout(play: Play) -> None:
    async def story(venue: Venue, client: Client, line: Line) -> None:
        await until(lambda: client.session.logged_on)
        await until(lambda: venue.heard("35=V", "263=1", "146=2", "55=AAPL", "55=MSFT") == 1)
        await venue.do("snapshot 55=AAPL|269=0|270=10.5|271=300|269=1|270=10.75|271=200")
        await until(lambda: client.row().get("ask") == 10_750_000_000)
        await venue.do("incremental 279=0|269=0|55=AAPL|270=10.625|271=5|279=2|269=1|270=10.75")
        await until(lambda: client.row()["bid"] == 10_625_000_000)
        assert client.row()["ask"] == 0
        await venue.do(trade(11, 1))
        await client.price(11)
        await venue.do("test")
        await until(lambda: venue.heard("35=0", "112=ARE YOU THERE") == 1)
        await until(lambda: client.counter("heartbeats") > 0 and venue.heard("35=0") > 2)
        line.logout()
        await line.closed
        await until(lambda: "logout" in venue.said)
        assert client.counter("gaps") == client.counter("bad_packets") == 0

    play(story)


def test_a_lost_message_comes_again(play: Play) -> None:
    async def story(venue: Venue, client: Client, _: Line) -> None:
        await until(lambda: client.session.logged_on)
        await venue.do(trade(11, 1))
        await client.price(11)
        sequence = client.session.next_expected_sequence
        client.lost |= {sequence, sequence + 1}
        for number in range(2, 6):
            await venue.do(trade(10 + number, number))
        await client.price(15)
        await until(lambda: not client.session.recovering)
        assert client.row()["volume"] == 500
        assert client.row()["high"] == 15 * SECOND
        assert client.counter("gaps") == 1
        assert client.counter("recovered_messages") >= 2
        assert client.counter("lost_messages") == 0

    play(story)


def test_numbers_that_were_never_sent_are_filled(play: Play) -> None:
    async def story(venue: Venue, client: Client, _: Line) -> None:
        await until(lambda: venue.heard("35=V") == 1)
        await venue.do("skip 5")
        await venue.do(trade(11, 1))
        await client.price(11)
        await until(lambda: not client.session.recovering)
        # What was filled may have been market data: all is asked for again.
        await until(lambda: venue.heard("35=V", "263=1") == 2)
        assert venue.heard("35=V", "263=2") == 1
        await venue.do(f"reset {client.session.next_expected_sequence + 100}")
        await venue.do(trade(12, 2))
        await client.price(12)

    play(story)


def test_a_new_connection_goes_on_where_the_last_one_broke(
    tmp_path: Path, options: FixOptions, quickfix_at: At
) -> None:
    async def run() -> None:
        async with quickfix_at(tmp_path, options.begin_string) as venue:
            store = SequenceStore(tmp_path / "numbers", "test")
            client = Client(options, store)
            line = await client.connect(venue)
            await until(lambda: client.session.logged_on)
            await venue.do(trade(11, 1))
            await client.price(11)
            # What is sent while nobody listens is kept by the venue.
            client.lost.add(client.session.next_expected_sequence)
            await venue.do(trade(12, 2))
            await venue.do("drop")
            await line.closed
            assert not client.session.logged_on
            store.close()
            store = SequenceStore(tmp_path / "numbers", "test")
            successor = Client(options, store)
            assert successor.session.next_sequence_out > 2
            line = await successor.connect(venue)
            await successor.price(12)
            await until(lambda: not successor.session.recovering)
            await venue.do(trade(13, 3))
            await successor.price(13)
            assert venue.heard("141=Y") == 0
            line.logout()
            await line.closed
            store.close()

    asyncio.run(run())


def test_both_start_over_with_a_logon_that_says_so(
    tmp_path: Path, options: FixOptions, quickfix_at: At
) -> None:
    async def run() -> None:
        async with quickfix_at(tmp_path, options.begin_string) as venue:
            client = Client(replace(options, reset_on_logon=True))
            for turn in (1, 2):
                line = await client.connect(venue)
                await until(lambda: client.session.logged_on)
                await venue.do(trade(10 + turn, turn))
                await client.price(10 + turn)
                assert client.session.next_expected_sequence < 6
                await venue.do("drop")
                await line.closed
            assert venue.heard("35=A", "141=Y") == 4
            assert client.counter("gaps") == 0

    asyncio.run(run())


def test_a_number_that_is_too_low_is_put_right(play: Play) -> None:
    async def story(venue: Venue, client: Client, line: Line) -> None:
        await until(lambda: client.session.logged_on)
        line.logout()
        await line.closed
        # A successor that has lost its numbers.
        client = Client(replace(client.options, next_sequence_in=1, next_sequence_out=1))
        line = await client.connect(venue)
        await line.closed
        assert client.session.next_sequence_out > 1
        line = await client.connect(venue)
        await until(lambda: client.session.logged_on)

    play(story)


def test_what_the_venue_has_forgotten_is_sent_again(play: Play) -> None:
    """Its resend request: session messages as one gap fill, the subscription as it was."""

    async def story(venue: Venue, client: Client, _: Line) -> None:
        await until(lambda: venue.heard("35=V") == 1)
        sent = client.session.next_sequence_out - 1
        assert sent == 2
        await venue.do("forget 2")
        await until(lambda: venue.heard("35=2", "7=1") == 1)
        await until(lambda: venue.heard("35=4", "34=1", "43=Y", "123=Y", "36=2") == 1)
        await until(lambda: venue.heard("35=V", "34=2", "43=Y") == 1)
        await venue.do(trade(11, 1))
        await client.price(11)
        assert client.session.logged_on

    play(story)


def test_a_gap_fill_that_nobody_asked_for(play: Play) -> None:
    async def story(venue: Venue, client: Client, _: Line) -> None:
        await until(lambda: venue.heard("35=V") == 1)
        following = client.session.next_expected_sequence + 50
        await venue.do(f"fill {following}")
        await venue.do(trade(11, 1))
        await client.price(11)
        assert client.session.next_expected_sequence > following
        assert client.counter("gaps") == client.counter("lost_messages") == 0

    play(story)


def was_tested(session: Fix, after: int) -> bool:
    """Whether the session sent a test request, as a number later than `after`."""
    return bool(session.dialogue.tested_at) and session.next_sequence_out > after


def test_a_venue_that_falls_silent_is_asked_then_left(play: Play) -> None:
    """The process is stopped: its connection stands, and nothing comes."""

    async def story(venue: Venue, client: Client, line: Line) -> None:
        await until(lambda: venue.heard("35=V") == 1)
        for lasts in (False, True):
            before = client.session.next_sequence_out
            venue.process.send_signal(signal.SIGSTOP)
            try:
                if lasts:
                    await line.closed
                else:
                    await until(partial(was_tested, client.session, before))
            finally:
                venue.process.send_signal(signal.SIGCONT)
            if not lasts:
                await until(lambda: venue.heard("35=0", "112=TEST") == 1)
                await venue.do(trade(11, 1))
                await client.price(11)
                assert client.session.logged_on
        assert not client.session.logged_on

    play(story)


def test_a_venue_says_good_bye(play: Play) -> None:
    async def story(venue: Venue, client: Client, line: Line) -> None:
        await until(lambda: venue.heard("35=V") == 1)
        await venue.do("logout")
        await line.closed
        await until(lambda: "logout" in venue.said and venue.heard("35=5") == 2)
        assert not client.session.logged_on

    play(story)
