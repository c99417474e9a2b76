"""Kinds of option values: shares, numbers with a suffix, addresses."""

from __future__ import annotations

import click

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
            self.fail(f"{text!r} is no share: give one like 0.1% or 0.001", param, ctx)
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
            self.fail(f"{text!r} is no number: give one like 20000, 20k or 1M", param, ctx)
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
            self.fail(f"{value!r}: the port is 0 to 65535", param, ctx)
        return host, int(port)


def optional_address(
    ctx: click.Context, param: click.Parameter, value: str
) -> tuple[str, int] | None:
    """ADDR:PORT, or none."""
    return None if value == "none" else Address().convert(value, param, ctx)
