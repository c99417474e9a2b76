"""The symbols whose depth this gateway wants, as feed workers see it.

In: the views that clients watch, the symbols of the configuration, and questions by REST. Out: the
interest in the gateway's own segment. A view that nobody watches any more is closed at the next
`look`, so a client that comes back at once finds it as it was.
"""

from __future__ import annotations

from collections.abc import Iterable

from ticker.config import DepthConfig
from ticker.gateway.books.views import Views
from ticker.gateway.prices.board import Board
from ticker.shm.depth.interest import InterestWriter
from ticker.shm.header import Mapping

LEASE_NS = 10_000_000_000
"""For so long after a question by REST the symbol's book stays there for the next one."""


class TooManyBooksError(Exception):
    """More symbols than feeds have rows of depth for."""


class Wanted:
    """The interest of one gateway.

    Args:
        segment: the gateway's own.
        config: its `symbols` are wanted all the time, `rows` at most at a time.
    """

    def __init__(self, views: Views, board: Board, segment: Mapping, config: DepthConfig) -> None:
        self.views = views
        self.board = board
        self.most = config.rows
        self.always = dict.fromkeys(config.symbols, max(config.levels))
        self.leases: dict[tuple[str, int], int] = {}  # (symbol, levels): when it ends
        self.writer = InterestWriter(segment, self.always)
        self.now: dict[str, int] = dict(self.always)

    def watch(self, symbol: str, levels: int) -> None:
        """Want a symbol's book, from a view that is about to be opened.

        Raises:
            TooManyBooksError: nothing has changed.
        """
        if levels > self.now.get(symbol, 0):
            self._want({**self.now, symbol: levels})

    def ask(self, symbol: str, levels: int, now_ns: int) -> bool:
        """Want a symbol's book for a while; whether it was not wanted before. Raises
        TooManyBooksError."""
        new = levels > self.now.get(symbol, 0)
        self.watch(symbol, levels)
        self.leases[symbol, levels] = now_ns + LEASE_NS
        return new

    def look(self, unwatched: Iterable[int], now_ns: int) -> None:
        """Close the views that nobody watches, want only what somebody does, and let the others be
        read again: a feed may be stale now."""
        self.views.look()
        for view in unwatched:
            self.views.close(view)
        self.leases = {
            lease: end for lease, end in self.leases.items() if now_ns < end <= now_ns + LEASE_NS
        }
        wanted = dict(self.always)
        for view in self.views.opened():
            symbol, _, levels = self.views.about(view)
            name = self.board.name(symbol)
            wanted[name] = max(levels, wanted.get(name, 0))
        for name, levels in self.leases:
            wanted[name] = max(levels, wanted.get(name, 0))
        if wanted != self.now:
            self._want(wanted)

    def leave(self) -> None:
        """Want nothing any more: this worker ends, and nobody may take its slot soon."""
        self._want({})

    def _want(self, wanted: dict[str, int]) -> None:
        if len(wanted) > max(self.most, len(self.now)):
            raise TooManyBooksError(f"the books of {len(self.now)} symbols are watched, the most")
        self.writer.want(wanted)
        self.now = wanted
