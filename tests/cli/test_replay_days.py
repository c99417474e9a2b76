"""`ticker replay` of captures: which day they are of, and that two days are two."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.feeds.conftest import Itch
from tests.feeds.mold_feed import heartbeat, packet
from tests.feeds.packets.frames import ethernet, ip4, pcap, udp
from ticker.cli import main
from ticker.units import parse_timestamp

FRIDAY, MONDAY = b"FRIDAY    ", b"MONDAY    "
HOUR = 3600 * 10**9
HEAD = 24
say = Itch()


def captured(*packets: tuple[str, bytes]) -> bytes:
    """A pcap of datagrams with their times."""
    records = [
        pcap(ethernet(ip4(udp(data))), time=parse_timestamp(at))[HEAD:] for at, data in packets
    ]
    return pcap() + b"".join(records)


def replay(path: Path, *options: str) -> dict[str, Any]:
    result = CliRunner().invoke(main, ["replay", str(path), "--json", *options])
    assert result.exit_code == 0, result.output
    row: dict[str, Any] = json.loads(result.output)["symbols"]["AAPL"]
    return {name: row[name] for name in ("price", "volume", "open", "exchange_timestamp")}


def day(session: bytes, date: str, size: int, first: int = 1) -> list[tuple[str, bytes]]:
    """A trade at 09:30 in New York, 13:30 or 14:30 by UTC."""
    trade = say.trade(1, size, 1_850_000 + size, size, time=int(9.5 * HOUR))
    return [(f"{date}:00Z", packet(first, trade, session=session))]


def test_a_capture_that_begins_on_the_evening_before(tmp_path: Path) -> None:
    """Files that are rotated at midnight UTC begin with heartbeats of the day before."""
    path = tmp_path / "day.pcap"
    evening = [("2026-03-30T00:00:05Z", heartbeat(1, MONDAY))]
    path.write_bytes(captured(*evening, *day(MONDAY, "2026-03-30T13:30", 200)))
    row = replay(path, "--protocol", "itch50")
    assert row["exchange_timestamp"] == "2026-03-30T13:30:00.000000Z"


@pytest.mark.parametrize("session", [MONDAY, FRIDAY], ids=["another session", "the same"])
def test_two_days_are_not_summed(tmp_path: Path, session: bytes) -> None:
    """From Friday to Monday, with the clocks changed in between."""
    path = tmp_path / "days.pcap"
    first = 2 if session == FRIDAY else 1
    monday = day(session, "2026-03-09T13:30", 200, first)
    path.write_bytes(captured(*day(FRIDAY, "2026-03-06T14:30", 100), *monday))
    assert replay(path, "--protocol", "itch50") == {
        "price": "185.02", "volume": 200, "open": "185.02",
        "exchange_timestamp": "2026-03-09T13:30:00.000000Z",
    }  # fmt: skip


def test_the_time_zone_says_where_a_day_ends(tmp_path: Path) -> None:
    """23:00 and 01:00 by UTC are one day in New York, and two in London."""
    path = tmp_path / "texts.jsonl"
    texts = [
        {"sym": "AAPL", "px": 10 + hour, "ts": parse_timestamp(at) // 10**6}
        for hour, at in enumerate(("2026-01-05T23:00:00Z", "2026-01-06T01:00:00Z"))
    ]
    path.write_text("\n".join(map(json.dumps, texts)))
    options = ("--protocol", "json", "--mapping", "plain")
    assert replay(path, *options)["open"] == "10"
    assert replay(path, *options, "--timezone", "Europe/London")["open"] == "11"


def test_a_time_zone_that_is_none(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        main, ["replay", str(tmp_path), "--protocol", "itch50", "--timezone", "Mars"]
    )
    assert result.exit_code == 2
    assert "no time zone 'Mars'" in result.output
