"""Books as server-sent events, of a real gateway behind a real market."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.gateway.books.exchange import Exchange, define
from ticker.config import Config, DepthConfig


def test_books_as_events(exchange: Exchange, read: Callable[..., Any]) -> None:
    row = define(exchange)
    references = exchange.fill(row, 3)
    reader = read("/stream?symbols=AAPL&channel=depth&levels=2&venue=XNAS")
    whole = reader.until("depth")
    assert (whole["venue"], whole["bids"]) == ("XNAS", [[99.99, 101], [99.98, 102]])
    with exchange.packet() as calls:
        calls.delete_order(references[0], 7)
    delta = reader.until("delta")
    assert (delta["previous_seq"], delta["bids"]) == (whole["seq"], [[99.99, 0], [99.97, 103]])
    for query, said in (
        ("channel=depth&levels=11", "levels: 11 is none that this server has"),
        ("channel=depth&venue=x", "venue must be a market identifier code"),
        ("levels=3", "levels is of books"),
    ):
        assert read(f"/stream?symbols=AAPL&{query}").body()["detail"].startswith(said)


@pytest.mark.parametrize(
    "rig",
    [Config(depth=DepthConfig(rows=1), watchlists={"tech": ("AAPL", "MSFT"), "one": ("AAPL",)})],
    indirect=True,
)
@pytest.mark.usefixtures("rig")
def test_groups_as_events_are_answered_or_refused(
    exchange: Exchange, read: Callable[..., Any]
) -> None:
    """A refusal comes in the place of the answer, also one of symbols behind a name."""
    exchange.fill(define(exchange), 3)
    exchange.reference += 10
    define(exchange, "MSFT")
    assert read("/stream?symbols=@one&channel=depth").until("depth")["symbol"] == "AAPL"
    every = read("/stream?symbols=*&channel=depth")
    assert (every.status, every.body()["code"]) == (400, "bad_parameter")
    many = read("/stream?symbols=@tech&channel=depth")
    assert (many.status, many.body()["code"]) == (503, "depth_full")
    assert "Retry-After: 10" in many.head
