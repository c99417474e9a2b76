"""`ticker simulate pitch`: Cboe, live on the network or written as a capture."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import click

from ticker.cli.simulate.day import day_options, write_day
from ticker.cli.simulate.live import shown, speak
from ticker.cli.simulate.parameters import (
    Address,
    line_options,
    live_options,
    market_options,
    optional_address,
)
from ticker.feeds.day import midnight_ns
from ticker.simulate.cboe_exchange import CboeExchange, CboeSettings
from ticker.simulate.lines.capture import write_pcap
from ticker.simulate.speakers.pitch import UNIT_LIMIT, PitchMarket
from ticker.simulate.speakers.unit_capture import UnitWriter
from ticker.supervisor import child


def write(
    output: Path,
    symbols: int,
    seed: int,
    units: int,
    messages: int,
    day: datetime,
    lines: tuple[tuple[str, int], ...],
    loss: float,
) -> int:
    """Write a day to `output`, a pcap with one line or two; how many messages."""
    midnight = midnight_ns(day.date())
    market = PitchMarket(symbols, seed, units=units, messages=messages)
    return write_pcap(market, output, UnitWriter(list(lines), midnight, loss, seed))


@click.command("pitch")
@market_options
@click.option(
    "--units",
    type=click.IntRange(1, UNIT_LIMIT),
    default=4,
    show_default=True,
    help="Streams that the symbols are spread over.",
)
@line_options
@click.option("--line-a", type=Address(), default="239.192.1.1:26487", show_default=True)
@click.option("--line-b", type=Address(), default="239.192.1.2:26487", show_default=True)
@click.option(
    "--gap-proxy",
    default="127.0.0.1:26488",
    show_default=True,
    callback=optional_address,
    help="Address of the gap request proxy (TCP).  [default: none runs]",
)
@click.option(
    "--gap-line",
    default="239.192.1.3:26489",
    show_default=True,
    callback=optional_address,
    help="Multicast group of the proxy's answers.  [default: none]",
)
@click.option(
    "--spin",
    type=Address(),
    multiple=True,
    help="Address of the spin server (TCP) of unit 1; repeat it for each further unit.",
)
@live_options(kept_for="gap requests", answered="requests")
@day_options(
    output="Write a day instead: the capture to write, a pcap.",
    messages="Messages of the same day in ITCH; PITCH has about as many.",
    date="Date of the day to write.",
    required=False,
)
def command(
    symbols: int,
    rate: float,
    seed: int,
    units: int,
    lines: int | None,
    loss: float,
    reorder: int,
    line_a: tuple[str, int],
    line_b: tuple[str, int],
    gap_proxy: tuple[str, int] | None,
    gap_line: tuple[str, int] | None,
    spin: tuple[tuple[str, int], ...],
    interface: str,
    history: int,
    duration: float | None,
    linger: float,
    die_with_parent: bool,
    as_json: bool,
    output: Path | None,
    messages: float,
    day: datetime,
) -> None:
    """Speak Cboe PITCH 2.x in sequenced units, or write a day of it to a file."""
    addresses = (line_a, line_b)[: lines or (2 if output is None else 1)]
    if output is not None:
        path, total = output, int(messages)
        write_day(path, lambda: write(path, symbols, seed, units, total, day, addresses, loss))
        return
    if die_with_parent:
        child.die_with_parent(os.getppid())
    settings = CboeSettings(
        symbols=symbols,
        rate=rate,
        seed=seed,
        units=units,
        lines=addresses,
        gap_proxy=gap_proxy,
        gap_line=gap_line,
        spin=spin,
        interface=interface,
        loss=loss,
        reorder=reorder,
        history=history << 20,
    )
    with CboeExchange(settings) as exchange:
        speak(
            exchange,
            duration,
            linger,
            as_json,
            symbols=symbols,
            rate=rate,
            units=units,
            lines=shown(*addresses),
            gap_proxy=shown(exchange.gap_proxy),
            gap_line=shown(gap_line),
        )
