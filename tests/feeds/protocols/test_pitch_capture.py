"""Cboe PITCH: the real messages one by one, and a real capture against its truth."""

from __future__ import annotations

import json
import struct
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from tests.feeds.protocols.pitch_messages import E9, Feed
from ticker import units
from ticker.cli import main
from ticker.feeds.day import midnight_ns
from ticker.feeds.sessions.cboe_unit import CboeUnit
from ticker.feeds.transports.pcap import Capture


def test_each_real_message_does_what_the_other_decoder_says(samples: Path) -> None:
    """Field by field against expected.json, by what each message does to the book and tape."""
    packets = json.loads((samples / "pitch/mcastpitch_realtime_useq.expected.json").read_text())
    feed = Feed(raw=True)
    seconds = 0
    orders: dict[str, tuple[str, int]] = {}
    for packet in packets:
        header = packet["header"]
        assert bytes.fromhex(packet["header_hex"]) == struct.pack(
            "<HBBI", *(int(header[key]) for key in ("Length", "Count", "Unit", "Sequence"))
        )
        for wanted in packet["messages"]:
            data = bytes.fromhex(wanted["hex"])
            assert len(data) == int(wanted["Message Length"])
            feed.reader.take(100)
            feed.send(data)
            if "Time" in wanted:
                seconds = int(wanted["Time"])
                continue
            time = seconds * E9 + int(wanted["Time Offset"])
            check_effect(feed, wanted, orders, time)
    assert sum(feed.decoder.message_counts.values()) == sum(len(p["messages"]) for p in packets)


def check_effect(
    feed: Feed, wanted: dict[str, Any], orders: dict[str, tuple[str, int]], time: int
) -> None:
    """What this message, and none before it, has done."""
    kind = wanted["_kind"]
    size = int(next((wanted[key] for key in wanted if "Quantity" in key), 0))
    price = next((units.parse_price(wanted[key]) for key in wanted if "Price" in key), 0)
    order = wanted["Order Id"]
    symbol = next((wanted[key].strip() for key in wanted if key.startswith("Symbol")), "A")
    assert symbol == "A"
    trades = feed.reader.take(100)
    if "Trade" in kind or "Executed" in kind:
        record = next(record for record in trades if record["price"])
        assert record["size"] == size
        assert record["exchange_time"] == time
        assert feed.row("A")["exchange_time"] == time
    if "Trade" in kind:
        assert feed.row("A")["price"] == price
        return
    if "Add" in kind:
        side = "asks" if wanted["Side Indicator"].startswith("Sell") else "bids"
        orders[order] = (side, price)
        assert (price, size) in getattr(feed, side)("A")
    elif "Modify" in kind:
        side = orders[order][0]
        orders[order] = (side, price)
        assert (price, size) in getattr(feed, side)("A")
    elif "Executed" in kind:
        assert feed.row("A")["price"] == orders[order][1]
    elif "Delete" in kind:
        side, price = orders.pop(order)
        assert all(level != price for level, _ in getattr(feed, side)("A"))
    else:
        assert "Reduce" in kind
    assert feed["unknown_orders"] == 0


def replay(file: Path, *options: str) -> dict[str, Any]:
    result = CliRunner().invoke(main, ["replay", str(file), "--protocol", "pitch", *options])
    assert result.exit_code == 0, result.output
    report: dict[str, Any] = json.loads(result.output)
    return report


def test_the_truth_of_the_real_capture(samples: Path) -> None:
    truth = json.loads((samples / "pitch/mcastpitch_realtime_useq.truth.json").read_text())
    file = samples / "pitch" / Path(truth["file"]).name
    report = replay(file, "--raw", "--json")
    assert report["packets"] == truth["packets"]
    assert report["messages"] == truth["messages"]
    assert report["counters"]["heartbeats"] == truth["heartbeat_packets"]
    assert report["gaps"] == 1
    assert report["counters"]["lost_messages"] == 2
    for symbol, wanted in truth["symbols"].items():
        row = report["symbols"][symbol]
        assert (row["trades"], row["volume"]) == (wanted["trades"], wanted["volume"])
        assert Decimal(row["price"]) == Decimal(wanted["last_price"])
        assert row["size"] == wanted["last_size"]
        assert (row["bid"], row["ask"]) == (None, None)
    assert list(report["symbols"]) == list(truth["symbols"])

    time = units.parse_timestamp(report["symbols"]["A"]["exchange_timestamp"])
    midnight = midnight_ns(date(2014, 8, 31))
    assert (time - midnight) // 1000 == truth["symbols"]["A"]["last_trade_ts_ns"] // 1000


def test_each_trade_of_the_truth(samples: Path) -> None:
    """Price, size, time and sequence of every print, from the packets themselves."""
    truth = json.loads((samples / "pitch/mcastpitch_realtime_useq.truth.json").read_text())
    feed = Feed(raw=True)
    session = CboeUnit(feed.decoder, feed.mapping)
    found: list[dict[str, Any]] = []
    sequences: list[list[int]] = []
    kinds: dict[str, int] = {}
    last_heartbeat = 0
    with_data = 0
    for data, _, _ in Capture(samples / "pitch" / Path(truth["file"]).name):
        _, count, unit, sequence = struct.unpack_from("<HBBI", data)
        if not count:
            last_heartbeat = max(last_heartbeat, sequence)
            session.receive_data(data, 0, feed.now)
            continue
        with_data += 1
        sequences.append([sequence, count])
        at = 8
        for index in range(count):
            single = struct.pack("<HBBI", 8 + data[at], 1, unit, sequence + index)
            session.receive_data(single + data[at : at + data[at]], 0, feed.now)
            feed.market.publish(feed.now)
            name = f"0x{data[at + 1]:02x}"
            kinds[name] = kinds.get(name, 0) + 1
            for record in feed.reader.take(100):
                if record["kind"] in (1, 2) and record["price"]:
                    found.append(
                        {
                            "seq": sequence + index,
                            "symbol": "A",
                            "kind": "T" if data[at + 1] in (0x2A, 0x2B) else "E",
                            "price": record["price"],
                            "size": record["size"],
                            "ts_ns": record["exchange_time"],
                            "execution_id": str(
                                int.from_bytes(data[at + data[at] - 8 :][:8], "little")
                            ),
                        }
                    )
            at += data[at]
            feed.now += E9
    assert (with_data, last_heartbeat) == (truth["data_packets"], truth["last_heartbeat_next_seq"])
    assert (sequences, kinds) == (truth["seqs"], truth["message_counts"])
    wanted = [{**trade, "price": units.parse_price(trade["price"])} for trade in truth["trades"]]
    assert found == wanted
    assert feed.market.orders == len(truth["open_orders_at_end"])
