"""`ticker lineage`: the origin of a price, in a running server or in a capture."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click
import msgspec

from ticker.client.server import Server, server_options
from ticker.clock import now_ns
from ticker.errors import ClientError, FeedError
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
from ticker.gateway.rest.openapi import MOST_CONNECTION
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
ASKED = 64
"""New connections to a server on which a connection is asked for: each may come to any of its
gateway workers, and one of them knows the answer."""


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
@click.option(
    "--connection",
    type=click.IntRange(1, MOST_CONNECTION),
    metavar="NUMBER",
    help="Of the server of --url: also when this connection of a stream was sent the symbol.",
)
@server_options
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
    connection: int | None,
    url: str,
    token: str | None,
    as_json: bool,
) -> None:
    """Show the origin of the price of SYMBOL, and its newest trades.

    In a running server: the row, the place in the ring, the sale conditions and the filter's
    verdict; of a symbol that is traced also the message of each trade, and when its packet came.
    With --capture the packet and the message. With --connection, the number that the `hello` of a
    stream has, also the newest flushes that brought that connection the symbol: ask twice, for
    they are noted from the first question on.
    """
    found: dict[str, Any]
    if connection is not None:
        if capture is not None or trace is not None or path is not None or instance is not None:
            said = "--connection asks the server of --url, and goes with --last and --json alone"
            raise click.UsageError(said)
        found = _sent(Server(url, token), symbol, connection, last)
    elif capture is None:
        found = _served(symbol, path, instance, last, trace)
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


def _sent(server: Server, symbol: str, connection: int, last: int) -> dict[str, Any]:
    """The lineage of a symbol, and of what a connection was sent of it.

    Raises:
        ClientError: the connection is gone, or is of a worker that none of many requests came to.
    """
    for _ in range(ASKED):
        found: dict[str, Any] = server.get(
            f"/lineage/{quote(symbol, safe='')}", connection=str(connection)
        )
        sent = found["connection"]
        if sent["state"] != "elsewhere":
            break
    if sent["state"] == "unknown":
        raise ClientError(
            f"--connection {connection}: no such connection is open; its `hello` has its number, "
            "and only the token that opened it may ask"
        )
    if sent["state"] == "elsewhere":
        raise ClientError(
            f"--connection {connection}: gateway worker {sent['worker']} has it, and none of "
            f"{ASKED} requests came to that worker; see in /status whether it runs, and ask again"
        )
    for price in found["prices"]:
        del price["last"][last:]
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
            for entry in [entries] if isinstance(entries, dict) else entries:
                if isinstance(entry, str):
                    lines.append(f"{name}: {entry}")
                    continue
                lines.append(f"{name}:")
                for key, value in entry.items():
                    each = value if key == "sends" and value else [value]
                    lines += [f"  {key:20} {_said(one)}" for one in each]
    return "\n".join(lines)


def _said(value: object) -> str:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ", ".join(value) or "-"
    if isinstance(value, list | dict):
        return msgspec.json.encode(value).decode()
    return "-" if value is None else str(value)
