"""Captures of a simulated day in Pillar, through the pipeline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ticker.cli import main
from ticker.feeds.transports.pcap import Capture
from ticker.simulate.speakers.pillar import PillarMarket, XdpWriter

MIDNIGHT = 1_767_589_200_000_000_000  # 2026-01-05 in New York
CHANNELS = ("224.0.59.1:11001", "224.0.59.2:11002", "224.0.59.3:11003")
LINES_B = ("224.0.75.1:11001", "224.0.75.2:11002", "224.0.75.3:11003")


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def run(*arguments: str | Path) -> str:
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def simulate(path: Path, *options: str) -> None:
    run("simulate", "pillar", "--output", path, "--symbols", "30", "--messages", "20k",
        "--channels", "3", *options)  # fmt: skip


def replay(path: Path, *options: str, protocol: str = "pillar") -> dict[str, Any]:
    report: dict[str, Any] = json.loads(
        run("replay", path, "--protocol", protocol, "--json", *options)
    )
    return report


@pytest.mark.slow
def test_says_what_itch_says_of_the_same_day(tmp_path: Path) -> None:
    """The book and the trades are the market's in every protocol: to the last field."""
    simulate(tmp_path / "day.pcap")
    run("simulate", "itch", "--output", tmp_path / "itch.pcap", "--symbols", "30",
        "--messages", "20k")  # fmt: skip
    report = replay(tmp_path / "day.pcap", "--raw")
    itch = replay(tmp_path / "itch.pcap", "--raw", protocol="itch50")
    assert report["gaps"] == 0
    for name in ("bad_packets", "short_messages", "unknown_types", "unknown_symbols",
                 "unknown_orders", "bad_orders"):  # fmt: skip
        assert name not in report["counters"]
    for row in report["symbols"].values():
        # Pillar's index mapping says it, ITCH's directory does not.
        assert row["previous_close"] is not None
        row["previous_close"] = None
    assert report["symbols"] == itch["symbols"]


@pytest.mark.slow
def test_two_lossy_lines_lose_nothing_that_one_of_them_has(tmp_path: Path) -> None:
    simulate(tmp_path / "whole.pcap")
    simulate(tmp_path / "lossy.pcap", "--lines", "2", "--loss", "1%", "--seed", "1")
    whole = replay(tmp_path / "whole.pcap")
    options = [f"--channel={a},{b}" for a, b in zip(CHANNELS, LINES_B, strict=True)]
    lossy = replay(tmp_path / "lossy.pcap", *options)
    assert lossy["counters"]["duplicate_messages"] > 0
    assert lossy["packets"] < 2 * whole["packets"] - 5
    assert "lost_messages" not in lossy["counters"]
    assert lossy["symbols"] == whole["symbols"]


@pytest.mark.slow
def test_replay_reads_the_channels_that_are_named(tmp_path: Path) -> None:
    simulate(tmp_path / "day.pcap", "--lines", "2")
    whole = replay(tmp_path / "day.pcap", *(f"--channel={a}" for a in CHANNELS))
    one = replay(tmp_path / "day.pcap", "--channel", CHANNELS[1])
    assert len(whole["symbols"]) == 30
    assert len(one["symbols"]) == 10
    assert {symbol: whole["symbols"][symbol] for symbol in one["symbols"]} == one["symbols"]


def test_channels_are_named_as_addresses_and_for_captures_only(tmp_path: Path) -> None:
    simulate(tmp_path / "day.pcap")
    for channel, reason in (
        ("224.0.59.1", "no address and port"),
        ("a:1,b:2,c:3", "3 lines"),
    ):
        result = invoke("replay", tmp_path / "day.pcap", "--protocol=pillar", "--channel", channel)
        assert result.exit_code != 0
        assert reason in str(result.exception) + result.output
    result = invoke("replay", "x", "--protocol=itch50", "--session=binaryfile", "--channel=a:1")
    assert "only for packet captures" in str(result.exception) + result.output


def test_packets_are_numbered_by_channel_and_begin_with_a_reset(tmp_path: Path) -> None:
    simulate(tmp_path / "day.pcap")
    following: dict[tuple[str, int], int] = {}
    capture = Capture(tmp_path / "day.pcap")
    before = 0
    for payload, time, _ in capture:
        size = int.from_bytes(payload[:2], "little")
        flag, count = payload[2], payload[3]
        sequence = int.from_bytes(payload[4:8], "little")
        assert size == len(payload) <= 1400
        expected = following.get(capture.destination)
        assert (flag, sequence) == ((12, 1) if expected is None else (11, expected))
        following[capture.destination] = sequence + count
        assert time >= before
        before = time
    assert len(following) == 3
    assert f"{min(following)[0]}:{min(following)[1]}" == CHANNELS[0]


def test_one_seed_is_one_stream_and_bad_numbers_are_refused() -> None:
    def generated() -> bytes:
        market = PillarMarket(10, 3, messages=3000, midnight=MIDNIGHT, channels=2)
        buffer = bytearray(1 << 20)
        messages, used = market.generate(10**9, buffer)
        assert messages > 3000
        assert market.generate(10, buffer) == (0, 0)
        return bytes(buffer[:used])

    assert generated() == generated()
    with pytest.raises(ValueError, match="at least"):
        PillarMarket(500, 1, messages=100, midnight=0, channels=1)
    with pytest.raises(ValueError, match="65 channels"):
        PillarMarket(10, 1, messages=3000, midnight=0, channels=65)
    with pytest.raises(ValueError, match="at least 512"):
        PillarMarket(10, 3, messages=3000, midnight=0, channels=1).generate(1, bytearray(511))
    assert XdpWriter([[("224.0.59.1", 1)]], MIDNIGHT, 0.0, 1).cut(bytearray()) == b""
