"""The answers to commands that subscribe: what was taken, and what the client has already."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from ticker.gateway.protocol.codes import Code
from ticker.gateway.protocol.commands import CommandError, error_message, seen
from ticker.gateway.protocol.messages import (
    Error,
    Message,
    Reconnect,
    Recovered,
    Rejected,
    Subscribe,
    Subscribed,
    Unsubscribe,
    Unsubscribed,
)
from ticker.gateway.protocol.vocabulary import Id

Symbols = Subscribe | Unsubscribe | Reconnect


def acknowledged(
    command: Symbols, taken: list[str], rejected: list[str], of_channel: dict[str, Any]
) -> Message:
    """The answer to a command; `of_channel`: the fields that only its channel has."""
    kinds: dict[type[Symbols], type[Subscribed | Unsubscribed]] = {
        Subscribe: Subscribed,
        Unsubscribe: Unsubscribed,
        Reconnect: Recovered,
    }
    return kinds[type(command)](
        id=echoed(command.id),
        symbols=taken,
        rejected=[Rejected(symbol=name, code=Code.UNKNOWN_SYMBOL) for name in rejected],
        channel=UNSET if command.channel == "price" else command.channel,
        interval=UNSET if command.interval is None else command.interval,
        **of_channel,
    )


def moments_of(
    command: Subscribe | Reconnect, known: dict[str, int], origins: dict[str, str]
) -> dict[int, int] | None:
    """The time of the client's price in microseconds, by symbol number."""
    if isinstance(command, Subscribe) or command.channel == "depth":
        return None
    found = {place: seen(command.last_seen[origins[name]]) for name, place in known.items()}
    return {place: moment for place, moment in found.items() if moment is not None}


def echoed(command_id: Id | None) -> Id:
    """The id of a command, for its answer."""
    return UNSET if command_id is None else command_id  # type: ignore[return-value]


def refusal(code: Code, message: str, command_id: Id | None = None, symbol: str = "") -> Error:
    """A refusal."""
    return error_message(CommandError(code, message, command_id, symbol))
