"""`ticker feed test`: what a configured feed sends, decoded, and what of it is skipped and why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from ticker import units
from ticker.clock import now_ns
from ticker.errors import FeedError
from ticker.feeds.protocols.json import Json
from ticker.feeds.workers.pipeline import Pipeline
from ticker.feeds.workers.presence import PrivateContext
from ticker.feeds.workers.worker import FeedWorker
from ticker.shm.counters import Counters
from ticker.shm.header import Mapping
from ticker.shm.layout import TRADING_STATUSES, RecordKind
from ticker.shm.ring import RingReader
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import PriceTable
from ticker.supervisor.configuration import load

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
    end = now_ns() + int(seconds * SECOND)

    def watch(now: int) -> None:
        events.show()
        if now >= end:
            worker.stop()

    # What a worker asks for anew from a session's start is no news here.
    live = msgspec.structs.replace(feed, rebuild=feed.rebuild and feed.rerequest is None)
    worker = FeedWorker(live, PrivateContext(segment), watch=watch)
    try:
        worker.loop()
    finally:
        worker.close()
    events.show()
    for line in _summary(worker.pipeline, events.shown, events.hidden):
        click.echo(line)


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
            yield skip.said()
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
