"""--url: a bench that loads a server which is already running."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ticker.cli.bench.options import Command, Output, load_of

# the options of a load that apply to a server with its own feeds
KEPT = ("clients", "symbols", "per_client", "encoding", "channel", "popularity", "warm_up")


def url_options(command: Command) -> Command:
    """The options of a bench that can also load a running server."""
    options = (
        click.option(
            "--url",
            help="Of a running server, like ws://host:8700/stream, instead of one of our own. Its "
            "feeds set the rate; --flush-interval, --rate and --ticks are not used.",
        ),
        click.option(
            "--token",
            envvar="TICKER_TOKEN",
            help="For a server that asks for one; or set TICKER_TOKEN.",
        ),
        click.option(
            "--symbols-file",
            type=click.Path(path_type=Path, exists=True, dir_okay=False),
            help="With --url: symbols to subscribe to, one a line, the most popular first.  "
            "[default: those that the server lists and that have a price]",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def aimed(output: Output, options: dict[str, Any], duration: float) -> bool:
    """If --url names a running server, run the load against it and report. False: no --url."""
    url, token, symbols_file = (options.pop(each) for each in ("url", "token", "symbols_file"))
    if not url:
        if symbols_file:
            raise click.UsageError("--symbols-file goes with --url")
        return False
    from ticker.bench import running
    from ticker.bench.rig.target import Target, symbols_in

    if options["rate"] is not None or options["ticks"] is not None:
        raise click.UsageError("--url: the server's feeds set the rate, so no --rate or --ticks")
    if options["trades_by"] != "even":
        raise click.UsageError("--url: the server's own feeds trade, so no --trades-by")
    load = load_of(options)
    target = Target(url, token, symbols_in(symbols_file) if symbols_file else ())
    kept = {name: value for name, value in vars(load).items() if name in KEPT}
    parameters = {"url": url, "duration": duration, **kept}
    output.run("running", parameters, lambda: running.run(load, duration, target))
    return True
