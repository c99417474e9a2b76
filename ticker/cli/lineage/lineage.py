"""`ticker lineage`: the origin of a price, in a running server or in a capture."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import click
import msgspec

from ticker.clock import now_ns
from ticker.errors import FeedError
from ticker.feeds.day import EASTERN
from ticker.feeds.lineage.traced import TracedTrade, Tracer
from ticker.feeds.workers.pipeline import (
    CAPTURE_RULES,
    EPOCH,
    Pipeline,
    build,
    capture_day,
    file_blocks,
    follow_days,
    session_of_file,
)
from ticker.shm.lineage.lineage import KEPT, lineage
from ticker.shm.lineage.sale_conditions import conditions_of, counts_for
from ticker.shm.private import tracing
from ticker.shm.segment import Geometry, private_feed
from ticker.supervisor.configuration import load
from ticker.supervisor.find import attach_feeds
from ticker.units import format_price, format_size, format_timestamp

SECOND = 1_000_000_000
DAY = 86_400.0
"""s; a wish lasts no longer."""


@click.command()
@click.argument("symbol")
@click.option("--config", "path", type=click.Path(path_type=Path), help="Its configuration.")
@click.option("--instance", help="The server's instance name, instead of the configured one.")
@click.option("--capture", type=click.Path(path_type=Path), help="Decode this recording instead.")
@click.option("--protocol", help="Of the recording: itch50, pitch, tops, deep or pillar.")
@click.option("--date", "day", help="Of the recording, YYYY-MM-DD.  [default: its day]")
@click.option("--timezone", default=EASTERN, show_default=True, help="Of the recording's venue.")
@click.option("--test-issues", is_flag=True, help="Of the recording: trades of test issues, too.")
@click.option(
    "--last", default=1, type=click.IntRange(1, KEPT), show_default=True, help="Newest trades."
)
@click.option(
    "--trace",
    type=click.FloatRange(0, DAY),
    metavar="SECONDS",
    help="Of a running server: keep the symbol's messages from now on, for so long.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of lines.")
def command(
    symbol: str,
    path: Path | None,
    instance: str | None,
    capture: Path | None,
    protocol: str | None,
    day: str | None,
    timezone: str,
    test_issues: bool,
    last: int,
    trace: float | None,
    as_json: bool,
) -> None:
    """Show the origin of the price of SYMBOL, and its newest trades.

    In a running server: the row, the place in the ring, the sale conditions and the filter's
    verdict; of a symbol that is traced also the message of each trade, and when its packet came.
    With --capture the packet and the message.
    """
    if capture is None:
        found: dict[str, Any] = _served(symbol, path, instance, last, trace)
    elif trace is not None:
        raise click.UsageError("--trace is for a running server; a capture has all messages")
    elif protocol is None:
        raise click.UsageError("--capture: name its --protocol")
    else:
        found = _recorded(symbol, capture, protocol, day, timezone, test_issues, last)
    click.echo(msgspec.json.encode(found).decode() if as_json else _lines(found))


def _served(
    symbol: str, path: Path | None, instance: str | None, last: int, trace: float | None
) -> dict[str, Any]:
    config = load(path)
    of = instance or config.server.instance
    feeds = attach_feeds(of, [feed.name for feed in config.feeds])
    prices = lineage(list(feeds.items()), symbol, last, of)
    found: dict[str, Any] = {"symbol": symbol, "prices": prices}
    if trace is not None:
        now = now_ns()
        found["traced_symbols"] = tracing.trace(of, symbol, now + int(trace * SECOND), now)
    return found


def _recorded(
    symbol: str,
    capture: Path,
    protocol: str,
    day: str | None,
    timezone: str,
    test_issues: bool,
    last: int,
) -> dict[str, Any]:
    session = session_of_file(protocol, capture)
    blocks = file_blocks(session)
    rules = msgspec.structs.replace(CAPTURE_RULES, test_symbols=not test_issues)

    def make(day: date, timezone: str) -> Pipeline:
        mapping = private_feed(Geometry(rings=1), 1, 1)
        return build(mapping, protocol, session, day, timezone=timezone, rules=rules)

    try:
        session_day = date.fromisoformat(day) if day else None
    except ValueError:
        raise click.BadParameter(
            f"{day!r} is not a date, like 2026-03-29", param_hint="--date"
        ) from None
    session_day = session_day or capture_day(capture, blocks, make(EPOCH, "UTC"), timezone) or EPOCH
    pipeline = make(session_day, timezone)
    follow_days(pipeline, timezone, by_receive_time=True)
    tracer = Tracer(pipeline, symbol)
    tracer.run(blocks(capture))
    if symbol not in tracer.trades:
        raise FeedError(f"{capture}: has no trade of {symbol}; symbols are exact")
    newest = list(tracer.trades[symbol])[-last:]
    return {
        "symbol": symbol,
        "prices": [_traced(trade) for trade in tracer.shown(symbol)],
        "last": [_traced(trade) for trade in reversed(newest)],
    }


def _traced(trade: TracedTrade) -> dict[str, Any]:
    origin = trade.origin
    session = origin.session.decode("ascii", "replace").strip()
    return {
        "venue": trade.venue or None,
        "price": format_price(trade.price),
        "size": format_size(trade.size, trade.size_exponent),
        "seq": trade.seq,
        "packet": origin.packet,
        "line": origin.line,
        "session": session if session.isprintable() and session else None,
        "channel": origin.channel or None,
        "sequence": origin.sequence,
        "exchange_timestamp": format_timestamp(trade.exchange_time),
        "receive_timestamp": format_timestamp(origin.receive_time),
        "publish_timestamp": format_timestamp(trade.publish_time),
        "message": origin.message.hex(),
        "conditions": conditions_of(trade.conditions),
        "counts_for": counts_for(trade.conditions),
        "verdict": "held, then confirmed" if trade.held else "accepted",
        "position": trade.position,
    }


def _lines(found: dict[str, Any]) -> str:
    lines = [found["symbol"]]
    if not found["prices"]:
        lines.append("  no price that came from a trade")
    for name, entries in found.items():
        if name != "symbol":
            for entry in entries:
                if isinstance(entry, str):
                    lines.append(f"{name}: {entry}")
                    continue
                lines.append(f"{name}:")
                lines += [f"  {key:20} {_said(value)}" for key, value in entry.items()]
    return "\n".join(lines)


def _said(value: object) -> str:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ", ".join(value) or "-"
    if isinstance(value, list | dict):
        return msgspec.json.encode(value).decode()
    return "-" if value is None else str(value)
