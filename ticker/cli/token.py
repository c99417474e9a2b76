"""`ticker token`: a new static token, and the table that lets it in."""

from __future__ import annotations

import click

from ticker.gateway.access.auth import hash_token, new_token


@click.command()
@click.argument("name")
def command(name: str) -> None:
    """Make a token for a client called NAME.

    The token goes to the client and is shown this once; its hash goes into the configuration.
    """
    token = new_token()
    click.echo(f"token: {token}\n\nadd to the configuration:\n")
    click.echo(f'[[auth.tokens]]\nname = "{name}"\nsha256 = "{hash_token(token)}"')
