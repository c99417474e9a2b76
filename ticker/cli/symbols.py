"""`ticker symbols`: the symbols of a running server."""

from __future__ import annotations

import click

from ticker.client.server import Server, server_options
from ticker.errors import ClientError


@click.command()
@click.argument("query", default="")
@click.option("--limit", default=20, show_default=True, help="Number of symbols at most.")
@server_options
def command(query: str, limit: int, url: str, token: str | None) -> None:
    """Print the symbols whose ticker or name matches QUERY, or all symbols without a QUERY.

    Exit code 1: no symbol matches. Exit code 4: no server was reached.
    """
    answer = Server(url, token).get("/symbols", q=query, limit=str(limit))
    for symbol in answer["symbols"]:
        click.echo(f"{symbol['symbol']:<12} {symbol.get('name') or ''}".rstrip())
    if not answer["symbols"]:
        raise ClientError(f"no symbol or name matches {query!r}" if query else "no symbols yet")
    left = answer["total"] - len(answer["symbols"])
    if left:
        click.echo(f"and {left} more; see --limit", err=True)
