"""`ticker init`: a configuration to start from."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ticker.cli.init.starters import (
    SIMULATED,
    VENDORS,
    Access,
    itch_text,
    server_text,
    variables_of,
    vendor_text,
)
from ticker.config import parse
from ticker.errors import ConfigError
from ticker.feeds.workers.known import name_problems

ITCH, SIMULATOR = "itch", "simulated"


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), default="ticker.toml")
@click.option("--alpaca", is_flag=True, help="Alpaca, US stocks.")
@click.option("--polygon", is_flag=True, help="Polygon, US stocks.")
@click.option("--finnhub", is_flag=True, help="Finnhub, US stocks.")
@click.option("--coinbase", is_flag=True, help="Coinbase, cryptocurrencies.")
@click.option("--kraken", is_flag=True, help="Kraken, cryptocurrencies.")
@click.option("--binance", is_flag=True, help="Binance, cryptocurrencies.")
@click.option("--simulated", is_flag=True, help="A simulated exchange, for a first try.")
@click.option(
    "--itch",
    "lines",
    multiple=True,
    help="A line of Nasdaq ITCH, group:port; repeat it for line B.",
)
@click.option("--interface", default="127.0.0.1", help="Address of the network card for ITCH.")
@click.option("--rerequest", help="Re-request server of ITCH, host:port.")
@click.option("--symbols", help="Symbols of the vendors, separated by commas.")
@click.option("--port", default=8700, show_default=True, type=click.IntRange(1, 65_535))
@click.option("--public-url", help="Address for clients behind a proxy: https://desk.example")
@click.option("--proxy", help="The proxy's address.  [default: 127.0.0.1]")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
def command(
    file: Path,
    simulated: bool,
    lines: tuple[str, ...],
    interface: str,
    rerequest: str | None,
    symbols: str | None,
    port: int,
    public_url: str | None,
    proxy: str | None,
    force: bool,
    **chosen: bool,
) -> None:
    """Write a configuration to FILE (ticker.toml), from options or, without any, from questions.

    Secrets are not written: the file names the environment variables that hold them.
    """
    if file.exists() and not force:
        raise click.UsageError(f"{file} is there already; --force writes over it")
    vendors = tuple(name for name in VENDORS if chosen[name])
    wanted = [each.strip() for each in (symbols or "").split(",") if each.strip()]
    if not (vendors or simulated or lines):
        vendors, simulated, lines, interface, wanted = _ask(wanted)
    text = server_text(Access(port, public_url, proxy))
    for name in vendors:
        text += vendor_text(name, wanted)
    if lines:
        text += itch_text(lines, interface, rerequest)
    text += SIMULATED if simulated else ""
    try:
        parse(text, check=name_problems)
    except ConfigError as error:
        raise ConfigError(f"not written: {error}") from None
    file.write_text(text, encoding="utf-8")
    click.echo(f"{file} is written. Next:")
    for variable in variables_of(vendors):
        click.echo(f"  export {variable}=...")
    click.echo(f"  ticker check --config {file}\n  ticker serve --config {file}")


def _ask(wanted: list[str]) -> tuple[tuple[str, ...], bool, tuple[str, ...], str, list[str]]:
    """Ask for vendors, simulation, lines, interface and symbols."""
    if not sys.stdin.isatty():
        raise click.UsageError("name a feed, like --alpaca, --itch GROUP:PORT or --simulated")
    for name, vendor in VENDORS.items():
        click.echo(f"  {name:<10} {vendor.title}")
    click.echo(f"  {ITCH:<10} Nasdaq ITCH 5.0 by multicast\n  {SIMULATOR:<10} to try things with")
    choices = click.Choice([*VENDORS, ITCH, SIMULATOR])
    kind = click.prompt("Which feed", type=choices, default=SIMULATOR, show_choices=False)
    if kind == SIMULATOR:
        return (), True, (), "127.0.0.1", wanted
    if kind == ITCH:
        said = click.prompt("Its lines, group:port, A and B", type=str)
        interface = click.prompt("The address of the interface that they come in by", type=str)
        return (), False, tuple(said.replace(",", " ").split()), interface, wanted
    usual = ",".join(VENDORS[kind].symbols)
    said = click.prompt("Symbols, separated by commas", default=",".join(wanted) or usual)
    return (kind,), False, (), "127.0.0.1", [each.strip() for each in said.split(",")]
