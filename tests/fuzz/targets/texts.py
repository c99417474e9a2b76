"""JSON: the tape, numbers and times, the stream, and every shipped mapping over both sessions."""

from __future__ import annotations

import contextlib
import gzip
import json
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tests.fuzz.jsonshape import varied
from tests.fuzz.subject import Subject, capture_files, chunks
from tests.fuzz.target import Target
from ticker.errors import DecodeError, FeedError
from ticker.feeds.json.scalars import decimal
from ticker.feeds.json.tape import values_of
from ticker.feeds.json.times import TimeZone, by_pattern, iso
from ticker.feeds.protocols.json import Json
from ticker.feeds.session import Session
from ticker.feeds.sessions.framed import Framed
from ticker.feeds.sessions.jsonstream import JsonStream
from ticker.feeds.transports.compression import inflated
from ticker.feeds.workers.known import mappings
from ticker.feeds.workers.mappings import load_mapping
from ticker.units import parse_price, parse_size, parse_timestamp

TOKENS = (
    b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\\u", b"\\ud800", b"\\u0000", b"\n", b"null",
    b"true", b'""', b"{}", b"[]", b"[[[[[[[[[[[[[[[[", b'{"a":', b'"sym":', b'"px":', b'"ts":',
    b"1701432000000", b'"2025-12-01T10:00:00Z"', b"\xff", b"\xef\xbb\xbf", b"\0", b"NaN", b"1e5",
)  # fmt: skip
OWN = (
    {"sym": "AAPL", "px": 178.52, "ts": 1701432000000},
    {"symbol": "AAPL", "lastPrice": "178.52", "timestamp": "2025-12-01T10:00:00Z"},
    [{"ev": "T", "sym": "A", "i": "1", "x": 1, "p": 10.5, "s": 1, "c": [14, 41], "t": 1, "q": 3},
     {"ev": "Q", "sym": "A", "bp": 10, "bs": 1, "ap": 11, "as": 2, "t": 2}],
    [{"T": "t", "S": "AAPL", "i": 5, "x": "D", "p": 1.5, "s": 100, "c": ["@"],
      "t": "2026-01-02T14:30:00.123456789Z", "z": "C"},
     {"T": "q", "S": "AAPL", "bp": 1, "bs": 1, "ap": 2, "as": 1, "t": "2026-01-02T14:30:00Z"},
     {"T": "s", "S": "AAPL", "sc": "H"}, {"T": "x", "S": "AAPL", "i": 5}],
    {"channel": "market_trades", "sequence_num": 1, "events": [{"type": "update", "trades": [
        {"trade_id": "1", "product_id": "BTC-USD", "price": "1.5", "size": "0.004", "side": "BUY",
         "time": "2026-01-02T14:30:00.5Z"}]}]},
    {"channel": "l2_data", "events": [{"type": "snapshot", "product_id": "BTC-USD", "updates": [
        {"side": "bid", "price_level": "1", "new_quantity": "0.5"},
        {"side": "offer", "price_level": "2", "new_quantity": "0"}]}]},
    {"channel": "trade", "type": "update", "data": [{"symbol": "BTC/USD", "price": 1.25,
        "qty": 0.5, "trade_id": 7, "timestamp": "2026-01-02T14:30:00Z"}]},
)  # fmt: skip


DATA = Path(__file__).resolve().parents[2] / "data" / "json"


def texts() -> list[bytes]:
    """Texts of all vendors; long ones cut."""
    found = [json.dumps(each).encode() for each in OWN]
    found += [
        line for path in sorted(DATA.glob("*.jsonl")) for line in path.read_bytes().splitlines()
    ]
    found.append(b"\n".join(found))
    for pattern in ("json/*/*.json", "json/*/*.jsonl"):
        for data in capture_files(pattern, 1 << 14):
            found += [line for line in data.splitlines() if 2 < len(line) < 2048][:20]
            found.append(data[:2048])
    for data in capture_files("json/*/*.json.gz", 1 << 22):
        found.append(gzip.decompress(data)[:2048])
    return found


vary = varied(texts)


