"""`ticker simulate`: a simulated exchange, live on the network or written as a capture."""

from __future__ import annotations

import click

from ticker.cli.simulate import itch, pillar, pitch, text, vendor
from ticker.cli.simulate.iex import iex_command


@click.group("simulate", help="A simulated exchange.")
def command() -> None:
    """One subcommand per protocol."""


command.add_command(itch.command)
command.add_command(pitch.command)
command.add_command(vendor.command)
for name in ("tops", "deep"):
    command.add_command(iex_command(name))
command.add_command(pillar.command)
command.add_command(text.fix)
command.add_command(text.json)
