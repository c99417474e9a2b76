"""`ticker rejects`: what the filters of a running server refused, and why."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from ticker.errors import ConfigError
from ticker.shm.header import KIND_FEED
from ticker.shm.rejects import KEPT, RULES, RejectReader, RejectView
from ticker.shm.segment import attach, feed_name
from ticker.supervisor.configuration import load

Rejects = dict[str, dict[str, tuple[int, list[RejectView]]]]
"""By feed and rule: how many, and the newest, oldest first."""


@click.command()
@click.option("--config", "path", type=click.Path(path_type=Path), help="Its configuration.")
@click.option("--instance", help="Its instance name, instead of the configuration's.")
@click.option("--feed", "feeds", multiple=True, help="Only this feed; may be given again.")
@click.option("--rule", "rules", multiple=True, type=click.Choice(RULES), help="Only this rule.")
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
    """Show the trades that the feeds' filters refused, newest last.

    Reads the shared memory of a running server, which does not notice. docs/filter.md says what
    the rules are.
    """
    config = load(path)
    known = [feed.name for feed in config.feeds]
    for name in feeds:
        if name not in known:
            raise ConfigError(f"--feed {name}: no such feed; known: {', '.join(known) or 'none'}")
    found: Rejects = {}
    for name in feeds or known:
        segment = feed_name(instance or config.server.instance, name)
        reader = RejectReader(attach(segment, KIND_FEED))
        counts = reader.counts()
        found[name] = {
            rule: (counts[rule], reader.last(rule, last)) for rule in rules or RULES if counts[rule]
        }
    click.echo(_json(found) if as_json else _table(found))


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
            lines.append(f"{feed}: nothing refused")
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
