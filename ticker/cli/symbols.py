"""`ticker symbols`: what a running server knows."""

from __future__ import annotations

import click

from ticker.client.server import Server, server_options
from ticker.errors import ClientError


@click.command()
@click.argument("query", default="")
@click.option("--limit", default=20, show_default=True, help="How many at most.")
@server_options
def command(query: str, limit: int, url: str, token: str | None) -> None:
    """Print the symbols whose ticker or name matches QUERY; all, without one.

    Exit code 1 says that none does, and 4 that no server was reached.
    """
    answer = Server(url, token).get("/symbols", q=query, limit=str(limit))
    for symbol in answer["symbols"]:
        click.echo(f"{symbol['symbol']:<12} {symbol.get('name') or ''}".rstrip())
    if not answer["symbols"]:
        raise ClientError(f"no symbol or name matches {query!r}" if query else "no symbols yet")
    left = answer["total"] - len(answer["symbols"])
    if left:
        click.echo(f"and {left} more; see --limit", err=True)
