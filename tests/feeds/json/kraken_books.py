"""Books as Kraken's WebSocket v2 sends them, and the checksum of its guide, in plain Python."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from decimal import Decimal

Level = tuple[str, str]
"""Price and quantity, as they are written."""
TIME = "2026-03-31T13:30:00.000000Z"


def checksum(bids: Iterable[Level], asks: Iterable[Level]) -> int:
    """Of the best ten levels of each side, in any order."""
    best_asks = sorted(asks, key=lambda level: Decimal(level[0]))[:10]
    best_bids = sorted(bids, key=lambda level: -Decimal(level[0]))[:10]
    digits = [
        each.replace(".", "").lstrip("0") for level in best_asks + best_bids for each in level
    ]
    return zlib.crc32("".join(digits).encode())


def book(
    kind: str, bids: Iterable[Level], asks: Iterable[Level], crc: int, symbol: str = "BTC/USD"
) -> str:
    """A message of the book channel: its numbers stand as they are written."""
    return message(kind, record(bids, asks, crc, symbol))


def message(kind: str, *records: str) -> str:
    return f'{{"channel":"book","type":"{kind}","data":[{",".join(records)}]}}'


def record(bids: Iterable[Level], asks: Iterable[Level], crc: int, symbol: str = "BTC/USD") -> str:
    return (
        f'{{"symbol":{json.dumps(symbol)},"bids":[{levels(bids)}],"asks":[{levels(asks)}],'
        f'"checksum":{crc},"timestamp":"{TIME}"}}'
    )


def levels(side: Iterable[Level]) -> str:
    return ",".join(f'{{"price":{price},"qty":{quantity}}}' for price, quantity in side)
