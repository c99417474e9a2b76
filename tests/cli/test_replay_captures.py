"""`ticker replay` against the results of other decoders for the same real captures."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ticker import units
from ticker.cli import main
from ticker.feeds.day import midnight_ns, session_day

DAY = "2020-01-30"


def replay(file: Path, session: str, *options: str) -> dict[str, Any]:
    result = CliRunner().invoke(
        main,
        ["replay", str(file), "--protocol", "itch50", "--session", session, "--json", *options],
    )
    assert result.exit_code == 0, result.output
    report: dict[str, Any] = json.loads(result.output)
    return report


@pytest.mark.parametrize(
    ("name", "session"),
    [("locate-13-10k.bin", "binaryfile"), ("locate-13-10k.mold.pcap", "moldudp64")],
)
def test_agrees_with_the_other_decoders(samples: Path, name: str, session: str) -> None:
    truth = json.loads((samples / "itch" / "locate-13-10k.truth.json").read_text())
    report = replay(samples / "itch" / name, session, "--raw", "--date", DAY)
    assert report["messages"] == truth["messages"]
    assert report["gaps"] == 0
    assert list(report["symbols"]) == list(truth["symbols"])
    for symbol, wanted in truth["symbols"].items():
        check_symbol(report["symbols"][symbol], wanted, truth["final_book"][symbol])


def check_symbol(found: dict[str, Any], trades: dict[str, Any], book: dict[str, Any]) -> None:
    assert found["trades"] == trades["trades"]
    assert found["volume"] == trades["volume"]
    assert found["size"] == trades["last_size"]
    assert Decimal(found["price"]) == Decimal(trades["last_price"])
    assert Decimal(found["high"]) == Decimal(trades["high"])
    assert Decimal(found["low"]) == Decimal(trades["low"])
    assert Decimal(found["bid"]) == Decimal(book["bid"])
    assert Decimal(found["ask"]) == Decimal(book["ask"])
    assert found["bid_size"] == book["bid_size"]
    assert found["ask_size"] == book["ask_size"]
    assert found["status"] == "trading"
    time = units.parse_timestamp(found["exchange_timestamp"])
    midnight = midnight_ns(session_day(time))
    assert time - midnight == trades["last_trade_ts_ns"] // 1000 * 1000


def test_the_filter_finds_nothing_to_reject_in_real_data(samples: Path) -> None:
    file = samples / "itch" / "locate-13-10k.bin"
    filtered = replay(file, "binaryfile", "--date", DAY, "--calendar", "none")
    raw = replay(file, "binaryfile", "--raw", "--date", DAY)
    assert filtered["symbols"] == raw["symbols"]
    assert set(filtered["rejected"].values()) == {0}
    # It is all of it before the open.
    (early,) = replay(file, "binaryfile", "--date", DAY)["symbols"].values()
    (raw,) = raw["symbols"].values()
    assert (early["extended_price"], early["price"]) == (raw["price"], None)
    assert (early["volume"], early["trades"]) == (raw["volume"], raw["trades"])


def test_the_session_defaults_to_the_protocols_own(samples: Path) -> None:
    path = samples / "itch" / "locate-13-10k.mold.pcap"
    result = CliRunner().invoke(main, ["replay", str(path), "--protocol", "itch50", "--json"])
    assert json.loads(result.output)["messages"] == 10_000
