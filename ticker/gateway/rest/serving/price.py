"""A price in the form of REST. Law: no price passes through a float."""

from __future__ import annotations

import orjson

from ticker.gateway.prices.view import PriceView
from ticker.units import format_price, format_size, format_timestamp


def price_object(view: PriceView) -> dict[str, object]:
    """One price in the form of the protocol; None means unknown.

    Prices and sizes are fragments of JSON text with the exact decimals.
    """
    return {
        "symbol": view.symbol,
        "price": exact_price(view.price),
        "currency": view.currency,
        "exchange_timestamp": _timestamp(view.price_time),
        "server_timestamp": _timestamp(view.receive_time or view.publish_time),
        "size": exact_size(view.size, view) if view.price is not None else None,
        "venue": view.venue or None,
        "volume": exact_size(view.volume, view),
        "trades": view.trades,
        "open": exact_price(view.open),
        "high": exact_price(view.high),
        "low": exact_price(view.low),
        "official_close": exact_price(view.official_close),
        "previous_close": exact_price(view.previous_close),
        "extended_price": exact_price(view.extended_price),
        "extended_timestamp": _timestamp(view.extended_time),
        "bid": exact_price(view.bid),
        "bid_size": exact_size(view.bid_size, view) if view.bid is not None else None,
        "bid_venue": view.bid_venue or None,
        "ask": exact_price(view.ask),
        "ask_size": exact_size(view.ask_size, view) if view.ask is not None else None,
        "ask_venue": view.ask_venue or None,
        "seq": view.seq,
        "status": view.status,
        "stale": view.stale,
        "trading_status": view.trading_status,
    }


def exact_price(price: int | None) -> orjson.Fragment | None:
    """A price, 1e-9 units, as a JSON number."""
    return orjson.Fragment(format_price(price)) if price is not None else None


def exact_size(size: int, view: PriceView) -> orjson.Fragment:
    return orjson.Fragment(format_size(size, view.size_exponent))


def _timestamp(ns: int) -> str | None:
    return format_timestamp(ns) if ns else None
