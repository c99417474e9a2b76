"""`ticker feed test`: what a configured feed sends, decoded, and what of it is skipped and why."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from ticker import units
from ticker.clock import now_ns
from ticker.config import FeedConfig, parse_address, session_date
from ticker.errors import FeedError
from ticker.feeds.day import session_day
from ticker.feeds.protocols.json import Json
from ticker.feeds.transports.udp import UdpTransport
from ticker.feeds.workers.fix import FixFeed
from ticker.feeds.workers.pipeline import Pipeline, build
from ticker.feeds.workers.stream import StreamFeed
from ticker.shm.counters import Counters
from ticker.shm.header import Mapping
from ticker.shm.layout import TRADING_STATUSES, RecordKind
from ticker.shm.ring import RingReader
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import PriceTable
from ticker.supervisor.configuration import load

LOOK = 0.05
"""s between two looks at what came."""
GOOD_BYE = 5.0
"""s at most for the logout of a session."""
SECOND = 1_000_000_000


@click.group()
def command() -> None:
    """Look at one feed."""


@command.command("test")
@click.argument("name")
@click.option("--config", "path", type=click.Path(path_type=Path), help="Where the feed is.")
@click.option("--seconds", default=10.0, type=click.FloatRange(0.1), help="How long to listen.")
@click.option("--lines", "most", default=200, type=click.IntRange(0), help="Events to print.")
def test(name: str, path: Path | None, seconds: float, most: int) -> None:
    """Connect to the feed NAME as `ticker serve` would, print what it decodes, and say at the
    end what was skipped and why. Nothing is served, and no running server is touched: a FIX
    session that one is logged on to is refused, as its venue takes an identity only once."""
    config = load(path)
    feeds = {feed.name: feed for feed in config.feeds}
    if name not in feeds:
        raise FeedError(f"no feed {name!r} in the configuration; there are: {', '.join(feeds)}")
    feed = feeds[name]
    segment = private_feed(Geometry(feed.rows, feed.rings, feed.ring_capacity), 1, now_ns())
    events = Events(segment, most)
    if feed.fix is not None:
        pipeline = _listen_to_fix(feed, segment, seconds, events.show)
    elif feed.url is not None:
        pipeline = _listen_to_stream(feed, segment, seconds, events.show)
    else:
        pipeline = _listen_to_datagrams(feed, segment, seconds, events.show)
    events.show()
    for line in _summary(pipeline, events.shown, events.hidden):
        click.echo(line)


def _listen_to_stream(
    config: FeedConfig, segment: Mapping, seconds: float, show: Callable[[], None]
) -> Pipeline:
    feed = StreamFeed(config, segment)

    async def listen() -> None:
        work = asyncio.ensure_future(feed.run())
        end = time.monotonic() + seconds
        while not work.done() and time.monotonic() < end:
            await asyncio.sleep(min(LOOK, seconds))
            show()
        if work.done():
            work.result()
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        feed.publish()

    asyncio.run(listen())
    return feed.pipeline


def _listen_to_fix(
    config: FeedConfig, segment: Mapping, seconds: float, show: Callable[[], None]
) -> Pipeline:
    """Log on, with the numbers of the feed's own file, listen, and log out."""

    async def listen() -> Pipeline:
        feed = FixFeed(config, segment)
        try:
            work = asyncio.ensure_future(feed.run())
            end = time.monotonic() + seconds
            while not work.done() and time.monotonic() < end:
                await asyncio.sleep(min(LOOK, seconds))
                feed.pipeline.market.publish(now_ns())
                show()
            feed.stop()
            await asyncio.wait((work,), timeout=GOOD_BYE)
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            feed.pipeline.market.publish(now_ns())
            return feed.pipeline
        finally:
            feed.close()

    return asyncio.run(listen())


