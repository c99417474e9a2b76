"""A simulated day in PITCH: it says what ITCH says of the same day, in units, within its bounds."""

from __future__ import annotations

import json
import struct
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ticker.cli import main
from ticker.feeds.protocols.pitch import MESSAGE_LENGTHS
from ticker.feeds.transports.pcap import blocks
from ticker.simulate.speakers.pitch import UNIT_LIMIT, PitchMarket, parted


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def simulate(path: Path, *options: str) -> None:
    run("simulate", "pitch", "--output", path, "--symbols", "30", "--messages", "20k", *options)


def replay(path: Path, protocol: str = "pitch", *options: str) -> dict[str, Any]:
    told = run("replay", path, "--protocol", protocol, "--json", *options)
    report: dict[str, Any] = json.loads(told)
    return report


def datagrams(path: Path) -> list[tuple[int, int, int, list[bytes]]]:
    """(receive time, unit, sequence, messages) of each."""
    found = []
    for data, receive_time, _ in blocks(path):
        length, count, unit, sequence = struct.unpack_from("<HBBI", data)
        assert length == len(data) <= 8 + 1400
        at, messages = 8, []
        for _ in range(count):
            messages.append(data[at : at + data[at]])
            at += data[at]
        assert at == length
        found.append((receive_time, unit, sequence, messages))
    return found


@pytest.mark.slow
def test_the_units_together_are_one_market(tmp_path: Path) -> None:
    path = tmp_path / "day.pcap"
    simulate(path)
    # Round lots are left out: ITCH's directory says them, PITCH goes by the price.
    report = replay(path, "pitch", "--calendar", "none")
    counters = report["counters"]
    for bad in ("unknown_orders", "bad_orders", "short_messages", "unknown_types", "gaps"):
        assert counters.get(bad, 0) == 0, bad
    assert counters.get("breaks_unmatched", 0) == 0
    assert len(report["symbols"]) == 30
    run("simulate", "itch", "--output", tmp_path / "itch.pcap", "--symbols", "30",
        "--messages", "20k")  # fmt: skip
    itch = replay(tmp_path / "itch.pcap", "itch50", "--calendar", "none")
    assert report["symbols"] == itch["symbols"]


@pytest.mark.slow
def test_sequences_times_and_messages(tmp_path: Path) -> None:
    path = tmp_path / "day.pcap"
    simulate(path, "--units", "3")
    expected = {1: 1, 2: 1, 3: 1}
    kinds: Counter[int] = Counter()
    times: list[int] = []
    for receive_time, unit, sequence, messages in datagrams(path):
        assert sequence == expected[unit]
        if sequence == 1:
            assert messages[0][1] == 0x20
        expected[unit] += len(messages)
        times.append(receive_time)
        for message in messages:
            assert len(message) == MESSAGE_LENGTHS[message[1]]
            kinds[message[1]] += 1
    assert times == sorted(times)
    every_day = {0x20, 0x21, 0x22, 0x23, 0x24, 0x26, 0x28, 0x29, 0x2A, 0x2F, 0x31, 0x95, 0x96}
    assert every_day <= set(kinds)
    assert kinds[0x2D] == 3  # each unit ends


@pytest.mark.slow
def test_line_b_has_the_same_in_other_datagrams(tmp_path: Path) -> None:
    one, two = tmp_path / "one.pcap", tmp_path / "two.pcap"
    simulate(one)
    simulate(two, "--lines", "2")
    assert replay(one)["symbols"] == replay(two)["symbols"]
    assert len(datagrams(two)) > 2 * len(datagrams(one))


@pytest.mark.slow
def test_one_seed_is_one_file(tmp_path: Path) -> None:
    one, two, other = (tmp_path / name for name in ("one.pcap", "two.pcap", "other.pcap"))
    simulate(one, "--seed", "7")
    simulate(two, "--seed", "7")
    simulate(other, "--seed", "8")
    assert one.read_bytes() == two.read_bytes() != other.read_bytes()


def test_any_portions_give_the_same_stream() -> None:
    whole, parts = PitchMarket(5, 3, units=2), PitchMarket(5, 3, units=2)
    buffer, small = bytearray(1 << 18), bytearray(1500)
    messages, used = whole.generate(3000, buffer)
    stream = b""
    while len(stream) < used:
        _, size = parts.generate(7, small)
        stream += small[:size]
    assert stream[:used] == buffer[:used]
    assert messages == len(parted(bytes(buffer[:used])))


def test_units_have_a_limit() -> None:
    for units in (0, UNIT_LIMIT + 1):
        with pytest.raises(ValueError, match="give 1 to"):
            PitchMarket(5, units=units)
