"""Captures of a simulated day in TOPS and DEEP, through the pipeline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ticker.cli import main
from ticker.feeds.transports.pcap import blocks
from ticker.simulate.lines.capture import write_pcap
from ticker.simulate.speakers.iex import IexMarket, IexTpWriter

MIDNIGHT = 1_767_589_200_000_000_000  # 2026-01-05 in New York
LINES = [("233.215.21.3", 10377), ("233.215.21.131", 10378)]


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def simulate(path: Path, protocol: str, *options: str) -> None:
    run("simulate", protocol, "--output", path, "--symbols", "30", "--messages", "20k", *options)


def replay(path: Path, protocol: str, *options: str) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(
        run("replay", path, "--protocol", protocol, "--json", *options)
    )
    return report


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["tops", "deep"])
def test_says_what_itch_says_of_the_same_day(tmp_path: Path, protocol: str) -> None:
    """The book and the trades that count are the market's in every protocol."""
    simulate(tmp_path / "day.pcap", protocol)
    report = replay(tmp_path / "day.pcap", protocol, "--raw")
    run("simulate", "itch", "--output", tmp_path / "itch.pcap", "--symbols", "30",
        "--messages", "20k")  # fmt: skip
    itch = replay(tmp_path / "itch.pcap", "itch50", "--raw")
    assert report["gaps"] == 0
    for name in ("bad_packets", "short_messages", "unknown_types", "unknown_symbols"):
        assert name not in report["counters"]
    assert set(report["symbols"]) == set(itch["symbols"])
    for symbol, wanted in itch["symbols"].items():
        found = report["symbols"][symbol]
        # IEX's directory says it, ITCH's does not.
        assert found["previous_close"] is not None
        del wanted["previous_close"]
        assert {name: found[name] for name in wanted} == wanted, symbol


@pytest.mark.slow
def test_two_lossy_lines_lose_nothing_that_one_of_them_has(tmp_path: Path) -> None:
    simulate(tmp_path / "whole.pcap", "deep")
    simulate(tmp_path / "lossy.pcap", "deep", "--lines", "2", "--loss", "0.5%")
    whole, lossy = (replay(tmp_path / f"{name}.pcap", "deep") for name in ("whole", "lossy"))
    assert lossy["counters"]["duplicate_messages"] > 0
    if "lost_messages" not in lossy["counters"]:
        assert lossy["symbols"] == whole["symbols"]


def test_a_level_update_in_transition_is_followed_by_its_completion() -> None:
    framed, messages = generated("deep")
    assert messages > 1000
    kinds = [(message[0], message[1], message[10:18]) for message in split(framed)]
    open_events = [
        index for index, (kind, flag, _) in enumerate(kinds) if chr(kind) in "85" and not flag
    ]
    assert open_events
    for index in open_events:
        assert chr(kinds[index + 1][0]) in "85"
        assert kinds[index + 1][1:] == (1, kinds[index][2])


def generated(protocol: str) -> tuple[bytes, int]:
    market = IexMarket(10, 3, messages=3000, midnight=MIDNIGHT, protocol=protocol)
    buffer = bytearray(1 << 20)
    messages, used = market.generate(10**9, buffer)
    assert market.generate(10, buffer) == (0, 0)
    return bytes(buffer[:used]), messages


def split(framed: bytes) -> list[bytes]:
    found, at = [], 0
    while at < len(framed):
        length = int.from_bytes(framed[at : at + 2], "little")
        found.append(framed[at + 2 : at + 2 + length])
        at += 2 + length
    return found


@pytest.mark.parametrize("protocol", ["tops", "deep"])
def test_segments_are_numbered_and_hold_every_message(tmp_path: Path, protocol: str) -> None:
    framed, messages = generated(protocol)
    market = IexMarket(10, 3, messages=3000, midnight=MIDNIGHT, protocol=protocol)
    writer = IexTpWriter(LINES[:1], 7, protocol, 0.0, 3)
    assert write_pcap(market, tmp_path / "day.pcap", writer) == messages
    sequence, offset, body = 1, 0, b""
    for payload, _, _ in blocks(tmp_path / "day.pcap"):
        head, rest = payload[:40], payload[40:]
        assert (head[0], head[2:4]) == (1, b"\x03\x80" if protocol == "tops" else b"\x04\x80")
        assert int.from_bytes(head[8:12], "little") == 7
        assert int.from_bytes(head[12:14], "little") == len(rest) <= 1400
        assert int.from_bytes(head[16:24], "little") == offset
        assert int.from_bytes(head[24:32], "little") == sequence
        sequence += int.from_bytes(head[14:16], "little")
        offset += len(rest)
        body += rest
    assert sequence == messages + 1
    assert body == framed


def test_one_seed_is_one_stream() -> None:
    assert generated("tops") == generated("tops")
    assert generated("deep") == generated("deep")


def test_too_few_messages_and_small_buffers_are_refused() -> None:
    with pytest.raises(ValueError, match="at least"):
        IexMarket(500, 1, messages=100, midnight=0, protocol="tops")
    market = IexMarket(10, 3, messages=3000, midnight=0, protocol="tops")
    with pytest.raises(ValueError, match="at least 512"):
        market.generate(1, bytearray(511))