def _listen_to_datagrams(
    config: FeedConfig, segment: Mapping, seconds: float, show: Callable[[], None]
) -> Pipeline:
    transport = UdpTransport(
        [parse_address(line) for line in config.lines], interface=config.interface
    )
    day = session_date(config, session_day(now_ns(), config.timezone))
    pipeline = build(
        segment, config.protocol, config.session, day, venue=config.venue,
        currency=config.currency, timezone=config.timezone, rules=config.filter,
    )  # fmt: skip
    end = now_ns() + int(seconds * SECOND)
    try:
        while (now := now_ns()) < end:
            transport.run(pipeline.session, now + int(LOOK * SECOND))
            show()
    finally:
        transport.close()
    pipeline.market.publish(now_ns())
    return pipeline


class Events:
    """What a segment's rings tell, a line each, up to `most` of them."""

    def __init__(self, segment: Mapping, most: int) -> None:
        self.table = PriceTable(segment)
        self.rings = [RingReader(segment, index) for index in range(segment.ring_count)]
        self.most = most
        self.shown = 0
        self.hidden = 0

    def show(self) -> None:
        """Print what came since the last call."""
        records = [record for ring in self.rings for record in ring.take(1 << 16)]
        for record in sorted(records, key=lambda each: each["publish_time"]):
            if self.shown == self.most:
                self.hidden += 1
            else:
                self.shown += 1
                click.echo(self._line(record))

    def _line(self, record: dict[str, int]) -> str:
        row = record["row"]
        values = self.table.values(row) or {}
        exponent = self.table.size_exponent(row)
        size, price = units.format_size, units.format_price
        kind = record["kind"]
        if kind in (RecordKind.RECORD_TRADE, RecordKind.RECORD_PRINT):
            what = "trade" if kind == RecordKind.RECORD_TRADE else "trade, not the last price"
            text = f"{what} {price(record['price'])} x {size(record['size'], exponent)}"
        elif kind == RecordKind.RECORD_QUOTE:
            bid, ask = price(values["bid"]), price(values["ask"])
            bids, asks = (size(values[key], exponent) for key in ("bid_size", "ask_size"))
            text = f"quote {bid} x {bids} - {ask} x {asks}"
        elif kind == RecordKind.RECORD_STATUS:
            text = f"status {TRADING_STATUSES[values['status']].replace('_', ' ')}"
        else:
            text = f"correction, last {price(values['price'])}"
        when = units.format_timestamp(record["exchange_time"])
        return f"{when}  {self.table.symbol(row):12}  {text}"


def _summary(pipeline: Pipeline, shown: int, hidden: int) -> Iterator[str]:
    """What came, what was taken, what was not, and why."""
    counts = Counters(pipeline.mapping).as_dict()
    if hidden:
        yield f"... and {hidden} more"
    yield ""
    yield f"{counts['messages']} messages, {shown + hidden} events, {counts['gaps']} gaps"
    protocol = pipeline.protocol
    if isinstance(protocol, Json):
        for rule, taken in protocol.taken.items():
            if taken:
                yield f"taken: {taken} {rule}"
        for skip in protocol.skipped():
            of = f"{skip.rule}: " if skip.rule else ""
            yield f"skipped: {skip.times} {of}{skip.reason}, like {skip.example!r}"
    yield from _newest(pipeline)
    rest = {
        name: value for name, value in counts.items()
        if value and name not in ("messages", "gaps", "bytes", "trades", "quotes")
    }  # fmt: skip
    yield "counters: " + (", ".join(f"{name} {value}" for name, value in rest.items()) or "none")


def _newest(pipeline: Pipeline) -> Iterator[str]:
    """The filter's rejects: how many of each reason, and the newest."""
    rejects = pipeline.market.rejects()
    for rule in dict.fromkeys(each.rule for each in rejects):
        of = [each for each in rejects if each.rule == rule]
        price = units.format_price(of[-1].price)
        when = units.format_timestamp(of[-1].exchange_time)
        yield f"rejected: {len(of)} {rule}, like {of[-1].symbol} {price} of {when}"
