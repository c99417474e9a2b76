"""TOPS and DEEP against what another decoder made of the same real captures, in every figure."""

from __future__ import annotations

import gzip
import json
import random
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ticker.cli import main
from ticker.feeds.day import session_day
from ticker.feeds.protocol import MessageLog
from ticker.feeds.sessions.iextp import IexTp
from ticker.feeds.transports.pcap import blocks
from ticker.feeds.workers.pipeline import Pipeline, build
from ticker.shm.counters import Counters
from ticker.shm.ring import RingReader
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import PriceTable
from ticker.symbology import canonical
from ticker.units import format_timestamp, parse_price

CAPTURES = [
    ("TOPS16", "TOPS16.pcapng.gz", "tops"),
    ("DEEP10.s01", "DEEP10.s01.pcap.gz", "deep"),
    ("DEEP10.s09", "DEEP10.s09.pcap.gz", "deep"),
]
STATUS = {"T": "trading", "H": "halted", "P": "paused", "O": "quote_only"}
STATUS_NUMBER = {"T": 1, "H": 2, "P": 3, "O": 4}


@pytest.fixture(params=CAPTURES, ids=[name for name, _, _ in CAPTURES])
def capture(request: pytest.FixtureRequest, samples: Path) -> tuple[dict[str, Any], Path, str]:
    """(truth, file, protocol) of each."""
    name, file, protocol = request.param
    truth = json.loads((samples / "iex" / f"{name}.truth.json").read_text())
    return truth, samples / "iex" / file, protocol


def replay(file: Path, protocol: str, *options: str) -> dict[str, Any]:
    result = CliRunner().invoke(
        main, ["replay", str(file), "--protocol", protocol, "--json", *options]
    )
    assert result.exit_code == 0, result.output
    report: dict[str, Any] = json.loads(result.output)
    return report


def price(text: str | None) -> str | None:
    """As `replay` writes it: null where there is none."""
    return None if text is None or Decimal(text) == 0 else text


def check_price(found: str | None, wanted: str | None) -> None:
    wanted = price(wanted)
    assert (found is None) == (wanted is None)
    assert found is None or wanted is None or Decimal(found) == Decimal(wanted)


@pytest.mark.slow
def test_replay_reproduces_the_truth(capture: tuple[dict[str, Any], Path, str]) -> None:
    truth, file, protocol = capture
    report = replay(file, protocol, "--raw")
    assert report["messages"] == truth["messages"]
    assert report["packets"] == truth["packets"]
    assert report["gaps"] == truth["iextp"]["n_seq_discontinuities"]
    counters = report["counters"]
    assert counters["heartbeats"] == truth["heartbeat_packets"]
    for name in ("bad_packets", "short_messages", "unknown_types", "bad_orders", "lost_messages"):
        assert name not in counters
    found = report["symbols"]
    traded = {symbol: row for symbol, row in found.items() if row["trades"]}
    assert set(traded) == set(truth["symbols"])
    assert len(traded) == truth["totals"]["symbols_traded"]
    assert counters.get("trades", 0) == truth["totals"]["trades"]
    assert sum(row["volume"] for row in traded.values()) == truth["totals"]["volume"]
    for symbol, wanted in truth["symbols"].items():
        check_trades(found[symbol], wanted)
    for symbol, wanted in truth.get("final_quote", {}).items():
        check_quote(found[symbol], wanted)
    for symbol, wanted in truth.get("final_book", {}).items():
        check_quote(found[symbol], wanted)
    closed = any(event in "EC" for event, _ in truth["system_events"])
    halted = operational_halts(file)
    for symbol, (status, _, _) in truth["trading_status"].items():
        expected = "halted" if symbol in halted else STATUS[status]
        assert found[symbol]["status"] == ("closed" if closed else expected)


