"""The commands of clients: a message in, a checked command or a numbered error out.

No socket, no clock, no state. The types are those of messages.py.
"""

from __future__ import annotations

import difflib
import re

import msgspec
from msgspec import UNSET

from ticker.errors import DecodeError
from ticker.gateway.bars.encode import INTERVALS
from ticker.gateway.hub.fields import CHANNEL_NAMES
from ticker.gateway.hub.fields import FIRST_BARS_CHANNEL as FIRST_BARS
from ticker.gateway.protocol.codec import CODECS, JSON, Codec
from ticker.gateway.protocol.codes import Code
from ticker.gateway.protocol.messages import (
    COMMANDS,
    AnyCommand,
    Command,
    Error,
    Reconnect,
    Subscribe,
    Unsubscribe,
)
from ticker.gateway.protocol.vocabulary import MAX_ID, MAX_SYMBOL, Id
from ticker.units import parse_timestamp

ACTIONS: dict[str, type[Command]] = {
    str(command.__struct_config__.tag): command for command in COMMANDS
}
ONLY_V1 = {
    "trades": "`lagged`", "bars": "`lagged`", "depth": "`depth` and `delta`", "movers": "`movers`",
}  # fmt: skip
"""Channels with messages that the plain dialect does not have."""
_AT = re.compile(r"^(.*?)(?: - at (`key` in )?`\$\.?(.*)`)?$", re.DOTALL)


class CommandError(Exception):
    """A refused message: nothing was changed."""

    def __init__(
        self, code: int, message: str, command_id: Id | None = None, symbol: str = ""
    ) -> None:
        super().__init__(message)
        self.code = Code(code)
        self.message = message
        self.command_id = command_id
        self.symbol = symbol


def parse_command(payload: bytes, is_text: bool = True, codec: Codec = CODECS[JSON]) -> AnyCommand:
    """A message as a command.

    Raises:
        CommandError: 400 invalid_syntax, which names the field; 410 unsupported_action.
    """
    try:
        tree = codec.read(is_text, payload)
    except DecodeError as error:
        raise CommandError(400, str(error)) from None
    command_id = _id_of(tree)
    action = tree.get("action")
    if not isinstance(action, str):
        raise CommandError(400, "action: missing, or not a string", command_id)
    command = ACTIONS.get(action)
    if command is None:
        near = difflib.get_close_matches(action[:40], ACTIONS, n=1, cutoff=0.6)
        advice = f"did you mean {near[0]}?" if near else f"known: {', '.join(ACTIONS)}"
        raise CommandError(410, f"action: {_shown(action)} is unknown; {advice}", command_id)
    try:
        return msgspec.convert(tree, command)  # type: ignore[return-value]
    except msgspec.ValidationError as error:
        raise CommandError(400, _where_and_what(str(error)), command_id) from None


def symbols_of(command: Subscribe | Unsubscribe | Reconnect) -> list[str]:
    """The symbols that a command is about, in order, each once.

    Raises:
        CommandError: 400 for none, or for `symbol` and `symbols` at once.
    """
    if isinstance(command, Reconnect):
        names = list(command.last_seen)
    elif (command.symbols is None) == (command.symbol is None):
        raise CommandError(400, "symbols: give `symbols` (a list) or `symbol`", command.id)
    else:
        names = [command.symbol] if command.symbol is not None else command.symbols or []
    if not names:
        field = "last_seen" if isinstance(command, Reconnect) else "symbols"
        raise CommandError(400, f"{field}: is empty", command.id)
    return list(dict.fromkeys(names))


def channel_of(
    command: Subscribe | Unsubscribe | Reconnect, *, plain: bool = False, bars: bool = True
) -> int:
    """The hub's number of the channel that a command is about. `bars`: some are made here.

    Raises:
        CommandError: 400 for a channel that the plain dialect does not have, and for an interval
        that is missing or too much; 410 without bars.
    """
    has = ONLY_V1.get(command.channel)
    if plain and has is not None:
        raise CommandError(
            400,
            f"channel: `{command.channel}` needs a ticker.v1 subprotocol, which has {has}; "
            "offer one",
            command.id,
        )
    if (command.channel == "bars") != (command.interval is not None):
        said = f"give one of {', '.join(INTERVALS)} with the channel `bars`, and only there"
        raise CommandError(400, f"interval: {said}", command.id)
    if command.interval is None:
        return CHANNEL_NAMES.index(command.channel)
    if not bars:
        said = "this server makes no bars; [store] enabled = true switches them on"
        raise CommandError(410, f"channel: {said}", command.id)
    return FIRST_BARS + INTERVALS.index(command.interval)


def seen(value: object) -> int | None:
    """A `last_seen` time in microseconds: RFC 3339, or an integer in the binary encodings; None
    for any other value."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str):
        return None
    try:
        return parse_timestamp(value) // 1000
    except DecodeError:
        return None


def error_message(error: CommandError) -> Error:
    """The `error` message for a refusal."""
    return Error(
        code=error.code,
        reason=error.code.reason,
        message=error.message,
        symbol=error.symbol or UNSET,
        id=UNSET if error.command_id is None else error.command_id,
    )


def _id_of(tree: dict[str, object]) -> Id | None:
    """The id of a command that is wrong otherwise."""
    found = tree.get("id")
    if isinstance(found, str):
        return found if len(found) <= MAX_ID else None
    if isinstance(found, int) and not isinstance(found, bool) and abs(found) <= 1 << 53:
        return found
    return None


def _shown(text: str) -> str:
    return ascii(text[:40])


def _where_and_what(text: str) -> str:
    """msgspec's error with the field in front: "symbols[0]: expected ..."."""
    match = _AT.match(text)
    assert match is not None
    what, is_key, where = match.groups()
    unknown = re.search(r"(unknown|required) field `(.*)`", what, re.DOTALL)
    if unknown:
        field = f"{where}.{unknown[2]}" if where else unknown[2]
        word = "missing" if unknown[1] == "required" else "not a field of this action"
        return f"{ascii(field[:60])[1:-1]}: {word}"
    if "regex" in what:
        what = f"expected 1 to {MAX_SYMBOL} printable ASCII characters"
    field = f"{where} (a key of it)" if is_key else where
    what = what[0].lower() + what[1:]
    return f"{field or 'message'}: {what}"
