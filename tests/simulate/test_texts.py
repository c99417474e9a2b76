"""A simulated day in FIX and in JSON: the same market as in ITCH."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ticker.cli import main
from ticker.feeds.fix.fields import frame

pytestmark = pytest.mark.slow

DAY = ("--symbols", "30", "--messages", "20k")


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def replay(path: Path, *options: str) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(run("replay", path, "--json", "--raw", *options))
    return report


@pytest.fixture(scope="module")
def itch(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("itch") / "day.itch"
    run("simulate", "itch", "--output", path, *DAY)
    return replay(path, "--protocol", "itch50", "--session", "binaryfile", "--date", "2026-01-05")


def test_fix_says_what_itch_says(tmp_path: Path, itch: dict[str, Any]) -> None:
    """Every figure but the trading state and times below a millisecond."""
    run("simulate", "fix", "--output", tmp_path / "day.fix", *DAY)
    report = replay(tmp_path / "day.fix", "--protocol", "fix")
    assert report["gaps"] == 0
    for name in ("bad_packets", "bad_records", "unknown_types", "unknown_orders"):
        assert name not in report["counters"]
    assert set(report["symbols"]) == set(itch["symbols"])
    for symbol, wanted in itch["symbols"].items():
        found = report["symbols"][symbol]
        assert found["exchange_timestamp"][:23] == wanted["exchange_timestamp"][:23]
        for name in wanted.keys() - {"status", "exchange_timestamp"}:
            assert found[name] == wanted[name], (symbol, name)


def test_json_says_what_itch_says(tmp_path: Path, itch: dict[str, Any]) -> None:
    """Trades and best prices with their sizes. A trade that is broken stays: Polygon has no message
    for it."""
    run("simulate", "json", "--output", tmp_path / "day.json", *DAY)
    report = replay(tmp_path / "day.json", "--protocol", "json", "--mapping", "polygon")
    assert not {"bad_texts", "bad_records", "unknown_types"} & set(report["counters"])
    assert set(report["symbols"]) == set(itch["symbols"])
    for symbol, wanted in itch["symbols"].items():
        found = report["symbols"][symbol]
        for name in ("bid", "bid_size", "ask", "ask_size", "volume", "trades"):
            assert found[name] == wanted[name], (symbol, name)


def test_every_fix_frame_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "day.fix"
    run("simulate", "fix", "--output", path, *DAY)
    data, at, numbers = path.read_bytes(), 0, 0
    while at < len(data):
        found = frame(data[at:][:2000])
        assert found is not None
        numbers += 1
        assert b"\x0134=%d\x01" % numbers in found[1]
        at = data.index(b"\x0110=", at) + 8
    assert numbers > 20_000


def test_the_same_seed_gives_the_same_file(tmp_path: Path) -> None:
    for protocol in ("fix", "json"):
        paths = [tmp_path / f"{name}.{protocol}" for name in ("one", "two")]
        for path in paths:
            run("simulate", protocol, "--output", path, *DAY, "--seed", "7")
        assert paths[0].read_bytes() == paths[1].read_bytes()
