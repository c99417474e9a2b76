"""The plain dialect: one client's message in, calls on the hub and frames out.

Only `snapshot`, `update` and `error` are ever sent. Law: a command is atomic; refused, it has
changed nothing. No socket and no clock: `now_ns` comes with every message.
"""

from __future__ import annotations

from dataclasses import dataclass

from ticker.gateway.board import Board
from ticker.gateway.commands import (
    CommandError,
    Ping,
    Reconnect,
    Subscribe,
    Unsubscribe,
    error_message,
    parse_command,
)
from ticker.gateway.connection import ConnectionTable
from ticker.gateway.frames import frame
from ticker.gateway.hub import Hub
from ticker.shm.counters import Counters

TEXT = 1
MAX_STRIKES = 5
POLICY_VIOLATION = 1008


@dataclass(frozen=True)
class Limits:
    """What one client may do."""

    max_symbols: int
    commands_per_second: float
    commands_burst: float


class PlainDialect:
    """Answers the messages of all clients of one worker."""

    def __init__(
        self,
        board: Board,
        hub: Hub,
        connections: ConnectionTable,
        counters: Counters,
        limits: Limits,
    ) -> None:
        self.board = board
        self.hub = hub
        self.connections = connections
        self.counters = counters
        self.limits = limits

    def message(self, number: int, is_text: bool, payload: bytes, now_ns: int) -> None:
        """One message of connection `number`."""
        self.counters.add("commands")
        try:
            self._run(number, is_text, payload, now_ns)
        except CommandError as error:
            self._refuse(number, error)
            if error.code in (400, 410) and self.connections.strike(number) >= MAX_STRIKES:
                self.connections.close(number, POLICY_VIOLATION, "too many refused messages")

    def _run(self, number: int, is_text: bool, payload: bytes, now_ns: int) -> None:
        limits = self.limits
        if not self.connections.take_token(
            number, limits.commands_per_second, limits.commands_burst
        ):
            raise CommandError(
                429, f"more than {limits.commands_per_second:g} commands a second; slow down"
            )
        if not is_text:
            raise CommandError(400, "a binary message; commands are JSON in text messages")
        command = parse_command(payload)
        if isinstance(command, Ping):
            return
        names = command.names()
        known = self._known(names)
        if isinstance(command, Unsubscribe):
            self.hub.unsubscribe(number, list(known.values()))
        else:
            self._subscribe(number, command, known, now_ns)
        for name in names:
            if name not in known:
                self._unknown(number, name, command.id)

    def _subscribe(
        self, number: int, command: Subscribe | Reconnect, known: dict[str, int], now_ns: int
    ) -> None:
        held = self.hub.subscription_count(number)
        if held + len(known) > self.limits.max_symbols:
            new = set(known.values()) - set(self.hub.subscribed(number))
            if held + len(new) > self.limits.max_symbols:
                raise CommandError(
                    405,
                    f"symbols: {len(new)} more would exceed {self.limits.max_symbols} for this "
                    f"connection, which has {held}; unsubscribe some first",
                    command.id,
                )
        seen = None
        if isinstance(command, Reconnect):
            moments = {place: command.seen(name) for name, place in known.items()}
            seen = {place: moment for place, moment in moments.items() if moment is not None}
        self.hub.subscribe(number, list(known.values()), now_ns, seen)

    def _known(self, names: list[str]) -> dict[str, int]:
        """Number of each symbol that some feed has; new rows are learnt when one is missing."""
        found = {name: self.board.index(name) for name in names}
        if -1 in found.values() and self.board.refresh():
            found = {name: self.board.index(name) for name in names}
        return {name: place for name, place in found.items() if place >= 0}

    def _unknown(self, number: int, name: str, command_id: str | int | None) -> None:
        self._refuse(
            number, CommandError(460, f"no feed has the symbol {name!r}", command_id, name)
        )

    def _refuse(self, number: int, error: CommandError) -> None:
        self.counters.add("errors_sent")
        self.connections.send(number, frame(TEXT, error_message(error)))
