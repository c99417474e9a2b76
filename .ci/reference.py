"""Writes the pages of reference that are made from the source: configuration, commands, errors,
metrics.

    .venv/bin/python .ci/reference.py docs

tests/docs/test_reference.py holds the pages to this.
"""

from __future__ import annotations

import inspect as of_python
import mmap
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec
from msgspec import inspect

from ticker import errors
from ticker.cli import main
from ticker.config import Config
from ticker.gateway.rest.metrics import Metrics
from ticker.gateway.rest.status import Status
from ticker.shm.counters import Heartbeat
from ticker.shm.header import (
    KIND_MIRROR,
    KIND_RECORDER,
    KIND_RELAY,
    KIND_STORE,
    Mapping,
    segment_size,
)
from ticker.shm.segment import Geometry, private_feed, private_gateway

MADE = "<!-- made by .ci/reference.py from {}; do not edit -->"
CONFIGURATION = f"""\
{MADE.format("the types of ticker/config")}
# The configuration

A server reads one file in TOML: `ticker serve --config ticker.toml`. A key that is left out has
its default. `ticker check` prints all faults of a file at once, each with the path of its key, and
`ticker check --effective` prints the file with its defaults. `ticker reload` applies most changes
to a running server; it says which of them wait for a restart ([operations.md](operations.md)).

"needed" stands where there is no default. A dash stands for a key that may be absent.
"""
COMMANDS = f"""\
{MADE.format("ticker/cli")}
# The commands

Commands that ask a server end with 0 for success, 1 when nothing usable came, 2 for wrong usage, 3
for a refused configuration, and 4 when there is no server ([errors.md](errors.md)).
"""
ERRORS = f"""\
{MADE.format("ticker/errors.py")}
# Errors

A message says what is wrong, where, and what to do next. Programs go by its code:

- by the exit code of a command, below;
- by the `code` of a refusal over HTTP: [rest.md](rest.md#refusals);
- by the code of an `error` on the stream, and of its end: [protocol.md](protocol.md#error-codes);
- by the classes of errors of the [Python](../clients/python/README.md) and
  [TypeScript](../clients/typescript/README.md) clients.

## Exit codes

| code | class | means |
| --- | --- | --- |
| 0 | | the command has done its work |
| 2 | | the command does not take these arguments |
"""


METRICS = f"""\
{MADE.format("a server with one of each worker")}
# Metrics

`/metrics` has these, for the whole box, as Prometheus and OpenMetrics have them. A worker that a
server does not run has no metrics. The alerts and the dashboard that are made of them are in
[operations.md](operations.md#metrics-and-alerts).

| metric | kind | labels | means |
| --- | --- | --- | --- |
"""


def configuration() -> str:
    """docs/configuration.md: every table of ticker.toml."""
    return "\n".join([CONFIGURATION, *_tables(Config, "")])


def _tables(struct: type, path: str) -> Iterator[str]:
    """The table of a struct, and those below it."""
    found = inspect.type_info(struct)
    assert isinstance(found, inspect.StructType)
    below = [(field, _section(field.type)) for field in found.fields]
    keys = [field for field, section in below if section is None]
    if path:
        yield f"## [{path}]\n" if not path.startswith("[") else f"## {path}\n"
        yield f"{_words(struct)}\n"
    else:
        yield "## Lists of symbols\n"
        keys = [field for field in keys if field.encode_name == "watchlists"]
    if keys:
        yield "| key | value | default |\n| --- | --- | --- |"
        yield "\n".join(_row(field) for field in keys) + "\n"
    for field, section in below:
        if section is not None:
            inner, many = section
            name = f"{path.strip('[]')}.{field.encode_name}".lstrip(".")
            yield from _tables(inner, f"[[{name}]]" if many else name)


def _section(kind: inspect.Type) -> tuple[type, bool] | None:
    """The struct of a value that is a table, and whether there may be several; None: it is none."""
    for part in _parts(kind):
        if isinstance(part, inspect.StructType):
            return part.cls, False
        if isinstance(part, inspect.VarTupleType) and isinstance(
            part.item_type, inspect.StructType
        ):
            return part.item_type.cls, True
    return None


def _row(field: inspect.Field) -> str:
    return f"| `{field.encode_name}` | {_value(field.type)} | {_default(field)} |"


def _default(field: inspect.Field) -> str:
    if field.required:
        return "needed"
    value = field.default
    if value is msgspec.NODEFAULT:
        value = field.default_factory() if callable(field.default_factory) else None
    if value is None:
        return "–"
    text = msgspec.json.encode(value).decode()
    return f"`{text}`".replace("|", "\\|")


def _parts(kind: inspect.Type) -> list[inspect.Type]:
    """The types of a union, without the absence of a value."""
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    if isinstance(kind, inspect.UnionType):
        return [part for each in kind.types for part in _parts(each)]
    return [] if isinstance(kind, inspect.NoneType) else [kind]


def _value(kind: inspect.Type) -> str:
    return " or ".join(_one(part) for part in _parts(kind))


