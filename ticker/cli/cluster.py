"""`ticker cluster status`: the boxes of a cluster, as they are heard on the bus."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec
import uvloop
from rich.console import Console
from rich.table import Table

from ticker.cluster.interest import shards_of
from ticker.cluster.notice import Notice
from ticker.cluster.workers.survey import FeedHeard, Heard, Survey
from ticker.errors import ClientError, ConfigError
from ticker.supervisor.configuration import load

WIDE = 140
"""Columns where the output is no terminal."""


@click.group()
def command() -> None:
    """Look at a cluster: several boxes, and a bus between them."""


@command.command("status")
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    help="Of any box of the cluster: its table [cluster] is used.",
)
@click.option("--seconds", default=1.5, show_default=True, type=click.FloatRange(1.1))
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of tables.")
@click.option("--shards", is_flag=True, help="Show the shards that are behind, one by one.")
def status(path: Path | None, seconds: float, as_json: bool, shards: bool) -> None:
    """Show the boxes of a cluster with epochs, lag, gaps and rates.

    Each relay and bridge says once a second how it stands. LAG is the number of frames that a
    bridge has not taken yet: in the shard that is behind most, and in all of them. FOLLOWS is the
    number of shards whose changes it takes, because clients watch them. GAPS counts frames that it
    never got, LOG those that the log has not. Exit code 1: no box was heard; 4: no server of the
    bus answers."""
    cluster = load(path).bus
    if cluster is None:
        raise ConfigError("cluster: missing the table; name the configuration of a box by --config")
    found = uvloop.run(Survey(cluster).listen(seconds))
    if as_json:
        click.echo(msgspec.json.encode({name: _tree(found[name]) for name in sorted(found)}))
    else:
        console = Console()
        if not console.is_terminal:
            console.width = WIDE
        for name in sorted(found):
            _show(console, name, found[name], shards)
    if not any(feed.boxes for feed in found.values()):
        raise ClientError(
            f"no box of cluster {cluster.name!r} was heard in {seconds:g} s; do its boxes run, and "
            "have the same name and servers in [cluster]?"
        )


def _tree(feed: FeedHeard) -> dict[str, Any]:
    return {
        "epochs": sorted(feed.epochs),
        "bad_frames": feed.bad,
        "boxes": [
            {
                **msgspec.to_builtins(heard.notice),
                "follows": _followed(heard.notice),
                "lag": sum(heard.behind),
                "lag_by_shard": {str(at): lag for at, lag in enumerate(heard.behind) if lag},
            }
            for heard in _in_order(feed)
        ],
    }


def _followed(said: Notice) -> list[int] | None:
    """The shards whose deltas a bridge takes; None: all, or it is no bridge."""
    shards = shards_of(said.followed)
    return None if shards is None or said.role == "relay" else sorted(shards)


def _in_order(feed: FeedHeard) -> list[Heard]:
    """Relays first, by rank; then bridges, by name."""
    return sorted(
        feed.boxes.values(),
        key=lambda each: (each.notice.role != "relay", each.notice.rank, each.notice.box),
    )


def _show(console: Console, name: str, feed: FeedHeard, shards: bool) -> None:
    epochs = ", ".join(_epoch(each) for each in sorted(feed.epochs)) or "nobody speaks"
    bad = f"; {feed.bad} frames that are none" if feed.bad else ""
    console.print(f"feed {name}: epoch {epochs}{bad}", highlight=False)
    table = Table(box=None, header_style="bold")
    for title in (
        "box",
        "role",
        "state",
        "epoch",
        "lag",
        "follows",
        "gaps",
        "lapped",
        "dropped",
        "log",
        "per second",
    ):
        table.add_column(title, no_wrap=True)
    for heard in _in_order(feed):
        said = heard.notice
        rates = ", ".join(f"{value:.0f} {key}" for key, value in said.rates.items())
        table.add_row(
            said.box, said.role, said.state, _epoch(said.epoch), _lag(heard), _follows(said),
            str(said.gaps), str(said.lapped), str(said.dropped), _log(heard), rates,
        )  # fmt: skip
    console.print(table)
    if shards:
        for heard in _in_order(feed):
            for shard, lag in enumerate(heard.behind):
                if lag:
                    console.print(f"  {heard.notice.box} shard {shard}: {lag}", highlight=False)


def _epoch(epoch: int) -> str:
    """Its term, and the rank of its speaker."""
    return f"{epoch >> 8}.{epoch & 0xFF}" if epoch else "-"


def _log(heard: Heard) -> str:
    """What the log does for a box, with the frames that are missing in it."""
    said = heard.notice
    given = f", {said.recalled} recalled" if said.recalled else ""
    lost = f", {said.log_lost} lost" if said.log_lost else ""
    return f"{said.log}{given}{lost}" if said.log else "-"


def _follows(said: Notice) -> str:
    """The shards whose deltas a bridge takes, and the subscriptions of its clients."""
    if said.role == "relay":
        return ""
    shards = shards_of(said.followed)
    if shards is None:
        return "all"
    return f"{len(shards)}/{len(said.batches)} ({said.watchers} watch)"


def _lag(heard: Heard) -> str:
    if heard.notice.role == "relay":
        return ""
    return f"{max(heard.behind)} ({sum(heard.behind)})" if heard.behind else "-"
