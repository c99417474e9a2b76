"""What a command subscribes to: symbols, or on the channel `depth` views of their books.

In: a checked command, and the symbols that it names. Out: the numbers of symbols or views, or a
refusal. A connection has one view of a symbol on a venue: with other levels it gets another
instead.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ticker.config.depth import DepthConfig
from ticker.gateway.books.wanted import TooManyBooksError, Wanted
from ticker.gateway.hub.fields import Channel
from ticker.gateway.hub.hub import Hub
from ticker.gateway.hub.intake import Intake
from ticker.gateway.prices.board import Board
from ticker.gateway.protocol.answers import Symbols
from ticker.gateway.protocol.codes import Code
from ticker.gateway.protocol.commands import CommandError
from ticker.gateway.protocol.messages import Reconnect, Subscribe, Unsubscribe
from ticker.gateway.protocol.vocabulary import Id

DEPTH = int(Channel.CHANNEL_DEPTH)


class Depths:
    """The views of the connections of one worker."""

    def __init__(
        self, config: DepthConfig, board: Board, hub: Hub, intake: Intake, wanted: Wanted
    ) -> None:
        self.config = config
        self.board = board
        self.hub = hub
        self.intake = intake
        self.wanted = wanted
        self.warned: set[tuple[int, int]] = set()  # connections that wait for a view's book

    def held(self, number: int, venue: str) -> dict[int, int]:
        """The views of a connection on a venue ("": over all), by symbol."""
        views = self.intake.views
        about = {
            view: views.about(view) for view in self.hub.subscriptions.subscribed(number, DEPTH)
        }
        return {symbol: view for view, (symbol, its, _) in about.items() if its == venue}

    def topics(
        self,
        number: int,
        command: Symbols,
        channel: int,
        symbols: dict[str, int],
        most: int | None,
    ) -> dict[str, int]:
        """What a command of a connection subscribes or unsubscribes, by the names of `symbols`;
        those that it has no subscription of are left out of an `unsubscribe` on `depth`. `most`:
        subscriptions of a connection, None: without a bound.

        Raises:
            CommandError: nothing has changed.
        """
        if command.channel != "depth":
            if not isinstance(command, Unsubscribe):
                self._check_room(number, command, channel, symbols.values(), most)
            return symbols
        venue = command.venue or ""
        held = self.held(number, venue)
        if isinstance(command, Unsubscribe):
            return {name: held[each] for name, each in symbols.items() if each in held}
        there = self.intake.views.levels.on_venue
        symbols = {name: each for name, each in symbols.items() if there(each, venue)}
        if new := symbols.values() - held.keys():
            self._check_room(number, command, DEPTH, new, most)
        return self._opened(number, command, symbols, held)

    def admit(self, command: Subscribe | Reconnect, names: Iterable[str]) -> None:
        """Want the books that a command is about to subscribe to, of the symbols that feeds have.
        Raises CommandError."""
        if command.channel != "depth":
            return
        levels, names = self._levels(command), list(names)
        if any(self.board.index(name) < 0 for name in names):
            self.board.refresh()
        try:
            for name in names:
                if self.board.index(name) >= 0:
                    self.wanted.watch(name, levels)
        except TooManyBooksError as error:
            said = f"symbols: {error}; watch fewer, or raise `rows` of [depth]"
            raise CommandError(Code.SYMBOL_LIMIT_EXCEEDED, said, command.id) from None

    def lacking(self) -> list[tuple[int, str]]:
        """Connections whose book some feed has no row of depth for, because other gateways want so
        many: each with the symbol, once. The feed shows the book when a row is free."""
        levels, views = self.intake.views.levels, self.intake.views
        full = levels.full()
        waiting: dict[tuple[int, int], str] = {}
        for view in views.opened() if any(full) else ():
            symbol, venue, _ = views.about(view)
            if levels.missing(symbol, venue, full):
                name = self.board.name(symbol)
                for number in self.hub.subscriptions.connections_of(view, DEPTH):
                    waiting[number, view] = name
        fresh = [(number, name) for (number, view), name in waiting.items()
                 if (number, view) not in self.warned]  # fmt: skip
        self.warned = set(waiting)
        return fresh

    def _check_room(
        self, number: int, command: Symbols, channel: int, places: Collection[int], most: int | None
    ) -> None:
        if most is None:
            return
        held, new = self.hub.subscriptions.count_of(number), set(places)
        if held + len(new) > most:
            if channel != DEPTH:
                new -= set(self.hub.subscriptions.subscribed(number, channel))
            if held + len(new) > most:
                raise too_many(f"{len(new)} more, with {held} there already,", most, command.id)

    def _opened(
        self,
        number: int,
        command: Subscribe | Reconnect,
        symbols: dict[str, int],
        held: dict[int, int],
    ) -> dict[str, int]:
        """The views that a command wants. Those that the connection has of these symbols with other
        levels end."""
        self.admit(command, symbols)
        levels, venue = self._levels(command), command.venue or ""
        views = {name: self.intake.open_view(each, venue, levels) for name, each in symbols.items()}
        before = {held[each] for each in symbols.values() if each in held}
        self.hub.subscriptions.unsubscribe(number, list(before - set(views.values())), DEPTH)
        return views

    def told(self, command: Symbols) -> dict[str, object]:
        """The fields of an answer that only `depth` has."""
        found: dict[str, object] = {}
        if command.channel == "depth":
            if not isinstance(command, Unsubscribe):
                found["levels"] = self._levels(command)
            if command.venue is not None:
                found["venue"] = command.venue
        return found

    def _levels(self, command: Subscribe | Reconnect) -> int:
        levels = self.config.usual if command.levels is None else command.levels
        if levels not in self.config.levels:
            known = ", ".join(map(str, self.config.levels))
            said = f"levels: {levels} is none that this server has; one of {known}"
            raise CommandError(Code.INVALID_SYNTAX, said, command.id)
        return levels


def too_many(what: str, most: int, command_id: Id | None) -> CommandError:
    """The refusal of more subscriptions than a connection may have."""
    said = f"symbols: {what} would exceed {most}, the most for one connection"
    return CommandError(Code.SYMBOL_LIMIT_EXCEEDED, said, command_id)


def check_channel(command: Symbols) -> None:
    """Refuse fields that only another channel has. Raises CommandError."""
    for field, channel in (("levels", "depth"), ("venue", "depth"), ("limit", "movers")):
        if command.channel != channel and getattr(command, field, None) is not None:
            said = f"only the channel `{channel}` has it; name the channel, or leave it out"
            raise CommandError(Code.INVALID_SYNTAX, f"{field}: {said}", command.id)
