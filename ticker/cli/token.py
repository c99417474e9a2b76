"""`ticker token`: a new static token, and its table for the configuration."""

from __future__ import annotations

import click

from ticker.gateway.access.auth import hash_token, new_token


@click.command()
@click.argument("name")
def command(name: str) -> None:
    """Make a token for a client called NAME.

    Give the token to the client; it is not shown again. Put its hash into the configuration.
    """
    token = new_token()
    click.echo(f"token: {token}\n\nadd to the configuration:\n")
    click.echo(f'[[auth.tokens]]\nname = "{name}"\nsha256 = "{hash_token(token)}"')
