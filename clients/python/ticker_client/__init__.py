"""Prices from a ticker server: see README.md."""

from __future__ import annotations

from .client import Client
from .errors import (
    AuthError,
    NoServerError,
    RedirectError,
    RefusedError,
    RequestError,
    TickerError,
    UnknownSymbolError,
)
from .messages import (
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
from .table import BarTable, Table, to_df
from .watch import Watch

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
    "RedirectError",
    "RefusedError",
    "RequestError",
    "Snapshot",
    "Table",
    "TickerError",
    "UnknownSymbolError",
    "Update",
    "Watch",
    "to_df",
]
