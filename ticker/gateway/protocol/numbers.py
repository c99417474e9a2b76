"""The numbers of the Protobuf wire, written down.

Law: a number that clients have seen keeps its meaning for ever. A new field or message takes the
next number that was never used, wherever it stands in its type (messages.py); one that is taken
out leaves its number unused. A test holds every number that is here to its own copy.
"""

from __future__ import annotations

# Fields of ClientMessage and of ServerMessage, by the `action` and the `type`.
COMMAND_NUMBERS = {
    "subscribe": 1,
    "unsubscribe": 2,
    "reconnect": 3,
    "configure": 4,
    "auth": 5,
    "ping": 6,
}
MESSAGE_NUMBERS = {
    "snapshot": 1,
    "update": 2,
    "hello": 3,
    "subscribed": 4,
    "unsubscribed": 5,
    "recovered": 6,
    "configured": 7,
    "status": 8,
    "lagged": 9,
    "heartbeat": 10,
    "pong": 11,
    "goodbye": 12,
    "error": 13,
    "correction": 14,
    "batch": 15,
    "cancel": 16,
    "depth": 17,
    "delta": 18,
    "bar": 19,
}

_PRICE = {
    "symbol": 1,
    "price": 2,
    "timestamp": 3,
    "seq": 4,
    "channel": 5,
    "size": 6,
    "venue": 7,
    "volume": 8,
    "trades": 9,
    "bid": 10,
    "bid_size": 11,
    "ask": 12,
    "ask_size": 13,
    "open": 14,
    "high": 15,
    "low": 16,
    "previous_close": 17,
    "official_close": 18,
    "extended_price": 19,
    "extended_timestamp": 20,
    "volume_high": 21,
    "trade_id": 22,
    "size_exponent": 100,
}
_TRADE = {
    "symbol": 1,
    "price": 2,
    "timestamp": 3,
    "seq": 4,
    "channel": 5,
    "size": 6,
    "venue": 7,
    "trade_id": 22,
    "size_exponent": 100,
}
_WATCH = {"id": 1, "symbols": 2, "symbol": 3, "channel": 4, "interval": 7}
_TAKEN = {"id": 1, "symbols": 2, "rejected": 3, "channel": 4, "interval": 7}
_BOOK = {
    "symbol": 1,
    "timestamp": 2,
    "seq": 3,
    "venue": 5,
    "bids": 6,
    "asks": 7,
    "size_exponent": 100,
}
# Fields of each message, by the names of messages.py.
FIELD_NUMBERS: dict[str, dict[str, int]] = {
    "Subscribe": {**_WATCH, "levels": 5, "venue": 6},
    "Unsubscribe": {**_WATCH, "venue": 6},
    "Reconnect": {"id": 1, "last_seen": 2, "channel": 3, "interval": 7, "levels": 4, "venue": 5},
    "Configure": {"id": 1, "max_rate": 2, "batch": 3},
    "Auth": {"id": 1, "token": 2},
    "Ping": {"id": 1},
    "Snapshot": _PRICE,
    "Update": _PRICE,
    "Hello": {"protocol": 1, "epoch": 2, "limits": 3, "heartbeat": 4, "auth": 5},
    "Subscribed": {**_TAKEN, "levels": 5, "venue": 6},
    "Unsubscribed": {**_TAKEN, "venue": 6},
    "Recovered": {**_TAKEN, "levels": 5, "venue": 6},
    "Configured": {"id": 1, "max_rate": 2, "batch": 3},
    "Status": {"symbol": 1, "feed": 2, "market": 3, "state": 4, "phase": 5},
    "Lagged": {"symbol": 1, "skipped": 2},
    "Heartbeat": {"timestamp": 1},
    "Pong": {"id": 1},
    "Goodbye": {"reason": 1, "retry_after": 2},
    "Error": {"code": 1, "reason": 2, "message": 3, "id": 4, "symbol": 5},
    "Limits": {
        "symbols": 1,
        "message": 2,
        "outbound": 3,
        "commands_per_second": 4,
        "commands_burst": 5,
        "max_rate": 6,
        "slow_timeout": 7,
    },
    "Rejected": {"symbol": 1, "code": 2},
    "Correction": {**_TRADE, "new_trade_id": 23, "eligible": 24},
    "Cancel": _TRADE,
    "LiveBar": {
        "symbol": 1,
        "channel": 2,
        "interval": 3,
        "start": 4,
        "state": 5,
        "open": 6,
        "high": 7,
        "low": 8,
        "close": 9,
        "volume": 10,
        "trades": 11,
        "vwap": 12,
        "timestamp": 13,
        "revision": 14,
        "exact": 15,
        "complete": 16,
        "volume_high": 21,
        "size_exponent": 100,
    },
    "Depth": {**_BOOK, "levels": 4},
    "Delta": {**_BOOK, "previous_seq": 8},
    "Level": {"price": 1, "size": 2},
}
