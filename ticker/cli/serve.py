"""`ticker serve`: the server, in the foreground."""

from __future__ import annotations

import codecs
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec
import structlog

from ticker import log
from ticker.config import Config, ServerConfig
from ticker.errors import ConfigError
from ticker.supervisor.configuration import load, load_all

if TYPE_CHECKING:
    from ticker.supervisor.beside import RecorderMain


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
    config = load_all(path)
    here = path.absolute() if path is not None else None
    config = _otherwise(config, port=port, instance=instance)
    log.configure(config.server.log)
    # Loaded here, before the first fork: every worker shares these pages. The protocols and
    # sessions of the feeds are loaded by load_all.
    from ticker.feeds.workers import worker as feed_worker
    from ticker.gateway import worker as gateway_worker
    from ticker.store import worker as store_worker
    from ticker.supervisor.serve import serve
    from ticker.supervisor.surroundings import warnings

    for warning in warnings(config):
        structlog.get_logger().warning("a secret is open", reason=warning)
    for codec in ("idna", "utf-8-sig"):  # Python imports a codec at its first use
        codecs.lookup(codec)
    ctx.exit(
        serve(
            config,
            click.echo,
            feed_main=feed_worker.run,
            gateway_main=gateway_worker.run,
            store_main=store_worker.run,
            recorder_main=_recorder_main(config),
            reload=partial(load, here),
        )
    )


def _recorder_main(config: Config) -> RecorderMain | None:
    """The recorder, loaded where it is on. Raises ConfigError: it needs what is not installed."""
    if not config.record.enabled:
        return None
    try:
        from ticker.record import worker as recorder_worker
    except ImportError:
        raise ConfigError(
            "record.enabled: a recorder needs pyarrow: pip install 'ticker[record]'"
        ) from None
    return recorder_worker.run


def _otherwise(config: Config, **options: object) -> Config:
    """The configuration with the options of the command line. Raises ConfigError."""
    given = {name: value for name, value in options.items() if value is not None}
    changed = msgspec.structs.asdict(config.server) | given
    try:
        server = msgspec.convert(changed, ServerConfig)
    except msgspec.ValidationError as error:
        raise ConfigError(f"--instance: {error}") from None
    return msgspec.structs.replace(config, server=server)
