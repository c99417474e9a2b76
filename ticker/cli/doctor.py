"""`ticker doctor`: checks whether this machine is fit for the server."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape

from ticker.supervisor.configuration import load
from ticker.supervisor.doctor import Machine, examine


@click.command()
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    help="The file; without it, the shipped one.",
)
@click.pass_context
def command(ctx: click.Context, path: Path | None) -> None:
    """Check this machine: clock, open files, shared memory, huge pages, port, receive buffers,
    multicast, and the addresses that may reach the server.

    Run it on the server's machine before the first start. Exit code 1: the server would not
    start, or would lose data.
    """
    console = Console(highlight=False, soft_wrap=True)
    grave = False
    for found in examine(load(path), Machine()):
        grave |= found.grave
        mark = "[red]bad [/]" if found.grave else "[yellow]look[/]" if found.advice else "ok  "
        console.print(f"{mark}  {found.subject:<16} {escape(found.text)}")
        if found.advice:
            console.print(f"      {'':<16} {escape(found.advice)}")
    ctx.exit(1 if grave else 0)
