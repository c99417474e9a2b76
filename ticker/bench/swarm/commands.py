"""The commands of a swarm's clients in each encoding, without the gateway's code."""

from __future__ import annotations

import struct
from typing import Any

import msgspec

ENCODINGS = ("plain", "json", "msgpack", "protobuf")
TEXT, BINARY = 1, 2  # opcodes of RFC 6455, 5.2
REASONS = {
    400: "invalid_syntax",
    401: "not_authenticated: give a valid --token",
    402: "auth_failed: give a valid --token",
    404: "auth_timeout: give a valid --token",
    405: "symbol_limit_exceeded: ask for fewer --symbols-per-client, or raise gateway.max_symbols",
    406: "connection_limit_exceeded: ask for fewer --clients, or raise the token's connections",
    407: "slow_client",
    410: "unsupported_action",
    413: "message_too_large: ask for fewer --symbols-per-client",
    429: "rate_limited",
    460: "unknown_symbol",
    500: "internal",
}
_ACTIONS = {"subscribe": 1, "unsubscribe": 2, "configure": 4}  # fields of ClientMessage
_SYMBOLS, _CHANNEL = 2, 4  # fields of Subscribe and Unsubscribe
_MAX_RATE, _PACE = 2, 4  # fields of Configure


def command(encoding: str, action: str, **fields: Any) -> tuple[int, bytes]:
    """(opcode, message) of a subscribe, unsubscribe or configure; `fields` as in JSON."""
    message = {"action": action, **fields}
    if encoding == "protobuf":
        return BINARY, _field(_ACTIONS[action], _fields(fields))
    if encoding == "msgpack":
        return BINARY, msgspec.msgpack.encode(message)
    return TEXT, msgspec.json.encode(message)


def subprotocol(encoding: str) -> str:
    """The subprotocol that such a client offers in its handshake; empty in the plain dialect."""
    return "" if encoding == "plain" else f"ticker.v1.{encoding}"


def refusal(code: int) -> str:
    """An error's code, or a close code (4000 + that of a fatal error), with its reason."""
    reason = REASONS.get(code - 4000 if code > 4000 else code)
    return f"{code} {reason}" if reason else str(code)


def _fields(fields: dict[str, Any]) -> bytes:
    raw = b"".join(_field(_SYMBOLS, each.encode()) for each in fields.get("symbols", ()))
    if "channel" in fields:
        raw += _field(_CHANNEL, fields["channel"].encode())
    if "max_rate" in fields:
        raw += bytes((_MAX_RATE << 3 | 1,)) + struct.pack("<d", fields["max_rate"])
    if "pace" in fields:
        raw += _field(_PACE, fields["pace"].encode())
    return raw


def _field(number: int, data: bytes) -> bytes:
    """A length-delimited field (protobuf.dev, "Encoding")."""
    length, size = len(data), b""
    while length > 0x7F:
        size += bytes((length & 0x7F | 0x80,))
        length >>= 7
    return bytes((number << 3 | 2,)) + size + bytes((length,)) + data
