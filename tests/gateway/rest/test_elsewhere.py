"""What a Redis says of a price is checked like any other bytes."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.gateway.rest.serving.elsewhere import NUMBERS, TEXTS, price_of

OBJECT: dict[str, object] = {
    **dict.fromkeys(NUMBERS, None),
    **dict.fromkeys(TEXTS, None),
    "symbol": "AAPL",
    "price": 185.42,
    "currency": "USD",
    "server_timestamp": "2026-03-30T14:30:00.000000Z",
    "seq": 7,
    "status": "live",
    "stale": False,
    "epoch": 12,
}


def test_a_price_keeps_its_digits_and_is_stale() -> None:
    text = orjson.dumps(OBJECT).replace(b"185.42", b"185.420000001")
    found = price_of("AAPL", text)
    assert found is not None
    again = orjson.dumps(found)
    assert b'"price":185.420000001,' in again
    assert b'"status":"stale"' in again
    assert b'"stale":true' in again
    assert b"epoch" not in again


@pytest.mark.parametrize(
    "change",
    [
        {"symbol": "MSFT"},
        {"symbol": None},
        {"price": "185.42"},
        {"price": True},
        {"price": [1]},
        {"seq": None},
        {"venue": 7},
        {"currency": None},
        {"bid_venue": {"a": 1}},
    ],
    ids=str,
)
def test_an_object_that_is_no_price_is_none(change: dict[str, object]) -> None:
    assert price_of("AAPL", orjson.dumps(OBJECT)) is not None
    assert price_of("AAPL", orjson.dumps(OBJECT | change)) is None


@pytest.mark.parametrize("missing", ["price", "bid", "trading_status"])
def test_an_object_that_lacks_a_field_is_none(missing: str) -> None:
    fields = {name: value for name, value in OBJECT.items() if name != missing}
    assert price_of("AAPL", orjson.dumps(fields)) is None


def test_one_that_is_too_long_is_none() -> None:
    assert price_of("AAPL", orjson.dumps(OBJECT | {"venue": "X" * 5000})) is None


@given(st.binary(max_size=200))
def test_any_bytes_are_a_price_or_none(text: bytes) -> None:
    assert price_of("AAPL", text) is None


@given(st.integers(0, 600), st.binary(min_size=1, max_size=3))
def test_a_damaged_object_is_a_price_or_none(at: int, noise: bytes) -> None:
    whole = orjson.dumps(OBJECT)
    found = price_of("AAPL", whole[:at] + noise + whole[at + len(noise) :])
    assert found is None or orjson.loads(orjson.dumps(found))["stale"] is True