def _one(kind: Any) -> str:
    if isinstance(kind, inspect.LiteralType):
        return ", ".join(f'`"{value}"`' for value in kind.values)
    if isinstance(kind, inspect.VarTupleType | inspect.ListType):
        return f"list of: {_value(kind.item_type)}{_length(kind)}"
    if isinstance(kind, inspect.DictType):
        return f"table of: {_value(kind.value_type)}"
    if isinstance(kind, inspect.BoolType):
        return "`true`, `false`"
    if isinstance(kind, inspect.StrType):
        return f"text like `{kind.pattern}`".replace("|", "\\|") if kind.pattern else "text"
    name = {inspect.IntType: "whole number", inspect.FloatType: "number"}.get(type(kind))
    if name is None:
        raise TypeError(f"{kind}: say how the page has it")
    return f"{name}{_bounds(kind)}"


def _length(kind: Any) -> str:
    words = []
    if kind.min_length:
        words.append(f"at least {kind.min_length}")
    if kind.max_length:
        words.append(f"at most {kind.max_length}")
    return f" ({', '.join(words)})" if words else ""


def _bounds(kind: Any) -> str:
    words = [
        f"{sign} {value}"
        for sign, value in (
            (">", kind.gt), ("≥", kind.ge), ("<", kind.lt), ("≤", kind.le),
        )
        if value is not None
    ]  # fmt: skip
    return f" {', '.join(words)}" if words else ""


def _words(of: Any) -> str:
    """A docstring in lines of its own length, without the markup of Sphinx."""
    return re.sub(r"``", "`", of_python.cleandoc(of.__doc__ or ""))


def commands() -> str:
    """docs/cli.md: every command with its options."""
    context = click.Context(main, info_name="ticker")
    return "\n".join([COMMANDS, *_commands(main, context)])


def _commands(group: click.Group, context: click.Context) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        inner = click.Context(command, info_name=name, parent=context)
        if isinstance(command, click.Group):
            yield from _commands(command, inner)
            continue
        usage = " ".join(command.collect_usage_pieces(inner))
        yield f"## {inner.command_path}\n"
        yield f"`{inner.command_path} {usage}`\n".replace(" `", "`")
        yield f"{of_python.cleandoc(command.help or '').replace(chr(8), '').strip()}\n"
        options = [
            record
            for parameter in command.params
            if isinstance(parameter, click.Option)
            and (record := parameter.get_help_record(inner)) is not None
        ]
        if options:
            yield "| option | meaning |\n| --- | --- |"
            yield "\n".join(f"| `{_cell(one)}` | {_cell(text)} |" for one, text in options) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def exit_codes() -> str:
    """docs/errors.md: every error with its exit code."""
    classes = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.TickerError)
    ]
    rows = [
        f"| {kind.exit_code} | `{kind.__name__}` | {_cell(_words(kind).split('Attributes:')[0])} |"
        for kind in sorted(classes, key=lambda kind: kind.exit_code)
    ]
    return ERRORS + "\n".join(rows) + "\n"


def metrics() -> str:
    """docs/metrics.md: every metric of a server with one of each worker."""
    body, _ = Metrics(_one_of_each()).render()
    found: dict[str, list[str]] = {}
    labels: dict[str, set[str]] = {}
    for line in body.decode().splitlines():
        words = line.split(" ", 3)
        if words[:2] == ["#", "HELP"]:
            found[words[2]] = [words[3]]
        elif words[:2] == ["#", "TYPE"]:
            found[words[2]].insert(0, words[3])
        else:
            name = re.sub(r"_(bucket|sum|count|created)$", "", re.split(r"[{ ]", line)[0])
            labels.setdefault(name, set()).update(set(re.findall(r"[{,](\w+)=", line)) - {"le"})
    rows = [
        f"| `{name}` | {kind} | {', '.join(sorted(labels.get(name, ())))} | {_cell(text)} |"
        for name, (kind, text) in found.items()
        if kind != "gauge" or not name.endswith("_created")
    ]
    return METRICS + "\n".join(rows) + "\n"


def _one_of_each() -> Status:
    feed, gateway = private_feed(Geometry(8, 1, 8), 1, 1), private_gateway(1)
    kinds = (KIND_STORE, KIND_RECORDER, KIND_RELAY, KIND_MIRROR)
    store, recorder, relay, mirror = map(_worker, kinds)
    for mapping in (feed, gateway, store, recorder, relay, mirror):
        Heartbeat(mapping).take_over(os.getpid(), time.time_ns())
    Heartbeat(feed).heard(time.time_ns())
    others = {"store": store, "recorder": recorder, "relay": relay, "mirror": mirror}
    return Status([("f", feed)], [("0", gateway)], version="1", epoch=1, **others)


def _worker(kind: int) -> Mapping:
    mapping = Mapping(mmap.mmap(-1, segment_size(kind)), True)
    mapping.format(kind, 1, 1)
    return mapping


PAGES = {
    "configuration.md": configuration,
    "cli.md": commands,
    "errors.md": exit_codes,
    "metrics.md": metrics,
}


if __name__ == "__main__":
    for page, made in PAGES.items():
        (Path(sys.argv[1]) / page).write_text(made(), encoding="utf-8")
