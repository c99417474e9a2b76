"""`ticker serve`: the server, in the foreground."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click
import msgspec

from ticker.config import Config, ServerConfig
from ticker.errors import ConfigError
from ticker.lines import print_line
from ticker.supervisor.system.loading import load_libraries, loading


@click.command()
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    help="The configuration; without it, the shipped one with its simulated exchange.",
)
@click.option("--port", type=click.IntRange(0, 65_535), help="Instead of the configured one.")
@click.option("--instance", help="Its instance name, instead of the configured one.")
@click.pass_context
def command(ctx: click.Context, path: Path | None, port: int | None, instance: str | None) -> None:
    """Serve prices until Ctrl-C or SIGTERM.

    The first line of output is the address of the watch page; then each event is a line of the log.
    SIGHUP, or `ticker reload`, reads the configuration again. SIGUSR2, or `ticker restart`,
    replaces the gateway workers one by one, while clients stay connected to the others.
    """
    here = path.absolute() if path is not None else None
    with_options = partial(_otherwise, port=port, instance=instance)
    with loading():
        load_libraries()
        from ticker.supervisor.configuration import load, load_all

        config = with_options(load_all(path))
        from ticker.supervisor.serve import load_workers, start

        load_workers()
    ctx.exit(start(config, print_line, reload=lambda: with_options(load(here))))


def _otherwise(config: Config, **options: object) -> Config:
    """The configuration with the options of the command line. Raises ConfigError."""
    given = {name: value for name, value in options.items() if value is not None}
    changed = msgspec.structs.asdict(config.server) | given
    try:
        server = msgspec.convert(changed, ServerConfig)
    except msgspec.ValidationError as error:
        raise ConfigError(f"--instance: {error}") from None
    return msgspec.structs.replace(config, server=server)
