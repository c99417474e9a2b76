"""`ticker get`: current prices from a running server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import click
import msgspec

from ticker.client.package.messages import PriceObject, Prices
from ticker.client.server import Server, server_options, time_text
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
    content, answer = asyncio.run(_prices(Server(url, token), symbols, venue))
    if as_json:
        click.echo(msgspec.json.format(content, indent=2))
    else:
        for price in answer.prices:
            click.echo(_line(price))
    missing = list(_missing(answer, venue))
    if missing:
        raise ClientError("; ".join(missing))


async def _prices(
    server: Server, symbols: tuple[str, ...], venue: str | None
) -> tuple[bytes, Prices]:
    """The answer as the server gives it, for --json, and what it says."""
    async with server.rest() as rest:
        content = await rest.content("/prices", symbols=",".join(symbols), venue=venue)
        return content, msgspec.json.decode(content, type=Prices)


def _missing(answer: Prices, venue: str | None) -> Iterator[str]:
    """The reasons for symbols without a price, a line each."""
    gone = [price.symbol for price in answer.prices if price.price is None]
    if gone:
        yield f"no price: {', '.join(gone)}; all trades were of extended hours, or were taken back"
    kinds = {
        "no_price_yet": "no price yet: {}",
        "not_on_venue": f"not on {venue}: {{}}; leave --venue out for the price over all venues",
        "unknown": "unknown: {}; look them up with `ticker symbols`",
    }
    for kind, words in kinds.items():
        if names := ", ".join(getattr(answer, kind)):
            yield words.format(names)


def _line(price: PriceObject) -> str:
    notes = [price.status] if price.status not in ("live", "trading") else []
    notes += ["stale"] if price.stale else []
    shown = "-" if price.price is None else price.price
    said = f"  ({', '.join(notes)})" if notes else ""
    moment = time_text(price.exchange_timestamp)
    return f"{price.symbol:<8} {shown:>14} {price.currency}  {moment}{said}"
