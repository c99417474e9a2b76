"""Real packets of IEX, against another decoder's reading of them.

What a message does is looked at in the market: the fields that count must have their effect.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ticker.feeds.protocol import MessageLog
from ticker.feeds.protocols.deep import Deep
from ticker.feeds.protocols.tops import Tops
from ticker.feeds.sessions.iextp import IexTp
from ticker.feeds.transports.pcap import blocks
from ticker.shm.layout import RowFlag
from ticker.shm.segment import Geometry, private_feed
from ticker.units import parse_price

PROTOCOLS: dict[str, type] = {"Iex Tops": Tops, "Iex Deep": Deep}
STATUS = {"H": 2, "P": 3, "O": 4, "T": 1}
SIZES = {"Bid Size": "bid_size", "Ask Size": "ask_size"}
PRICES = {"Bid Price": "bid", "Ask Price": "ask"}


def frames(folder: Path) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """(payload, what it means) of each packet."""
    for path in sorted(folder.glob("*/*.expected.json")):
        capture = path.with_name(path.name.replace(".expected.json", ".pcap"))
        expected = json.loads(path.read_text())
        payloads = [payload for payload, _, _ in blocks(capture)]
        assert len(payloads) == len(expected), capture
        yield from zip(payloads, expected, strict=True)


def code(text: str) -> str:
    """`Trading On Iex (T)` is T."""
    return text.rpartition("(")[2].rstrip(")")


def check_message(feed: Any, message: bytes, case: dict[str, Any]) -> None:
    kind = code(case["Message Type"])
    feed.send(message)
    assert feed.decoder.message_counts == {kind: 1}
    assert message.hex() == case["hex"]
    assert int.from_bytes(message[2:10], "little") == case["timestamp_ns"]
    check: dict[str, Callable[[Any, dict[str, Any]], None]] = {
        "Q": quoted, "8": level, "5": level, "T": traded, "H": status, "O": halted, "D": listed,
        "X": official,
    }  # fmt: skip
    if kind in check:
        check[kind](feed, case)
    else:
        assert len(feed.table) == 0, "a type that moves nothing"


def quoted(feed: Any, case: dict[str, Any]) -> None:
    row = feed.row(case["Symbol"])
    assert {name: row[column] for name, column in SIZES.items()} == {
        name: int(case[name]) for name in SIZES
    }
    assert {name: row[column] for name, column in PRICES.items()} == {
        name: parse_price(case[name]) for name in PRICES
    }
    if row["quotes"]:
        assert row["quote_time"] == case["timestamp_ns"]


def level(feed: Any, case: dict[str, Any]) -> None:
    side = 0 if "Buy" in case["_kind"] else 1
    wanted = [(parse_price(case["Price"]), int(case["Size"]))]
    assert "Complete (1)" in case["Event Flags"]
    assert feed.market.depth(case["Symbol"], side) == wanted
    assert feed.market.depth(case["Symbol"], 1 - side) == []


def traded(feed: Any, case: dict[str, Any]) -> None:
    row = feed.row(case["Symbol"])
    assert (row["volume"], row["trades"]) == (int(case["Size"]), 1)
    regular = case["_flags"]["Extended Hours"] == "No (0)" and case["_flags"]["Odd Lot"] == "No (0)"
    assert row["price"] == (parse_price(case["Price"]) if regular else 0)
    if regular:
        assert row["exchange_time"] == case["timestamp_ns"]
    feed.send(bytes.fromhex("42" + case["hex"][2:]))
    assert feed.row(case["Symbol"])["volume"] == 0, "its trade id was read"


def status(feed: Any, case: dict[str, Any]) -> None:
    assert feed.row(case["Symbol"])["status"] == STATUS[code(case["Trading Status"])]


def official(feed: Any, case: dict[str, Any]) -> None:
    row = feed.row(case["Symbol"])
    kind = {"Q": "official_open", "M": "official_close"}[code(case["Price Type"])]
    assert row[kind] == parse_price(case["Official Price"])
    assert (row["price"], row["volume"]) == (0, 0)


def halted(feed: Any, case: dict[str, Any]) -> None:
    halt = code(case["Operational Halt Status"]) == "O"
    assert feed.row(case["Symbol"])["status"] == (2 if halt else 0)


def listed(feed: Any, case: dict[str, Any]) -> None:
    row = feed.row(case["Symbol"])
    assert row["previous_close"] == parse_price(case["Adjusted Poc Price"])
    assert bool(row["flags"] & RowFlag.ROW_TEST) == case["_flags"]["Test Security"].startswith(
        "Yes"
    )


def test_every_message_means_what_the_other_decoder_says(
    samples: Path, make_feed: Callable[..., Any]
) -> None:
    checked = 0
    for payload, frame in frames(samples / "frames" / "iex"):
        header = frame["header"]
        assert frame["header_hex"] == payload[:40].hex()
        log = MessageLog()
        session = IexTp(log, private_feed(Geometry(16, 1, 16), 1, 0))
        session.receive_data(payload)
        assert len(log.messages) == len(frame["messages"]) == int(header["Message Count"])
        first = int(header["First Message Sequence Number"])
        assert session.next_expected_sequence == first + len(log.messages)
        for message, case in zip(log.messages, frame["messages"], strict=True):
            protocol = PROTOCOLS[header["Message Protocol Id"]]
            check_message(make_feed(protocol=protocol), message, case)
            checked += 1
    assert checked > 60


def test_frames_of_deep_plus_are_left_alone(samples: Path, make_feed: Callable[..., Any]) -> None:
    """Its messages look like DEEP's in part, and mean orders."""
    feed = make_feed(protocol=Deep)
    session = IexTp(feed.decoder, feed.mapping)
    paths = sorted((samples / "frames" / "iex" / "DeepPlus.IexTp.1.0.2").glob("*.pcap"))
    for path in paths:
        for payload, _, _ in blocks(path):
            session.receive_data(payload)
    feed.market.publish(1)
    assert feed.counter("other_session_packets") == feed.counter("packets") >= len(paths) > 0
    assert len(feed.table) == 0
