"""`ticker get`: current prices from a running server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import click
import msgspec

from ticker.client.server import Server, server_options
from ticker.errors import ClientError


@click.command()
@click.argument("symbols", nargs=-1, required=True)
@click.option("--venue", help="The price of one venue, by its market identifier code.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole price objects as JSON.")
@server_options
def command(
    symbols: tuple[str, ...], venue: str | None, as_json: bool, url: str, token: str | None
) -> None:
    """Print the current price of each of SYMBOLS.

    Exit code 1: a symbol has no price. Exit code 4: no server was reached.
    """
    parameters = {"symbols": ",".join(symbols)} | ({"venue": venue} if venue else {})
    text = asyncio.run(Server(url, token).fetch_text("/prices", **parameters))
    answer = json.loads(text, parse_float=Decimal)
    if as_json:
        click.echo(msgspec.json.format(text, indent=2))
    else:
        for price in answer["prices"]:
            click.echo(_line(price))
    missing = list(_missing(answer, venue))
    if missing:
        raise ClientError("; ".join(missing))


def _missing(answer: dict[str, Any], venue: str | None) -> Iterator[str]:
    """The reasons for symbols without a price, a line each."""
    gone = [price["symbol"] for price in answer["prices"] if price["price"] is None]
    if gone:
        names = ", ".join(gone)
        yield f"no price: {names}; all trades were of extended hours, or were taken back"
    kinds = {
        "no_price_yet": "no price yet: {}",
        "not_on_venue": f"not on {venue}: {{}}; leave --venue out for the price over all venues",
        "unknown": "unknown: {}; look them up with `ticker symbols`",
    }
    for kind, words in kinds.items():
        if answer.get(kind):
            yield words.format(", ".join(answer[kind]))


def _line(price: dict[str, Any]) -> str:
    notes = [str(price["status"])] if price["status"] not in ("live", "trading") else []
    notes += ["stale"] if price["stale"] else []
    shown = "-" if price["price"] is None else price["price"]
    said = f"  ({', '.join(notes)})" if notes else ""
    return (
        f"{price['symbol']:<8} {shown:>14} {price['currency']}  {price['exchange_timestamp']}{said}"
    )
