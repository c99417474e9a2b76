"""Parts are found by their file's name, and only so."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from ticker.errors import FeedError
from ticker.feeds.protocols.itch50 import Itch50
from ticker.feeds.sessions.binaryfile import BinaryFile
from ticker.feeds.sessions.moldudp64 import MoldUDP64
from ticker.feeds.transports import binaryfile, pcap
from ticker.feeds.workers import pipeline
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import PriceTable


def test_finds_by_name() -> None:
    assert pipeline.load_protocol("itch50") is Itch50
    assert pipeline.load_session("binaryfile") is BinaryFile
    assert pipeline.load_session("moldudp64") is MoldUDP64
    assert pipeline.file_blocks("binaryfile") is binaryfile.blocks
    assert pipeline.file_blocks("moldudp64") is pcap.blocks


def test_a_protocol_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ticker.feeds import protocols

    (tmp_path / "sundial.py").write_text(
        "from ticker.feeds.protocol import Protocol\nclass Sundial(Protocol): pass\n"
    )
    (tmp_path / "hollow.py").write_text("from ticker.feeds.protocol import Protocol\n")
    monkeypatch.setattr(protocols, "__path__", [*protocols.__path__, str(tmp_path)])
    assert pipeline.load_protocol("sundial").__name__ == "Sundial"
    with pytest.raises(FeedError, match=r"hollow(\.py)?: defines no Protocol"):
        pipeline.load_protocol("hollow")


@pytest.mark.parametrize("name", ["itch51", "..itch50", "a.b", ""])
def test_what_is_not_there_is_refused_with_what_is(name: str) -> None:
    with pytest.raises(FeedError, match=r"known: .*itch50"):
        pipeline.load_protocol(name)


def test_builds_a_feed_that_knows_its_day_and_venue(itch: Any) -> None:
    mapping = private_feed(Geometry(rows=4, rings=1, ring_capacity=16), 1, 1)
    feed = pipeline.build(
        mapping, "itch50", "binaryfile", date(2020, 7, 1), venue="XNAS", currency="USD"
    )
    message = itch.trade(1, 100, 320_0000, 1, time=9_000_000_000)
    feed.session.receive_data(len(message).to_bytes(2, "big") + message, 0, 5)
    table = PriceTable(mapping)
    values = table.values(0)
    assert values is not None
    assert (table.symbol(0), table.venue(0), table.currency(0)) == ("AAPL", "XNAS", "USD")
    assert values["exchange_time"] == 1_593_576_009_000_000_000
    assert values["receive_time"] == 5
