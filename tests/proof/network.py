"""Checks of the messages of /stream and REST; point 2 of test_three_venues.py."""

from __future__ import annotations

import json
import urllib.request
from collections import defaultdict
from decimal import Decimal
from typing import Any

from tests.proof.book import Shown
from tests.proof.recomputation import E9, FEEDS, Recomputation
from tests.proof.rig import Wire


def check_stream(wire: Wire, truth: Recomputation) -> int:
    """Every message is a last sale, none goes back, and the last one is the final price. (A sale
    that is taken back may not take time back: docs/consolidation.md.)"""
    assert not wire.errors
    sales: dict[str, set[tuple[int, int]]] = defaultdict(set)
    broken: dict[str, set[int]] = defaultdict(set)
    for venue in truth.venues.values():
        for symbol, of in venue.symbols.items():
            sales[symbol] |= {(sale[1], sale[3] // 1000) for sale in of.sales if sale[4]}
            broken[symbol] |= {trade.time // 1000 for trade in of.taken_back}
    last: dict[str, tuple[int | None, int]] = {}
    for kind, symbol, price, when in wire.updates:
        if symbol in last:
            assert kind == "update"
            assert when >= last[symbol][1], (symbol, "went back in time")
        if price is None:
            # No sale is left: told with the time of the taking back, or of the sale taken back.
            assert broken[symbol], symbol
            assert when >= min(broken[symbol]), (symbol, when)
        elif (price, when) not in sales[symbol]:
            # An older sale that counts again, told with the time of what was told before.
            assert when in broken[symbol] or (symbol in last and last[symbol] == (None, when))
            assert price in {each for each, at in sales[symbol] if at <= when}, (symbol, price)
        last[symbol] = (price, when)
    for symbol in filter(sales.get, list(sales)):
        final = truth.shown(symbol, FEEDS).price
        assert last[symbol][0] == final, symbol
    return len(wire.updates)


def rest(url: str) -> Any:
    with urllib.request.urlopen(url) as answer:
        return json.loads(answer.read(), parse_float=Decimal)


NAMES = [name for name in Shown._fields if name != "exchange_time"]
PRICES = ("price", "open", "high", "low", "official_close", "extended_price", "bid", "ask")


def rest_figures(url: str, symbols: list[str], venue: str = "") -> dict[str, dict[str, Any]]:
    """What /prices says, with prices as integers of 1e-9."""
    found = {}
    for first in range(0, len(symbols), 100):
        query = ",".join(symbols[first : first + 100]) + (f"&venue={venue}" if venue else "")
        for price in rest(f"{url}prices?symbols={query}")["prices"]:
            figures = {name: price[name] or 0 for name in NAMES}
            for name in PRICES:
                figures[name] = None if price[name] is None else int(Decimal(price[name]) * E9)
            for name in ("bid_venue", "ask_venue"):
                figures[name] = price[name] or ""
            found[price["symbol"]] = figures
    return found


def true_figures(truth: Recomputation, symbols: list[str], feeds: list[str]) -> dict[str, Any]:
    found = {}
    for symbol in symbols:
        there = [f for f in feeds if symbol in truth.venues[f].symbols] or feeds
        shown = truth.shown(symbol, there)
        if shown.price is not None or any(truth.of(f, symbol).taken_back for f in there):
            found[symbol] = {name: getattr(shown, name) for name in NAMES}
    return found
