"""Names that stand for several symbols: `*` for all that a client may see, `@tech` for a watchlist.

In: the names of a command. Out: the symbols that they stand for. Clients that watch `*` get symbols
that come later, too. A symbol of the board that has such a name itself is that symbol.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ticker.gateway.access.auth import Grant
from ticker.gateway.prices.board import Board
from ticker.gateway.protocol.codes import Code
from ticker.gateway.protocol.commands import CommandError
from ticker.gateway.protocol.vocabulary import Id

ALL = "*"
WATCHLIST = "@"


class Groups:
    """The groups of one worker, and the clients that follow all symbols of a channel."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.watchlists: Mapping[str, Sequence[str]] = {}
        self.followers: dict[int, dict[int, Grant]] = {}  # by connection and channel
        self._known: set[str] = set()  # symbols that followers were given
        self._changes = -1  # of the board, as of the last look

    def expand(
        self, names: list[str], grant: Grant, command_id: Id | None = None
    ) -> dict[str, str]:
        """The symbols that the names stand for, in order, each with the name that brought it. The
        name of a watchlist that is not there stays, and is then no symbol.

        Raises:
            CommandError: 401 for `*` on a token that may not.
        """
        found: dict[str, str] = {}
        for name in names:
            if self.is_all(name):
                if not grant.wildcard:
                    said = "symbols: your token does not open `*`; name the symbols"
                    raise CommandError(Code.NOT_AUTHENTICATED, said, command_id)
                self.board.refresh()
                for symbol in filter(grant.sees, self.board.symbols()):
                    found.setdefault(symbol, name)
            else:
                for symbol in self._listed(name):
                    found.setdefault(symbol, name)
        return found

    def is_all(self, name: str) -> bool:
        """Whether a name stands for all symbols."""
        return name == ALL and self.board.index(name) < 0

    def _listed(self, name: str) -> Sequence[str]:
        if not name.startswith(WATCHLIST) or self.board.index(name) >= 0:
            return (name,)
        return self.watchlists.get(name[1:], (name,))

    def follow(self, number: int, channel: int, grant: Grant) -> None:
        """A connection watches all symbols of a channel from now on."""
        if not self.followers:
            self._known = set(self.board.symbols())
            self._changes = self.board.symbol_changes
        self.followers.setdefault(number, {})[channel] = grant

    def leave(self, number: int, channel: int) -> None:
        """It does not any more."""
        channels = self.followers.get(number, {})
        channels.pop(channel, None)
        if not channels:
            self.followers.pop(number, None)

    def forget(self, number: int) -> None:
        """A connection is closed."""
        self.followers.pop(number, None)

    def room(self, number: int) -> int:
        """The subscriptions that a connection has by `*`, at most: they count towards no limit."""
        return len(self.board) * len(self.followers.get(number, ()))

    def look(self) -> Iterator[tuple[int, int, list[int]]]:
        """What has come since the last look: (connection, channel, numbers of new symbols)."""
        if not self.followers or self._changes == self.board.symbol_changes:
            return
        self._changes = self.board.symbol_changes
        fresh = [symbol for symbol in self.board.symbols() if symbol not in self._known]
        self._known.update(fresh)
        for number, channels in list(self.followers.items()):
            for channel, grant in list(channels.items()):
                places = [self.board.index(symbol) for symbol in filter(grant.sees, fresh)]
                if places:
                    yield number, channel, places
