"""Lineage in recordings of our own: simulated days, in order and out of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.feeds.lineage.test_captures import messages_of, payloads
from ticker.cli import main
from ticker.errors import FeedError
from ticker.feeds.lineage.traced import TracedTrade, Tracer
from ticker.feeds.transports.pcap import Capture
from ticker.feeds.workers.pipeline import build
from ticker.shm.segment import Geometry, private_feed
from ticker.shm.table import PriceTable

DAY = date(2026, 3, 2)
Recorded = Callable[[str], Path]


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    """A simulated day of a protocol in a file."""

    def make(protocol: str) -> Path:
        path = tmp_path / f"{protocol}.pcap"
        name = protocol.removesuffix("50")
        options = ["--symbols", "5", "--messages", "3000", "--seed", "4", "--output", str(path)]
        options += ["--date", DAY.isoformat()]
        ran = CliRunner().invoke(main, ["simulate", name, *options], catch_exceptions=False)
        assert ran.exit_code == 0, ran.output
        return path

    return make


def trace(protocol: str, blocks: list[tuple[bytes, int, int]]) -> list[TracedTrade]:
    pipeline = build(private_feed(Geometry(rows=64, rings=2), 1, 1), protocol, None, DAY)
    tracer = Tracer(pipeline)
    tracer.run(blocks)
    assert len(PriceTable(pipeline.mapping)) == 5
    return sorted(
        (trade for trades in tracer.trades.values() for trade in trades),
        key=lambda trade: (trade.origin.channel, trade.origin.sequence),
    )


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["itch50", "tops", "pitch"])
def test_packets_out_of_order_are_named_by_when_they_came(
    recorded: Recorded, protocol: str
) -> None:
    path = recorded(protocol)
    # Line A alone, a microsecond apart: no gap is given up.
    line = [(data, time) for data, time, line in Capture(path) if line == 0]
    start = line[0][1]
    blocks = [(data, start + 1000 * place, 0) for place, (data, _) in enumerate(line)]
    whole = trace(protocol, blocks)
    assert len(whole) > 100
    swapped = blocks[:2]
    for sooner, later in zip(blocks[2::2], blocks[3::2], strict=False):
        # Each comes at the time of its place, with the contents of its neighbour.
        swapped += [(later[0], sooner[1], 0), (sooner[0], later[1], 0)]
    swapped += blocks[len(swapped) :]
    disordered = trace(protocol, swapped)
    assert [(trade.match, trade.seq) for trade in disordered] == [
        (trade.match, trade.seq) for trade in whole
    ]
    moved = 0
    for before, after in zip(whole, disordered, strict=True):
        assert after.origin.sequence == before.origin.sequence
        assert after.origin.message == before.origin.message
        channel, first, messages = messages_of(protocol, swapped[after.origin.packet - 1][0])
        assert (channel, messages[after.origin.sequence - first]) == (
            after.origin.channel,
            after.origin.message,
        )
        moved += after.origin.packet != before.origin.packet
    assert moved > 50


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["itch50", "pitch"])
def test_the_command_names_packet_and_message(recorded: Recorded, protocol: str) -> None:
    path = recorded(protocol)
    arguments = ["lineage", "--capture", str(path), "--protocol", protocol, "--last", "3"]
    symbol = trace(protocol, list(Capture(path)))[-1].symbol
    ran = CliRunner().invoke(main, [*arguments, "--json", symbol], catch_exceptions=False)
    found = json.loads(ran.output)
    packets = payloads(path)
    assert len(found["last"]) == 3
    for trade in [*found["prices"], *found["last"]]:
        _, first, messages = messages_of(protocol, packets[trade["packet"] - 1][1])
        assert messages[trade["sequence"] - first].hex() == trade["message"]
        assert trade["verdict"] == "accepted"
    shown = CliRunner().invoke(main, [*arguments, symbol], catch_exceptions=False).output
    assert f"sequence             {found['prices'][0]['sequence']}\n" in shown
    refused = CliRunner().invoke(main, [*arguments, "NOSUCH"])
    assert "has no trade of NOSUCH" in refused.output


def test_a_session_without_numbered_packets_is_refused() -> None:
    pipeline = build(private_feed(Geometry(rows=4, rings=1), 1, 1), "itch50", "binaryfile", DAY)
    with pytest.raises(FeedError, match="in no numbered packets"):
        Tracer(pipeline)
