"""`ticker rejects`: the trades that the filters of a running server refused or hold, and why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from ticker.shm.rejects import HELD, KEPT, RULES, RejectReader, RejectView
from ticker.supervisor.find import attached_feeds

Rejects = dict[str, dict[str, tuple[int, list[RejectView]]]]
"""By feed and rule: the count, and the newest rejects, oldest first."""


@click.command()
@click.option(
    "--config", "path", type=click.Path(path_type=Path), help="The server's configuration."
)
@click.option("--instance", help="The server's instance name, instead of the configured one.")
@click.option("--feed", "feeds", multiple=True, help="Show only this feed. Repeatable.")
@click.option(
    "--rule", "rules", multiple=True, type=click.Choice((HELD, *RULES)), help="Only this rule."
)
@click.option(
    "--last", default=10, type=click.IntRange(0, KEPT), show_default=True, help="Of each rule."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
def command(
    path: Path | None,
    instance: str | None,
    feeds: tuple[str, ...],
    rules: tuple[str, ...],
    last: int,
    as_json: bool,
) -> None:
    """Show the trades that the feeds' filters hold or have refused, newest last.

    The command reads the shared memory of a running server, without disturbing it. docs/filter.md
    explains the rules.
    """
    found: Rejects = {}
    for name, segment in attached_feeds(path, feeds, instance).items():
        reader = RejectReader(segment)
        found[name] = {
            rule: (count, shown)
            for rule, count, shown in _by_rule(reader, last)
            if count and rule in (rules or (HELD, *RULES))
        }
    click.echo(_json(found) if as_json else _table(found))


def _by_rule(reader: RejectReader, last: int) -> Iterator[tuple[str, int, list[RejectView]]]:
    held = reader.held()
    yield HELD, len(held), held[-last:] if last else []
    for rule, count in reader.counts().items():
        yield rule, count, reader.last(rule, last)


def _json(found: Rejects) -> str:
    tree = {
        feed: {
            rule: {"count": count, "last": [reject.as_json() for reject in rejects]}
            for rule, (count, rejects) in by_rule.items()
        }
        for feed, by_rule in found.items()
    }
    return msgspec.json.encode(tree).decode()


def _table(found: Rejects) -> str:
    lines = []
    for feed, by_rule in found.items():
        if not by_rule:
            lines.append(f"{feed}: nothing refused or held")
        for rule, (count, rejects) in by_rule.items():
            lines.append(f"{feed}: {count} {rule}")
            lines += [_line(reject) for reject in rejects]
    return "\n".join(lines)


def _line(reject: RejectView) -> str:
    said = reject.as_json()
    return (
        f"  {said['exchange_timestamp']}  {reject.symbol or '-':8}  {said['price']:>14}  "
        f"{said['size']:>10}  {reject.detail}"
    )
