"""`ticker replay`: its output, and its error messages."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.feeds.conftest import Itch
from tests.feeds.mold_feed import packet
from tests.feeds.packets.frames import ethernet, ip4, ip6, pcap, pcapng, simple_blocks, udp
from ticker.cli import main
from ticker.cli.replay.report import COLUMNS
from ticker.shm.rejects import RULES


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    itch = Itch()
    messages = [
        itch.system("O"),
        itch.directory(1, "AAPL"),
        itch.directory(2, "ZERO"),
        itch.action(1, "AAPL", "T"),
        itch.add(1, 1, "B", 160, 3_200_500),
        itch.execute(1, 1, 100, 7, time=34_200 * 10**9 + 999),
        itch.trade(1, 5, 3_200_500, 7, time=34_200 * 10**9 + 999),
    ]
    path = tmp_path / "day.itch"
    path.write_bytes(b"".join(len(m).to_bytes(2, "big") + m for m in messages))
    return path


def replay(path: Path, *options: str) -> Result:
    return CliRunner().invoke(
        main, ["replay", str(path), "--protocol", "itch50", "--session", "binaryfile", *options]
    )


def test_json(capture: Path) -> None:
    result = replay(capture, "--json", "--date", "2020-01-30")
    report = json.loads(result.output)
    assert report["symbols"]["AAPL"] == {
        "price": "320.05",
        "size": 100,
        "trades": 1,
        "volume": 100,
        "open": "320.05",
        "high": "320.05",
        "low": "320.05",
        "bid": "320.05",
        "bid_size": 60,
        "ask": None,
        "ask_size": None,
        "previous_close": None,
        "official_close": None,
        "extended_price": None,
        "extended_timestamp": None,
        "exchange_timestamp": "2020-01-30T14:30:00.000000Z",
        "status": "trading",
    }
    assert report["symbols"]["ZERO"] == {
        "price": None,
        "size": None,
        "trades": 0,
        "volume": 0,
        "open": None,
        "high": None,
        "low": None,
        "bid": None,
        "bid_size": None,
        "ask": None,
        "ask_size": None,
        "previous_close": None,
        "official_close": None,
        "extended_price": None,
        "extended_timestamp": None,
        "exchange_timestamp": None,
        "status": "unknown",
    }
    assert (report["messages"], report["packets"], report["gaps"]) == (7, 0, 0)
    assert report["rejected"] == dict.fromkeys(RULES, 0) | {"duplicate": 1}
    assert report["seconds"] > 0
    assert report["messages_per_second"] > 0


def test_raw_counts_the_duplicate_too(capture: Path) -> None:
    report = json.loads(replay(capture, "--json", "--raw").output)
    assert report["symbols"]["AAPL"]["trades"] == 2
    assert report["rejected"]["duplicate"] == 0


def test_hours_and_round_lots_say_what_sets_the_price(tmp_path: Path) -> None:
    itch, hour = Itch(), 3_600 * 10**9
    messages = [
        itch.directory(1, "AAPL"),
        itch.trade(1, 200, 99_000, 1, time=8 * hour),
        itch.cross(1, 500, 100_000, 2, time=9 * hour + hour // 2, kind="O"),
        itch.trade(1, 99, 101_000, 3, time=10 * hour),
        itch.trade(1, 100, 100_500, 4, time=13 * hour + 1),
        itch.cross(1, 500, 100_200, 5, time=16 * hour + 1, kind="C"),
        itch.trade(1, 100, 103_000, 6, time=19 * hour),
    ]
    path = tmp_path / "day.itch"
    path.write_bytes(b"".join(len(m).to_bytes(2, "big") + m for m in messages))
    figures = ("price", "open", "high", "low", "official_close", "extended_price", "volume")

    def shown(day: str, *options: str) -> list[object]:
        report = json.loads(replay(path, "--json", "--date", day, *options).output)
        return [report["symbols"]["AAPL"][name] for name in figures]

    assert shown("2026-03-30") == ["10.02", "10", "10.05", "10", "10.02", "10.3", 1499]
    # On the day after Thanksgiving the market closes at 13:00.
    assert shown("2026-11-27") == ["10.02", "10", "10.02", "10", "10.02", "10.3", 1499]
    everything = ["10.3", "10", "10.3", "9.9", "10.02", None, 1499]
    assert shown("2026-03-30", "--calendar", "none") == everything
    assert shown("2026-03-30", "--timezone", "UTC") == everything
    assert "did you mean XNYS?" in replay(path, "--calendar", "XNYQ").stderr


def test_table(capture: Path) -> None:
    lines = replay(capture, "--date", "2020-01-30", "--repeat", "2").output.splitlines()
    assert lines[0].split()[:3] == ["symbol", "price", "size"]
    assert lines[1].split() == [
        "AAPL",
        "320.05",
        "100",
        "1",
        "100",
        "320.05",
        "320.05",
        "320.05",
        "320.05",
        "60",
        "-",
        "-",
        "2020-01-30T14:30:00.000000Z",
        "trading",
    ]
    assert lines[4] == "7 messages, 0 packets, 0 gaps"
    assert lines[5] == "rejected: 1 duplicate"


def test_gzip_is_the_same(capture: Path, tmp_path: Path) -> None:
    packed = tmp_path / "day.gz"
    packed.write_bytes(gzip.compress(capture.read_bytes()))
    plain, unpacked = (json.loads(replay(p, "--json").output) for p in (capture, packed))
    assert plain["symbols"] == unpacked["symbols"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--date", "30.1.2020"), "not a date, like 2026-03-29"),
        (("--protocol", "itch51"), "did you mean itch50?"),
        (("--session", "binaryfil"), "did you mean binaryfile?"),
        (("--symbol", "AAPL"), "only for JSON"),
        (("--rows", "1"), ""),
    ],
)
def test_what_is_wrong_is_said(capture: Path, options: tuple[str, str], message: str) -> None:
    result = replay(capture, *options)
    if not message:
        assert result.exit_code == 0, "a symbol too many is counted, not an error"
        return
    assert result.exit_code == 2, "wrong usage"
    assert message in result.stderr
    assert "Traceback" not in result.output


def test_a_file_that_is_not_there_is_nothing_to_read(tmp_path: Path) -> None:
    result = replay(tmp_path / "nothing.itch")
    assert result.exit_code == 1
    assert "nothing.itch" in result.stderr


def test_messages_of_no_symbol_are_nothing_usable(tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    path.write_text('{"status": "connected"}\n{"note": "rate limit"}\n')
    options = ("--protocol", "json", "--mapping", "plain", "--date", "2026-03-30")
    result = CliRunner().invoke(main, ["replay", str(path), *options])
    assert result.exit_code == 1
    assert "2 bad_records" in result.output


# Packet captures


def packets(path: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["replay", str(path), "--protocol", "itch50", *options])


def day(number: int = 3) -> list[bytes]:
    """Frames of a day: a symbol, and a trade in each packet after the first."""
    itch = Itch()
    seconds = 34_200 * 10**9
    bodies = [packet(1, itch.system("O"), itch.directory(1, "AAPL"))]
    for at in range(number):
        trade = itch.trade(1, 500, 3_200_500, 7 + at, time=seconds + at)
        bodies.append(packet(3 + at, trade))
    return [ethernet(ip4(udp(body))) for body in bodies]


def test_the_table_says_all_that_json_says(tmp_path: Path) -> None:
    path = tmp_path / "day.pcap"
    frames = [*day(), ethernet(b"arp", kind=0x0806), ethernet(ip6(b"secret", 50))]
    path.write_bytes(pcap(*frames, snaplen=len(frames[1]))[:-3])
    report = json.loads(packets(path, "--json").output)
    text = packets(path).output
    capture = report["capture"]
    assert capture == {
        "packets": 6,
        "datagrams": 4,
        "cut": 1,
        "fragments_joined": 0,
        "without_time": 0,
        "not_read": {"EtherType 0x0806 (ARP)": 1, "IP protocol 50 (ESP)": 1},
        "truncated": True,
        "error": "",
    }
    for counts in (report["counters"], capture["not_read"]):
        for name, count in counts.items():
            assert f"{count} {name}" in text
    assert "capture: 6 packets, 4 datagrams, 1 cut\n" in text
    assert "the file ends inside a packet" in text
    assert f"{report['messages']} messages, {report['packets']} packets" in text


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        ([ethernet(ip4(b"secret", 50))] * 3, "3 IP protocol 50 (ESP)"),
        ([frame[:50] for frame in day()], "4 cut short by the capture"),
        ([], "is empty"),
    ],
)
def test_the_exit_code_says_that_nothing_was_read(
    tmp_path: Path, frames: list[bytes], said: str
) -> None:
    path = tmp_path / "day.pcap"
    path.write_bytes(pcap(*frames))
    result = packets(path)
    assert said in result.output
    assert result.exit_code == 1
    assert packets(path, "--date", "2026-03-30").exit_code == 1


def test_packets_that_are_cut_are_said(tmp_path: Path) -> None:
    path = tmp_path / "day.pcap"
    path.write_bytes(pcap(*day(), snaplen=64))
    result = packets(path)
    assert "not read: 4 cut short by the capture" in result.output
    assert result.exit_code == 1
    path.write_bytes(pcap(*day(), snaplen=80))
    result = packets(path)
    assert "capture: 4 packets, 1 datagrams, 1 cut" in result.output
    assert result.exit_code == 0


def test_packets_without_a_time_need_a_day(tmp_path: Path) -> None:
    path = tmp_path / "day.pcapng"
    path.write_bytes(simple_blocks(*day()))
    result = packets(path)
    assert "no time of capture; name the day" in result.output
    assert result.exit_code == 1
    result = packets(path, "--date", "2026-03-30", "--json")
    report = json.loads(result.output)
    row = report["symbols"]["AAPL"]
    assert (row["price"], row["trades"]) == ("320.05", 3)
    assert row["exchange_timestamp"] == "2026-03-30T13:30:00.000000Z"
    assert report["capture"]["without_time"] == 4
    path.write_bytes(pcapng(day()[0]) + simple_blocks(*day()[1:]))
    assert json.loads(packets(path, "--json").output)["symbols"]["AAPL"]["trades"] == 3


def test_files_that_are_none(tmp_path: Path) -> None:
    empty = tmp_path / "empty.itch"
    empty.touch()
    assert "is empty" in replay(empty).stderr
    assert "cannot be read" in replay(tmp_path / "none").stderr


FRACTIONS = """
size_decimals = 9
[[records]]
name = "trade"
kind = "trade"
symbol = "s"
price = "p"
size = "q"
time = "t"
time_unit = "s"
id = "n"
"""


def test_a_volume_beyond_64_bits_is_whole(tmp_path: Path) -> None:
    mapping, path = tmp_path / "fractions.toml", tmp_path / "day.jsonl"
    mapping.write_text(FRACTIONS)
    trades = [
        {"s": "SHIB", "p": 7, "q": size, "t": 1774877400, "n": number}
        for number, size in enumerate([4_000_000_000] * 9 + [0.125])
    ]
    path.write_text("".join(f"{json.dumps(trade)}\n" for trade in trades))
    options = ("--protocol", "json", "--mapping", str(mapping), "--date", "2026-03-30")
    shown = CliRunner().invoke(main, ["replay", str(path), *options])
    assert "36000000000.125" in shown.output.split()
    report = json.loads(CliRunner().invoke(main, ["replay", str(path), *options, "--json"]).output)
    assert report["symbols"]["SHIB"]["volume"] == "36000000000.125"
    assert report["symbols"]["SHIB"]["trades"] == 10


def test_the_table_has_each_column_once() -> None:
    assert len(set(COLUMNS)) == len(COLUMNS)
