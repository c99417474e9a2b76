"""The command line: each command is one file here, with a click command named `command`.

Law: there is no list of commands to extend. The group looks at its own folder, and imports a
command's file only when that command runs, so `ticker check` never loads a feed.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
from typing import Any

import click

from ticker.errors import TickerError


class CommandsByFile(click.Group):
    """A click group whose commands are the modules of this package."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click's signature)
        return sorted(module.name for module in pkgutil.iter_modules(__path__))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command = importlib.import_module(f"{__name__}.{cmd_name}").command
        if not isinstance(command, click.Command):
            raise TypeError(f"ticker/cli/{cmd_name}.py: `command` is not a click command")
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. A TickerError is printed on one line and gives its exit code. A closed
        output (`| head`) is not an error."""
        open_standard_streams()
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(0)
        except TickerError as error:
            click.echo(f"ticker: {error}", err=True)
            ctx.exit(error.exit_code)


def open_standard_streams() -> None:
    """Give a process that was started without standard streams (`2>&-`) empty ones. Otherwise its
    first sockets would take their numbers, and get what is meant for the log."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115
            setattr(sys, f"__{name}__", getattr(sys, name))


def _say_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from ticker.version import full_version

        click.echo(f"ticker {full_version()}")
        ctx.exit()


@click.group(cls=CommandsByFile, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_say_version,
    help="Show the version, the commit, the build, Python and the kernel, and exit.",
)
def main() -> None:
    """Real-time stock prices: exchange feeds in, WebSocket and REST out.

    Commands that ask a server end with 0 for success, 1 when nothing usable came, 2 for wrong
    usage, 3 for a refused configuration, and 4 when there is no server.
    """
