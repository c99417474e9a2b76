"""`ticker gaps`: read by another process while a feed serves."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ticker.cli import main
from ticker.errors import NoServerError
from ticker.shm.gaps import GapLedger
from ticker.shm.header import KIND_FEED
from ticker.shm.segment import SHM_FOLDER, Geometry, attach, create_feed, feed_name, remove
from ticker.supervisor.names import take_name

E9 = 1_000_000_000
DEAD = f"dead{os.getpid()}"
CONFIG = """
[[feeds]]
name = "one"
protocol = "pitch"
venue = "BATS"
lines = ["239.192.0.1:26477"]
[[feeds]]
name = "two"
protocol = "itch50"
venue = "XBOS"
lines = ["239.192.0.3:26477"]
"""


@pytest.fixture
def instance() -> Iterator[str]:
    """Two feeds' segments; the first has missed numbers of unit 3 twice."""
    name = f"gaps{os.getpid()}"
    segments = [feed_name(name, feed) for feed in ("one", "two")]
    try:
        for segment in segments:
            create_feed(segment, Geometry(rows=4, rings=1, ring_capacity=8), 7, 1)
        ledger = GapLedger(attach(segments[0], KIND_FEED, writable=True))
        first = ledger.found_from_python(5, 9, E9, channel=3)
        ledger.requested_from_python(first)
        ledger.became_from_python(first, "recovered", 4, 2 * E9)
        ledger.became_from_python(
            ledger.found_from_python(100, 111, 2 * E9, line=1, channel=3),
            "lost_upstream",
            6,
            3 * E9,
        )
        with take_name(name):
            yield name
    finally:
        for segment in segments:
            remove(segment)


def written(folder: Path) -> Path:
    config = folder / "ticker.toml"
    config.write_text(CONFIG)
    return config


def gaps(tmp_path: Path, instance: str, *options: str) -> Result:
    arguments = ["gaps", "--config", str(written(tmp_path)), "--instance", instance, *options]
    return CliRunner().invoke(main, arguments)


def test_table(tmp_path: Path, instance: str) -> None:
    assert gaps(tmp_path, instance).output.splitlines() == [
        "one: 2 gaps, 15 missing, 4 recovered, 6 lost upstream, 5 open, 1 requests",
        "  1970-01-01T00:00:01.000000Z  5-8 channel 3  line a  filled: 4 missing, 4 recovered, "
        "1 requests",
        "  1970-01-01T00:00:02.000000Z  100-110 channel 3  line b  open: 11 missing, "
        "6 lost upstream, 5 open",
        "two: 0 gaps, 0 missing",
    ]


def test_a_server_that_was_killed_is_none(tmp_path: Path, instance: str) -> None:
    """Its segments are there, and nobody has its name."""
    for feed in ("one", "two"):
        left = SHM_FOLDER / feed_name(DEAD, feed).lstrip("/")
        (SHM_FOLDER / feed_name(instance, feed).lstrip("/")).rename(left)
    try:
        for command in (["gaps"], ["rejects"], ["lineage", "AAPL"]):
            arguments = [*command, "--config", str(written(tmp_path)), "--instance", DEAD]
            done = CliRunner().invoke(main, arguments)
            assert done.exit_code == NoServerError.exit_code, command
            assert f"no server runs as instance '{DEAD}'" in done.output
    finally:
        for feed in ("one", "two"):
            remove(feed_name(DEAD, feed))


def test_json_of_one_feed(tmp_path: Path, instance: str) -> None:
    found = json.loads(gaps(tmp_path, instance, "--feed", "one", "--last", "1", "--json").output)
    assert list(found) == ["one"]
    assert (found["one"]["gaps"], found["one"]["open"]) == (2, 5)
    assert [(gap["first"], gap["channel"]) for gap in found["one"]["last"]] == [(100, 3)]


def test_an_unknown_feed_is_refused_by_name(tmp_path: Path, instance: str) -> None:
    refused = gaps(tmp_path, instance, "--feed", "three")
    assert refused.exit_code != 0
    assert "--feed three: no such feed; known: one, two" in refused.output
