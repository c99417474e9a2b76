"""Prices from a ticker server: see README.md."""

from __future__ import annotations

from ticker_client.client import Client
from ticker_client.errors import (
    AuthError,
    NoServerError,
    RequestError,
    TickerError,
    UnknownSymbolError,
)
from ticker_client.messages import (
    Bar,
    Cancel,
    Correction,
    Depth,
    Lagged,
    LiveBar,
    Movers,
    PriceObject,
    Snapshot,
    Update,
)
from ticker_client.table import BarTable, Table, to_df
from ticker_client.watch import Watch

__all__ = [
    "AuthError",
    "Bar",
    "BarTable",
    "Cancel",
    "Client",
    "Correction",
    "Depth",
    "Lagged",
    "LiveBar",
    "Movers",
    "NoServerError",
    "PriceObject",
    "RequestError",
    "Snapshot",
    "Table",
    "TickerError",
    "UnknownSymbolError",
    "Update",
    "Watch",
    "to_df",
]