def check_trades(row: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert row["trades"] == wanted["trades"]
    assert row["volume"] == wanted["volume"]
    assert row["size"] == wanted["last_size"]
    for found, name in (("price", "last_price"), ("high", "high"), ("low", "low")):
        check_price(row[found], wanted[name])
    assert row["exchange_timestamp"] == format_timestamp(wanted["last_trade_ts_ns"])


def check_quote(row: dict[str, Any], wanted: dict[str, Any]) -> None:
    for side in ("bid", "ask"):
        check_price(row[side], wanted[side])
        assert (row[f"{side}_size"] or 0) == (wanted[f"{side}_size"] or 0)


def messages_of(file: Path) -> list[bytes]:
    """Every message of a capture, as the session hands it on."""
    log = MessageLog()
    session = IexTp(log, private_feed(Geometry(16, 1, 16), 1, 0))
    for payload, now in payloads(file):
        session.receive_data(payload, 0, now)
    return log.messages


def operational_halts(file: Path) -> set[str]:
    """Symbols that are halted on IEX only at the end, which the truth's status does not tell."""
    last = {message[10:18]: message[1:2] for message in messages_of(file) if message[:1] == b"O"}
    return {symbol.decode().rstrip() for symbol, halt in last.items() if halt == b"O"}


class Run:
    """A capture through the pipeline, stopped where a test wants to look."""

    def __init__(self, protocol: str, day_ns: int, raw: bool = True) -> None:
        self.mapping = private_feed(Geometry(rows=16_384, rings=1, ring_capacity=1 << 16), 1, 1)
        day = session_day(day_ns)
        self.pipeline: Pipeline = build(self.mapping, protocol, "iextp", day, raw=raw)
        self.table = PriceTable(self.mapping)
        self.ring = RingReader(self.mapping, 0)
        self.now = 0

    def feed(self, payload: bytes, now: int) -> None:
        self.now = now
        self.pipeline.session.receive_data(payload, 0, now)
        self.pipeline.market.publish(now)

    def rows(self) -> dict[str, dict[str, int]]:
        found = {}
        for row in range(len(self.table)):
            values = self.table.values(row)
            assert values is not None
            found[self.table.symbol(row)] = values
        return found


def payloads(file: Path) -> Iterator[tuple[bytes, int]]:
    for payload, now, _ in blocks(file):
        yield bytes(payload), now


@pytest.mark.slow
def test_every_message_every_print_and_the_states_of_the_day(
    capture: tuple[dict[str, Any], Path, str],
) -> None:
    """What `replay` does not show: message types, notional, states before the close."""
    truth, file, protocol = capture
    run = Run(protocol, truth["iextp"]["first_send_ns"])
    closing = min(
        (time for event, time in truth["system_events"] if event in "EC"), default=1 << 63
    )
    closed = False
    halted = operational_halts(file)
    notional: Counter[str] = Counter()
    for payload, now in payloads(file):
        if not closed and int.from_bytes(payload[32:40], "little") >= closing:
            closed = True
            check_states(run, truth, halted)
        run.feed(payload, now)
        for record in run.ring.take(1 << 16):
            if record["kind"] == 1:
                symbol = run.table.symbol(record["row"])
                notional[symbol] += record["price"] * record["size"]
    if not closed:
        check_states(run, truth, halted)
    decoder: Any = run.pipeline.protocol
    assert decoder.message_counts == truth["message_counts"]
    assert run.pipeline.session.next_expected_sequence == truth["iextp"]["next_seq"]
    assert sum(notional.values()) == truth["totals"]["notional_e4"] * 100_000
    for symbol, wanted in truth["symbols"].items():
        assert notional[symbol] == wanted["notional_e4"] * 100_000
    check_quotes_and_levels(run, truth)


def check_states(run: Run, truth: dict[str, Any], halted: set[str]) -> None:
    rows = run.rows()
    for symbol, (status, _, _) in truth["trading_status"].items():
        expected = STATUS_NUMBER["H" if symbol in halted else status]
        assert rows[symbol]["status"] == expected, symbol


def check_quotes_and_levels(run: Run, truth: dict[str, Any]) -> None:
    rows = run.rows()
    for symbol, wanted in truth.get("final_quote", {}).items():
        row = rows[symbol]
        assert row["bid"] == parse_price(wanted["bid"])
        assert row["ask"] == parse_price(wanted["ask"])
        if row["quotes"]:
            assert row["quote_time"] <= wanted["ts_ns"]
    for symbol, wanted in truth.get("final_book", {}).items():
        assert len(run.pipeline.market.depth(symbol, 0)) == wanted["bid_levels"]
        assert len(run.pipeline.market.depth(symbol, 1)) == wanted["ask_levels"]


def test_the_messages_are_the_ones_of_the_other_decoder(
    capture: tuple[dict[str, Any], Path, str],
) -> None:
    """Each type's length, sale flags and trade ids: what the session hands on, byte for byte."""
    truth, file, _ = capture
    messages = messages_of(file)
    lengths = Counter(f"{chr(message[0])}:{len(message)}" for message in messages)
    assert lengths == truth["message_lengths"]
    events = [
        [chr(message[1]), int.from_bytes(message[2:10], "little")]
        for message in messages
        if message[:1] == b"S"
    ]
    assert events == truth["system_events"]
    flags: dict[str, Counter[str]] = {}
    last: dict[str, int] = {}
    breaks: Counter[str] = Counter()
    for message in messages:
        symbol = message[10:18].decode().rstrip()
        if message[:1] == b"T":
            flags.setdefault(symbol, Counter())[f"0x{message[1]:02x}"] += 1
            last[symbol] = int.from_bytes(message[30:38], "little")
        elif message[:1] == b"B":
            breaks[symbol] += 1
    assert breaks == truth["trade_breaks"]
    assert flags == {symbol: wanted["flags"] for symbol, wanted in truth["symbols"].items()}
    assert last == {symbol: row["last_trade_id"] for symbol, row in truth["symbols"].items()}


@pytest.mark.slow
def test_broken_trades_are_taken_back(samples: Path) -> None:
    truth = json.loads((samples / "iex" / "TOPS16.truth.json").read_text())
    report = replay(samples / "iex" / "TOPS16.pcapng.gz", "tops", "--test-issues")
    assert report["counters"]["breaks"] == sum(truth["trade_breaks"].values())
    assert "breaks_unmatched" not in report["counters"]
    for symbol, wanted in truth["symbols"].items():
        rejected_or_broken = (
            wanted["trades"] - report["symbols"][canonical(symbol, "nasdaq")]["trades"]
        )
        assert rejected_or_broken >= truth["trade_breaks"].get(symbol, 0)
    lost = truth["totals"]["trades"] - sum(row["trades"] for row in report["symbols"].values())
    assert lost == sum(truth["trade_breaks"].values()) + sum(report["rejected"].values())


@pytest.mark.slow
def test_trades_of_test_issues_do_not_count(samples: Path) -> None:
    """Known by their names: the messages that call them tests came before the capture began."""
    truth = json.loads((samples / "iex" / "TOPS16.truth.json").read_text())
    report = replay(samples / "iex" / "TOPS16.pcapng.gz", "tops")
    issues = {"ZEXIT", "ZIEXT", "ZXIET"}
    assert issues <= truth["symbols"].keys()
    assert {
        symbol for symbol, row in report["symbols"].items() if symbol in issues and row["trades"]
    } == set()
    tested = sum(truth["symbols"][symbol]["trades"] for symbol in issues)
    assert report["rejected"]["test_symbol"] == tested > 0


@pytest.mark.slow
def test_odd_lots_and_extended_hours_count_for_volume_only(samples: Path) -> None:
    """Of each symbol the last price is that of its last regular trade."""
    file = samples / "iex" / "DEEP10.s01.pcap.gz"
    truth = json.loads((samples / "iex" / "DEEP10.s01.truth.json").read_text())
    last: dict[str, int] = {}
    for message in messages_of(file):
        if message[:1] == b"T" and not message[1] & 0x60:
            symbol = message[10:18].decode().rstrip()
            last[symbol] = int.from_bytes(message[22:30], "little")
    report = replay(file, "deep", "--test-issues")
    assert report["rejected"]["older"] == 0
    for symbol, wanted in truth["symbols"].items():
        row = report["symbols"][symbol]
        assert Decimal(row["price"]) == Decimal(last[symbol]) / 10_000
        assert row["volume"] == wanted["volume"]


def glue(files: list[Path], into: Path) -> Path:
    """One capture of several: the first whole, the others without their file header."""
    parts = [gzip.decompress(file.read_bytes()) for file in files]
    into.write_bytes(parts[0] + b"".join(part[24:] for part in parts[1:]))
    return into


@pytest.mark.slow
def test_sessions_glued_together_under_one_id(samples: Path, tmp_path: Path) -> None:
    """The sequence starts over; last prices stay, the book is the last session's."""
    first, second = (samples / "iex" / f"DEEP10.{name}.pcap.gz" for name in ("s01", "s09"))
    truth = [
        json.loads((samples / "iex" / f"DEEP10.{name}.truth.json").read_text())
        for name in ("s01", "s09")
    ]
    report = replay(glue([first, second], tmp_path / "glued.pcap"), "deep", "--raw")
    assert report["messages"] == truth[0]["messages"] + truth[1]["messages"]
    assert report["counters"]["sessions"] == 2
    assert (report["gaps"], "lost_messages" in report["counters"]) == (0, False)
    for symbol, wanted in truth[0]["symbols"].items():
        check_trades(report["symbols"][symbol], wanted)
        assert report["symbols"][symbol]["bid"] is None
        assert report["symbols"][symbol]["ask"] is None
    for symbol, wanted in truth[1]["final_book"].items():
        check_quote(report["symbols"][symbol], wanted)
    halted = operational_halts(second)
    for symbol, (status, _, _) in truth[1]["trading_status"].items():
        expected = "halted" if symbol in halted else STATUS[status]
        assert report["symbols"][symbol]["status"] == expected


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.01, 0.05])
def test_two_lossy_lines_give_what_one_whole_line_gives(samples: Path, rate: float) -> None:
    """Each packet comes on both lines, is lost on each by itself, and never on both."""
    file = samples / "iex" / "DEEP10.s01.pcap.gz"
    truth = json.loads((samples / "iex" / "DEEP10.s01.truth.json").read_text())
    run = Run("deep", truth["iextp"]["first_send_ns"])
    chance = random.Random(int(rate * 100))
    events = []
    for index, (payload, _) in enumerate(payloads(file)):
        lost = [chance.random() < rate for _ in range(2)]
        for line in range(2):
            if not lost[line] or (lost[0] and line == 0):
                events.append((index + chance.uniform(0, 32), line, payload))
    for at, line, payload in sorted(events):
        run.pipeline.session.receive_data(payload, line, int(at * 1000))
    run.pipeline.market.publish(1)
    assert Counters(run.mapping)["lost_messages"] == 0
    assert Counters(run.mapping)["gaps_filled_by_line"] > 0
    rows = run.rows()
    for symbol, wanted in truth["symbols"].items():
        assert rows[symbol]["volume"] == wanted["volume"]
        assert rows[symbol]["price"] == parse_price(wanted["last_price"])
    check_quotes_and_levels(run, truth)
