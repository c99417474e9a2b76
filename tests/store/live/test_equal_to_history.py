"""The bars in motion equal those that REST reads from the disk, of the same trades."""

from __future__ import annotations

import json
import random
from decimal import Decimal
from pathlib import Path

import orjson
import pytest

from ticker.feeds.calls import TRADE_COUNTS_VOLUME, TRADE_EXTENDED, TRADE_REGULAR, Calls
from ticker.feeds.market.market import Market
from ticker.gateway.rest.bars import bar as shown
from ticker.shm.bars.published import SPAN_SECONDS, BarFlag, BarsReader, BarsWriter
from ticker.shm.segment import Geometry, private_bars, private_feed
from ticker.store.chronicle import Chronicle
from ticker.store.live.bars import LiveBars
from ticker.store.past import Past
from ticker.store.reader import HistoryReader
from ticker.store.sqlite import History

E9 = 1_000_000_000
DAY = 1_774_881_000 * E9
VENUES = ("XNAS", "ARCX", "BATS")
FIGURES = ("open", "high", "low", "close", "vwap", "volume")
SYMBOLS = ("AAPL", "MSFT", "BRK A", "GOOG")


@pytest.mark.parametrize("seed", range(6))
def test_of_three_venues_with_breaks_and_corrections(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    geometry = Geometry(rows=16, rings=2, ring_capacity=1 << 14)
    mappings = [private_feed(geometry, 1, 1) for _ in VENUES]
    markets = [
        Market(mapping, venue=venue) for mapping, venue in zip(mappings, VENUES, strict=True)
    ]
    calls = [Calls(market) for market in markets]
    rows = [[each.define(key, name) for key, name in enumerate(SYMBOLS)] for each in calls]
    history = History(tmp_path)
    chronicles = [
        Chronicle(mapping, venue, history, 1, DAY, 1 << 12)
        for mapping, venue in zip(mappings, VENUES, strict=True)
    ]
    segment = private_bars(64, 1 << 15)
    reader = BarsReader(segment)
    live = LiveBars(list(zip(VENUES, mappings, strict=True)), BarsWriter(segment), 1 << 12)
    now = DAY
    ids: list[list[list[int]]] = [[[] for _ in SYMBOLS] for _ in VENUES]
    for step in range(2500):
        now += chance.choice([0, 1_000_000, E9 // 3, 3 * E9])
        venue, key = chance.randrange(3), chance.randrange(4)
        mine = ids[venue][key]
        price, size = chance.randrange(90, 110) * E9 // 7, chance.randrange(1, 900)
        if mine and chance.random() < 0.05:
            calls[venue].break_trade(rows[venue][key], mine.pop(chance.randrange(len(mine))), now)
        elif mine and chance.random() < 0.05:
            calls[venue].correct_trade(rows[venue][key], chance.choice(mine), price, size, now)
        else:
            flags = TRADE_REGULAR if chance.random() < 0.8 else TRADE_EXTENDED | TRADE_COUNTS_VOLUME
            time = now // 1_000_000 * 1_000_000  # of a venue that has ms: many are equal
            calls[venue].trade(rows[venue][key], price, size, step + 1, flags, time, now)
            mine.append(step + 1)
        if chance.random() < 0.2 or step == 2499:
            for market in markets:
                market.publish(now)
            live.read(now)
            live.close(now)
            live.publish(now)
            for chronicle in chronicles:
                chronicle.read(now)
                if chance.random() < 0.05:
                    chronicle.write(now)
    for chronicle in chronicles:
        chronicle.write(now)
    told = {(one["symbol"], one["span"], one["start"]): one for one in reader.take(1 << 20)}
    past = Past(HistoryReader(tmp_path))
    compared = 0
    for span, length in enumerate(SPAN_SECONDS):
        if length < 60:
            continue
        for number in range(reader.shared.symbol_count):
            name = reader.shared.name(number)
            found, _ = past.bars([name], length, 0, now // E9 + 3600, 1000, None)[name]
            starts = {start for symbol, at, start in told if (symbol, at) == (number, span)}
            assert {row["minute"] * E9 for row in found} == starts
            for row in found:
                one = told[number, span, row["minute"] * E9]
                kept = json.loads(
                    orjson.dumps(shown({**row, "complete": True})), parse_float=Decimal
                )
                assert {figure: kept[figure] for figure in FIGURES} == in_motion(one)
                assert kept["trades"] == one["trades"]
                compared += 1
    assert compared > 100


def in_motion(one: dict[str, int]) -> dict[str, Decimal | None]:
    flags = one["flags"]
    assert not flags & (BarFlag.BAR_INEXACT | BarFlag.BAR_INCOMPLETE)
    needed = {
        "vwap": BarFlag.BAR_HAS_VWAP,
        "high": BarFlag.BAR_HAS_RANGE,
        "low": BarFlag.BAR_HAS_RANGE,
    }
    found: dict[str, Decimal | None] = {
        figure: Decimal(one[figure]).scaleb(-9)
        if flags & needed.get(figure, BarFlag.BAR_HAS_PRICE)
        else None
        for figure in FIGURES[:5]
    }
    return {**found, "volume": Decimal(one["volume"]).scaleb(-one["size_exponent"])}
