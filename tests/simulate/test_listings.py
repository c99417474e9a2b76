"""The listings of the simulated exchange."""

from __future__ import annotations

import pytest

from ticker.simulate.market.listings import MAX_SYMBOLS, listed, listings


def test_some_200_real_tickers_come_first() -> None:
    real = listed()
    assert len(real) >= 200
    assert [listing.symbol for listing in real[:2]] == ["AAPL", "MSFT"]
    assert listings(50) == real[:50]
    for listing in real:
        assert listing.name
        assert 10_000 < listing.price < 20_000_000
        assert listing.price % 100 == 0


def test_funds_are_known_as_such() -> None:
    funds = {listing.symbol for listing in listed() if listing.is_fund}
    assert {"SPY", "QQQ", "GLD"} <= funds
    assert not {"AAPL", "TFC", "NTRS"} & funds


@pytest.mark.slow
def test_every_ticker_is_unique_and_fits() -> None:
    found = listings(MAX_SYMBOLS)
    assert len({listing.symbol for listing in found}) == MAX_SYMBOLS
    assert all(1 <= len(listing.symbol) <= 8 and listing.symbol.isascii() for listing in found)
    assert all(40_000 <= listing.price <= 3_000_000 for listing in found[len(listed()) :])


@pytest.mark.parametrize("count", [0, -1, MAX_SYMBOLS + 1])
def test_counts_out_of_range_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match="give 1 to 65535"):
        listings(count)
