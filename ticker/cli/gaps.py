"""`ticker gaps`: the sequence numbers that a server's feeds missed, with their outcome."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from ticker.shm.gap_view import GapView
from ticker.shm.gaps import KEPT, GapReader
from ticker.supervisor.find import attached_feeds

Found = dict[str, tuple[GapView, list[GapView]]]
"""By feed: the sums, and the newest gaps, the oldest of them first."""


@click.command()
@click.option("--config", "path", type=click.Path(path_type=Path), help="Its configuration.")
@click.option("--instance", help="The server's instance name, instead of the configured one.")
@click.option("--feed", "feeds", multiple=True, help="Show only this feed. Repeatable.")
@click.option(
    "--last", default=10, type=click.IntRange(0, KEPT), show_default=True, help="Of each feed."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
def command(
    path: Path | None, instance: str | None, feeds: tuple[str, ...], last: int, as_json: bool
) -> None:
    """Show the sequence numbers that the feeds missed, with their outcome, newest last.

    The command reads the shared memory of a running server, without disturbing it. docs/gaps.md
    explains the columns.
    """
    found: Found = {}
    for name, segment in attached_feeds(path, feeds, instance).items():
        reader = GapReader(segment)
        found[name] = reader.sums(), reader.last(last)
    click.echo(_json(found) if as_json else _table(found))


def _json(found: Found) -> str:
    tree = {
        feed: {"gaps": sums.number, **sums.sums(), "last": [gap.as_json() for gap in last]}
        for feed, (sums, last) in found.items()
    }
    return msgspec.json.encode(tree).decode()


def _table(found: Found) -> str:
    lines = []
    for feed, (sums, last) in found.items():
        lines.append(f"{feed}: {sums.number} gaps, {_became(sums)}")
        lines += [_line(gap) for gap in last]
    return "\n".join(lines)


def _line(gap: GapView) -> str:
    said = gap.as_json()
    channel = f" channel {gap.channel}" if gap.channel >= 0 else ""
    return (
        f"  {said['detected_timestamp']}  {said['first']}-{said['last']}{channel}  "
        f"line {gap.line}  {gap.state}: {_became(gap)}"
    )


def _became(gap: GapView) -> str:
    """The counts that are not 0."""
    sums = gap.sums()
    missing = sums.pop("missing")
    said = [f"{count} {name.replace('_', ' ')}" for name, count in sums.items() if count]
    return ", ".join([f"{missing} missing", *said])
