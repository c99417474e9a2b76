"""What a client may say: JSON text in, a checked command or a numbered error out.

No socket, no clock, no state. The messages are those of protocol version 1.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from ticker.errors import DecodeError
from ticker.units import parse_timestamp

MAX_SYMBOL = 23
Id = str | int | None
REASONS = {
    400: "invalid_syntax",
    405: "symbol_limit_exceeded",
    410: "unsupported_action",
    429: "rate_limited",
    460: "unknown_symbol",
}


class CommandError(Exception):
    """A refused message: nothing was changed. `code` and `reason` are the protocol's."""

    def __init__(self, code: int, message: str, command_id: Id = None, symbol: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.reason = REASONS[code]
        self.message = message
        self.command_id = command_id
        self.symbol = symbol


class _Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    action: str
    id: Id = None


class _Symbols(_Command, frozen=True, kw_only=True):
    symbols: list[str] | None = None
    symbol: str | None = None
    channel: Literal["price"] = "price"

    def names(self) -> list[str]:
        """The symbols asked for, in order, each once."""
        if (self.symbols is None) == (self.symbol is None):
            raise CommandError(400, "symbols: give `symbols` (a list) or `symbol`", self.id)
        names = [self.symbol] if self.symbol is not None else self.symbols or []
        if not names:
            raise CommandError(400, "symbols: the list is empty", self.id)
        return _checked(names, self.id)


class Subscribe(_Symbols, frozen=True):
    """Start watching symbols; a snapshot of each comes at once."""


class Unsubscribe(_Symbols, frozen=True):
    """Stop watching symbols."""


class Reconnect(_Command, frozen=True, kw_only=True):
    """Subscribe again after a lost connection; snapshots only where the price is newer."""

    last_seen: dict[str, object]
    channel: Literal["price"] = "price"

    def names(self) -> list[str]:
        """The symbols asked for."""
        return _checked(list(self.last_seen), self.id)

    def seen(self, name: str) -> int | None:
        """Microseconds of the last price seen; None for whatever is not a time."""
        value = self.last_seen[name]
        if not isinstance(value, str):
            return None
        try:
            return parse_timestamp(value) // 1000
        except DecodeError:
            return None


class Ping(_Command, frozen=True):
    """Answered in the dialects that have an answer to it; counts as a sign of life."""


Command = Subscribe | Unsubscribe | Reconnect | Ping


class _Action(msgspec.Struct, frozen=True):
    action: str
    id: Id = None


_ACTION = msgspec.json.Decoder(_Action)
_DECODERS: dict[str, msgspec.json.Decoder[Command]] = {
    "subscribe": msgspec.json.Decoder(Subscribe),
    "unsubscribe": msgspec.json.Decoder(Unsubscribe),
    "reconnect": msgspec.json.Decoder(Reconnect),
    "ping": msgspec.json.Decoder(Ping),
}


def parse_command(payload: bytes) -> Command:
    """A text message as a command.

    Raises:
        CommandError: 400 invalid_syntax, which names the field; 410 unsupported_action.
    """
    command_id: Id = None
    try:
        action = _ACTION.decode(payload)
        command_id = action.id
        decoder = _DECODERS.get(action.action)
        if decoder is not None:
            return decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CommandError(400, _clean(str(error)), command_id) from None
    known = ", ".join(_DECODERS)
    raise CommandError(410, f"action: {action.action[:40]!r} is not one of {known}", command_id)


def error_message(error: CommandError) -> bytes:
    """The `error` message for a refusal."""
    fields: dict[str, object] = {
        "type": "error",
        "code": error.code,
        "reason": error.reason,
        "message": error.message,
    }
    if error.symbol:
        fields["symbol"] = error.symbol
    if error.command_id is not None:
        fields["id"] = error.command_id
    return msgspec.json.encode(fields)


def _checked(names: list[str], command_id: Id) -> list[str]:
    for name in names:
        if not (0 < len(name) <= MAX_SYMBOL and name.isascii() and name.isprintable()):
            raise CommandError(
                400,
                f"symbols: {name[:40]!r} is not 1 to {MAX_SYMBOL} printable ASCII characters",
                command_id,
            )
    return list(dict.fromkeys(names))


def _clean(text: str) -> str:
    return text.replace("`$.", "`").replace("Object ", "message ")
