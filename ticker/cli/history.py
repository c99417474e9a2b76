"""`ticker history`: the days and minute bars of a symbol, from what the store keeps."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import msgspec

from ticker.config.store import store_folder, without_password
from ticker.errors import ClientError, StoreError
from ticker.store.past import Reader, read_days, read_minutes, reader_of
from ticker.store.rows import Row
from ticker.supervisor.configuration import load
from ticker.units import format_price

PRICES = ("open", "high", "low", "close", "official_open", "official_close", "previous_close")
NS = 1_000_000_000


@click.command()
@click.argument("symbol")
@click.option(
    "--days", type=click.IntRange(1), help="Number of days.  [default: 5; with --minutes: 1]"
)
@click.option("--minutes", is_flag=True, help="Print minute bars instead of days.")
@click.option("--venue", help="The figures of one venue, by its market identifier code.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json", "parquet"]),
    default="table",
    show_default=True,
)
@click.option("--output", type=click.Path(path_type=Path), help="Write to this file.")
@click.option("--config", "path", type=click.Path(path_type=Path), help="The server's file.")
def command(
    symbol: str,
    days: int | None,
    minutes: bool,
    venue: str | None,
    form: str,
    output: Path | None,
    path: Path | None,
) -> None:
    """Print the days or minute bars of SYMBOL from the store: the files on this machine, or the
    database of [store] url.

    No running server is needed. Exit code 1: the store has nothing of the symbol.
    """
    config = load(path)
    folder = store_folder(config.store, config.server.instance)
    if folder is None:
        raise StoreError("[store] is switched off in this configuration, so nothing is kept")
    reader = reader_of(config.store, folder)
    if minutes:
        rows = list(_minutes(reader, symbol, days or 1, venue))
    else:
        rows = [_shown(row) for row in read_days(reader, symbol, days or 5, venue)]
    if not rows:
        where = folder if config.store.url is None else without_password(config.store.url)
        raise ClientError(f"{where}: nothing is kept of {symbol}; see `ticker symbols`")
    write = FORMATS[form]
    if output is None and form == "parquet":
        raise click.UsageError("name a file with --output for Parquet")
    content = write(rows)
    if output is not None:
        output.write_bytes(content)
    else:
        click.echo(content.decode(), nl=False)


def _minutes(reader: Reader, symbol: str, days: int, venue: str | None) -> Iterable[Row]:
    """The bars of the newest `days` days that have any; a bar in a hole is not complete."""
    end = datetime.now(UTC).date() + timedelta(days=2)
    begin = _newest(reader, symbol, days, venue)
    first, last = _seconds(begin), _seconds(end)
    holes = reader.holes(first * NS, last * NS)
    for row in read_minutes(reader, symbol, first, last, venue):
        start = row["minute"] * NS
        complete = not any(hole.touches(start, start + 60 * NS) for hole in holes)
        yield _shown({**row, "complete": complete})


def _newest(reader: Reader, symbol: str, days: int, venue: str | None) -> date:
    found = read_days(reader, symbol, days, venue)
    return date.fromisoformat(found[0]["day"]) if found else date(1970, 1, 1)


def _seconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def _shown(row: Row) -> Row:
    """A row for people: prices and shares in decimals, times in ISO 8601."""
    exponent = row.pop("size_exponent")
    row.pop("open_time", None)
    row.pop("close_time", None)
    notional = row.pop("notional", None)
    for name in PRICES:
        if row.get(name) is not None:
            row[name] = Decimal(format_price(row[name]))
    if notional is not None:
        volume = row["volume"]
        vwap = Decimal(notional) / (volume * Decimal(NS)) if volume else None
        row["vwap"] = None if vwap is None else round(vwap, 9)
        row["exact"] = bool(row["exact"])
    if "minute" in row:
        row["minute"] = datetime.fromtimestamp(row["minute"], UTC).strftime("%Y-%m-%dT%H:%MZ")
    row["volume"] = Decimal(row["volume"]).scaleb(-exponent) if exponent else row["volume"]
    return row


def _table(rows: list[Row]) -> bytes:
    names = list(rows[0])
    lines = [names, *([_text(row[name]) for name in names] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(names))]
    return "".join(
        "  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True)) + "\n"
        for line in lines
    ).encode()


def _csv(rows: list[Row]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(rows[0])
    writer.writerows([_text(value) for value in row.values()] for row in rows)
    return out.getvalue().encode()


def _json(rows: list[Row]) -> bytes:
    encoded = msgspec.json.Encoder(decimal_format="number").encode(rows)
    return msgspec.json.format(encoded, indent=2) + b"\n"


def _parquet(rows: list[Row]) -> bytes:
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError:
        raise StoreError("Parquet needs pyarrow: pip install 'ticker[parquet]'") from None
    out = io.BytesIO()
    price = arrow.decimal128(38, 9)
    kinds: dict[str, Any] = dict.fromkeys((*PRICES, "vwap", "volume"), price)
    columns = {name: arrow.array([row[name] for row in rows], kinds.get(name)) for name in rows[0]}
    parquet.write_table(arrow.table(columns), out, compression="zstd")
    return out.getvalue()


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else f"{value:f}" if isinstance(value, Decimal) else str(value)


FORMATS: dict[str, Callable[[list[Row]], bytes]] = {
    "table": _table,
    "csv": _csv,
    "json": _json,
    "parquet": _parquet,
}
