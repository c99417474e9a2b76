"""`ticker get`: current prices from a running server."""

from __future__ import annotations

import click
import orjson

from ticker.client.server import Server, server_options
from ticker.errors import ClientError

INDENT = orjson.OPT_INDENT_2


@click.command()
@click.argument("symbols", nargs=-1, required=True)
@click.option("--venue", help="One venue's own view, by its market identifier code.")
@click.option("--json", "as_json", is_flag=True, help="The whole price objects.")
@server_options
def command(
    symbols: tuple[str, ...], venue: str | None, as_json: bool, url: str, token: str | None
) -> None:
    """Print the current price of each of SYMBOLS.

    Exit code 10 says that one is unknown, or that the server was not reached.
    """
    server = Server(url, token)
    parameters = {"symbols": ",".join(symbols)} | ({"venue": venue} if venue else {})
    answer = server.get("/prices", **parameters)
    if as_json:
        click.echo(orjson.dumps(answer, option=INDENT))
    else:
        for price in answer["prices"]:
            click.echo(_line(price))
    waiting = answer.get("no_price_yet", [])
    if waiting:
        click.echo(f"no price yet: {', '.join(waiting)}", err=True)
    if answer["unknown"]:
        raise ClientError(
            f"unknown: {', '.join(answer['unknown'])}; look them up with `ticker symbols`"
        )


def _line(price: dict[str, object]) -> str:
    notes = [str(price["status"])] if price["status"] not in ("live", "trading") else []
    notes += ["stale"] if price["stale"] else []
    said = f"  ({', '.join(notes)})" if notes else ""
    return (
        f"{price['symbol']:<8} {price['price']:>14} {price['currency']}  "
        f"{price['exchange_timestamp']}{said}"
    )
