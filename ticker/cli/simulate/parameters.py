"""Kinds of option values: shares, numbers with a suffix, addresses; options of every exchange."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

Command = Callable[..., Any]

SUFFIXES = {"k": 1_000.0, "m": 1_000_000.0}


class Share(click.ParamType[float]):
    """A share of one: 0.001 or 0.1%."""

    name = "share"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        text = str(value)
        try:
            share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            self.fail(f"{text!r} is not a share: give one like 0.1% or 0.001", param, ctx)
        if not 0 <= share < 1:
            self.fail(f"{text} is out of range: give 0% to below 100%", param, ctx)
        return share


class Count(click.ParamType[float]):
    """A number with an optional k or M: 20000, 20k, 1M."""

    name = "number"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        text = str(value)
        scale = SUFFIXES.get(text[-1:].lower(), 1.0)
        try:
            number = float(text[:-1] if scale > 1 else text) * scale
        except ValueError:
            self.fail(f"{text!r} is not a number: give one like 20000, 20k or 1M", param, ctx)
        if not 0 < number < 1e12:
            self.fail(f"{text} is out of range: give more than 0", param, ctx)
        return number


class Address(click.ParamType[tuple[str, int]]):
    """HOST:PORT with a numeric IPv4 host."""

    name = "addr:port"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        if isinstance(value, tuple):
            return value
        host, _, port = str(value).rpartition(":")
        octets = host.split(".")
        if len(octets) != 4 or not all(part.isdecimal() and int(part) < 256 for part in octets):
            self.fail(f"{value!r}: give ADDR:PORT, like 239.192.0.1:26477", param, ctx)
        if not port.isdecimal() or int(port) > 65535:
            self.fail(f"{value!r}: give a port from 0 to 65535", param, ctx)
        return host, int(port)


def optional_address(
    ctx: click.Context, param: click.Parameter, value: str
) -> tuple[str, int] | None:
    """ADDR:PORT, or none."""
    return None if value == "none" else Address().convert(value, param, ctx)


def together(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """One decorator for several options, in this order."""

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


symbols_option = click.option(
    "--symbols", type=click.IntRange(1, 65535), default=200, show_default=True
)
seed_option = click.option("--seed", type=int, default=1, show_default=True)
loss_option = click.option(
    "--loss", type=Share(), default="0%", help="Packets to drop on each line, like 0.1%."
)
market_options = together(
    symbols_option,
    click.option(
        "--rate", type=Count(), default="2000", show_default=True, help="Messages per second."
    ),
    seed_option,
)
line_options = together(
    click.option("--lines", type=click.IntRange(1, 2), help="By default 2 live, 1 in a pcap."),
    loss_option,
    click.option(
        "--reorder",
        type=click.IntRange(0, 1000),
        default=0,
        help="Delay one packet in a hundred by up to this many packets.",
    ),
)


def live_options(*, kept_for: str, answered: str) -> Callable[[Command], Command]:
    """The options of a live exchange. `kept_for` and `answered` complete two of the helps."""
    return together(
        click.option("--interface", default="127.0.0.1", show_default=True),
        click.option(
            "--history",
            type=click.IntRange(1, 65536),
            default=256,
            show_default=True,
            help=f"MiB of messages kept for {kept_for}.",
        ),
        click.option("--duration", type=float, help="Seconds; by default until a signal."),
        click.option(
            "--linger",
            type=float,
            default=0.3,
            show_default=True,
            help=f"Seconds for which {answered} are answered after the end.",
        ),
        click.option("--die-with-parent", is_flag=True, help="End when the parent process does."),
        click.option(
            "--json", "as_json", is_flag=True, help="Print the counts at the end as JSON."
        ),
    )