class Mapped(Subject):
    """A mapping behind a session; for a stream, the first byte says the size of its chunks."""

    def __init__(self, mapping: str, session: type[Session]) -> None:
        loaded = load_mapping(mapping)
        super().__init__(partial(_json, loaded), size_exponent=loaded.size_decimals)
        self.session = session(self.protocol, self.mapping)

    def __call__(self, data: bytes) -> None:
        if isinstance(self.session, JsonStream):
            for chunk in chunks(data):
                self.session.receive_data(chunk, 0, self.now)
            self.session.end_of_data(self.now)
        else:
            self.session.receive_data(data, 0, self.now)
        self.check()
        assert isinstance(self.protocol, Json)
        self.protocol.skipped()


def _json(loaded: Any, market: Any) -> Json:
    return Json(market, mapping=loaded)


def inflate(data: bytes) -> None:
    """Any message, and one that begins as a compressed one does."""
    for each in (data, b"\x1f\x8b\x08" + data, b"\x78\x9c" + data):
        for compression in ("auto", "deflate"):
            with contextlib.suppress(FeedError):
                assert len(inflated(each, compression, 4096)) <= max(4096, len(each))


class Tape:
    """The tape agrees with the standard library on what is JSON and what its values are."""

    def __call__(self, data: bytes) -> None:
        lenient = values_of(data, bad=True)
        assert lenient[0][2] == len(lenient)
        found = values_of(data)
        assert found == lenient
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            return  # ours lets pass what is not UTF-8, and lone surrogates
        assert len(found) == _nodes(value) or b"{" in data
        end = found[0][2]
        assert end == len(found)


def _nodes(value: Any) -> int:
    if isinstance(value, list):
        return 1 + sum(map(_nodes, value))
    if isinstance(value, dict):
        return 1 + sum(1 + _nodes(each) for each in value.values())
    return 1


EASTERN = TimeZone("America/New_York")


def read_scalars(data: bytes) -> None:
    """Every reader of numbers and times, on the same bytes."""
    text = data.decode("latin-1")
    readers: tuple[Callable[[], object], ...] = (
        lambda: decimal(data, 9), lambda: decimal(data, 0, "cut"),
        lambda: decimal(data, 4, "round"), lambda: iso(data), lambda: iso(data, EASTERN),
        lambda: by_pattern("%d-%b-%Y %I:%M:%S.%f %p%z", data, EASTERN),
        lambda: parse_price(text), lambda: parse_size(text, 8), lambda: parse_timestamp(text),
    )  # fmt: skip
    for each in readers:
        with contextlib.suppress(DecodeError):
            each()


NUMBERS = (
    b"178.52", b"-0.000000001", b"9223372036.854775807", b"1e-9", b"1.5E+3", b"100000000000000000",
    b"2026-03-08 02:30:00", b"31-Mar-2026 04:05:09.5 pm-0400",
    b"2025-12-01T10:00:00Z", b"2026-03-29T14:30:01.234567891+05:30", b"2016-12-31 23:59:60.5z",
)  # fmt: skip

TARGETS = [
    Target(
        name="scalars",
        covers=("ticker.feeds.json.scalars", "ticker.feeds.json.times", "ticker.units"),
        start=lambda: read_scalars,
        seeds=lambda: list(NUMBERS),
        per_subject=1000,
        longest=200,
        tokens=(b".", b"e", b"E-", b"+", b"-", b"T", b"Z", b":", b"+23:59", b"0" * 30),
    ),
    Target(
        name="jsontape",
        covers=("ticker.feeds.json.tape",),
        start=Tape,
        seeds=texts,
        errors=(DecodeError,),
        per_subject=1000,
        tokens=TOKENS,
        vary=vary,
    ),
    Target(
        name="compression",
        covers=("ticker.feeds.transports.compression",),
        start=lambda: inflate,
        seeds=lambda: [
            pack(each) for each in texts()[:20] for pack in (gzip.compress, zlib.compress)
        ],
        per_subject=1000,
    ),
    Target(
        name="jsonstream",
        covers=("ticker.feeds.sessions.jsonstream",),
        start=lambda: Mapped("plain", JsonStream),
        seeds=texts,
        per_subject=16,
        tokens=TOKENS,
        vary=vary,
    ),
    *(
        Target(
            name=f"json-{name}",
            covers=("ticker.feeds.protocols.json", "ticker.feeds.sessions.framed"),
            start=partial(Mapped, name, Framed),
            seeds=texts,
            per_subject=256,
            tokens=TOKENS,
            vary=vary,
        )
        for name in mappings()
    ),
]
