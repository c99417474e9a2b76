"""`ticker feed test`: prints the decoded messages of a configured feed, and the skipped ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import click
import msgspec

from ticker import units
from ticker.clock import now_ns, steady_ns
from ticker.config import from_bus
from ticker.errors import FeedError
from ticker.feeds.protocols.json import Json
from ticker.feeds.workers.pipeline import Pipeline
from ticker.feeds.workers.presence import PrivateContext
from ticker.feeds.workers.vigil import ADVICE, Findings, Vigil
from ticker.feeds.workers.worker import FeedWorker
from ticker.shm.counters import Counters
from ticker.shm.header import Mapping
from ticker.shm.layout import STALE_REASONS, TRADING_STATUSES, RecordKind, RowFlag
from ticker.shm.rejects import KEPT, RejectReader, RejectView
from ticker.shm.ring import RingReader
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import PriceTable
from ticker.supervisor.configuration import load

SECOND = 1_000_000_000
PRINTS: dict[int, str] = {
    RecordKind.RECORD_TRADE: "trade",
    RecordKind.RECORD_PRINT: "trade, not the last price",
    RecordKind.RECORD_CANCELLED: "taken back",
    RecordKind.RECORD_CORRECTED: "corrected to",
}
"""Records of one trade, with their words."""


@click.group()
def command() -> None:
    """Test one feed."""


@command.command("test")
@click.argument("name")
@click.option(
    "--config", "path", type=click.Path(path_type=Path), help="The configuration that has the feed."
)
@click.option("--seconds", default=10.0, type=click.FloatRange(0.1), help="How long to listen.")
@click.option("--lines", "most", default=200, type=click.IntRange(0), help="Events to print.")
def test(name: str, path: Path | None, seconds: float, most: int) -> None:
    """Connect to the feed NAME as `ticker serve` would, and print its decoded events.

    The last lines list the skipped messages with their reasons. Exit code 1: nothing usable came.
    Nothing is served, and a running server is not disturbed: if it is logged on to the feed's FIX
    session, this command refuses to start, because a venue allows an identity only one logon."""
    config = load(path)
    feeds = {feed.name: feed for feed in config.feeds}
    if name not in feeds:
        known = ", ".join(feeds) or "none"
        raise click.BadParameter(f"no feed {name!r} in the configuration; there are: {known}")
    feed = feeds[name]
    if from_bus(feed):
        raise click.BadParameter(
            f"feed {name!r} comes from the bus; test it on the box that has its lines, "
            "and see `ticker cluster status`"
        )
    segment = private_feed(Geometry(feed.rows, feed.rings, feed.ring_capacity), 1, now_ns())
    events = Events(segment, most)
    end = steady_ns() + int(seconds * SECOND)

    def watch(_: int) -> None:
        events.look()
        events.show()
        if steady_ns() >= end:
            worker.stop()

    # A rebuild would show the whole session again, and only new events are wanted here.
    live = msgspec.structs.replace(feed, rebuild=feed.rebuild and feed.rerequest is None)
    try:
        worker = FeedWorker(live, PrivateContext(segment, events.look), watch=watch)
    except FeedError as error:
        click.echo(f"ticker: {error}", err=True)
        click.get_current_context().exit(1)
    try:
        worker.loop()
    finally:
        worker.close()
    events.look()
    events.show()
    for line in _summary(worker.pipeline, events):
        click.echo(line)
    if not events.taken:
        for line in _nothing(worker.vigil, worker.source.findings):
            click.echo(line)
        click.get_current_context().exit(1)


class Events:
    """The decoded events, one line each, at most `most` lines: published records with the values of
    that moment, and trades that the filter refused. Duplicates are counted only.

    Attributes:
        taken: events that were published.
    """

    def __init__(self, segment: Mapping, most: int) -> None:
        self.table = PriceTable(segment)
        self.rings = [RingReader(segment, index) for index in range(segment.ring_count)]
        self.rejects = RejectReader(segment)
        self.most = most
        self.taken = 0
        self.shown = 0
        self.hidden = 0
        self._lines: list[str] = []
        self._refused = {rule: 0 for rule in self.rejects.counts() if rule != "duplicate"}

    def look(self) -> None:
        """Take the events since the last call. It is called right after each publication, so that
        the row still has the published quote."""
        records = [record for ring in self.rings for record in ring.take(1 << 16)]
        self.taken += len(records)
        for record in sorted(records, key=lambda each: each["publish_time"]):
            self._keep(partial(self._line, record))
        counts = self.rejects.counts()
        for rule, before in self._refused.items():
            count = counts[rule]
            more = count - before
            if more:
                self._refused[rule] = count
                for reject in self.rejects.last(rule, min(more, KEPT)):
                    self._keep(partial(_refusal, reject))

    def _keep(self, line: Callable[[], str]) -> None:
        if self.shown < self.most:
            self.shown += 1
            self._lines.append(line())
        else:
            self.hidden += 1

    def show(self) -> None:
        """Print the events taken since the last call."""
        lines, self._lines = self._lines, []
        for line in lines:
            click.echo(line)

    def _line(self, record: dict[str, int]) -> str:
        row = record["row"]
        values = self.table.values(row) or {}
        exponent = self.table.size_exponent(row)
        size, price = units.format_size, units.format_price
        kind = record["kind"]
        if kind in PRINTS:
            text = f"{PRINTS[kind]} {price(record['price'])} x {size(record['size'], exponent)}"
        elif kind == RecordKind.RECORD_QUOTE:
            text = f"quote {self._side(row, values, 'bid')} - {self._side(row, values, 'ask')}"
        elif kind == RecordKind.RECORD_STATUS:
            text = f"status {TRADING_STATUSES[values['status']].replace('_', ' ')}"
        elif kind == RecordKind.RECORD_DAY:
            text = "values of the day: open, close or extended hours"
        else:
            text = f"correction, last {price(values['price'])}"
        when = units.format_timestamp(record["exchange_time"])
        return f"{when}  {self.table.symbol(row):12}  {text}"

    def _side(self, row: int, values: dict[str, int], side: str) -> str:
        """The best price of a side and its size; "none" for an empty side."""
        has = RowFlag.ROW_HAS_BID if side == "bid" else RowFlag.ROW_HAS_ASK
        if not values["flags"] & has:
            return "none"
        size = units.format_size(values[f"{side}_size"], self.table.size_exponent(row))
        return f"{units.format_price(values[side])} x {size}"


def _refusal(reject: RejectView) -> str:
    when = units.format_timestamp(reject.exchange_time)
    size = units.format_size(reject.size, reject.size_exponent)
    price = units.format_price(reject.price)
    return f"{when}  {reject.symbol:12}  trade {price} x {size}, refused: {reject.rule}"


def _nothing(vigil: Vigil, findings: Findings) -> Iterator[str]:
    """The reason why nothing usable came, and the next step."""
    why = vigil.why or findings.why(steady_ns(), 0)
    yield f"nothing of use came: {STALE_REASONS[why].replace('_', ' ')}"
    example = findings.newest(why).example
    if example:
        yield f"the newest example: {example}"
    yield f"what to do: {ADVICE[why]}"


def _summary(pipeline: Pipeline, events: Events) -> Iterator[str]:
    """The counts of messages and events, and of skipped ones by their reason."""
    counts = Counters(pipeline.mapping).as_dict()
    if events.hidden:
        yield f"... and {events.hidden} more"
    yield ""
    yield f"{counts['messages']} messages, {events.taken} events, {counts['gaps']} gaps"
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
    """The filter's rejects: the count of each rule, and its newest reject."""
    rejects = pipeline.market.rejects()
    for rule in dict.fromkeys(each.rule for each in rejects):
        of = [each for each in rejects if each.rule == rule]
        price = units.format_price(of[-1].price)
        when = units.format_timestamp(of[-1].exchange_time)
        yield f"rejected: {len(of)} {rule}, like {of[-1].symbol} {price} of {when}"
