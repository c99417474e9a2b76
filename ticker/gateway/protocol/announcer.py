"""Tells ticker.v1 clients of changed states: of their symbols, of feeds and of markets.

In: a look at the board, now and then. Out: `status` frames, each encoded once. Law: what waits to
be said is bounded by the watchlists, a connection's in one piece, and is sent a share at a time,
so that a feed that falls silent with all its symbols does not hold up prices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ticker.gateway.hub.subscriptions import Subscriptions
from ticker.gateway.prices.board import Board
from ticker.gateway.prices.liveness import Watch
from ticker.gateway.protocol.codec import CODECS, Codec
from ticker.gateway.protocol.messages import Status
from ticker.gateway.sockets.connection import ConnectionTable

SHARE = 200  # connections that are told at a time


class Announcer:
    """One worker's; `look` after each look of the board, `say` until nothing waits. Feeds and
    markets are told of to the connections that are `admitted`."""

    def __init__(
        self,
        board: Board,
        subscriptions: Subscriptions,
        connections: ConnectionTable,
        admitted: Callable[[int], bool] = lambda _: True,
    ) -> None:
        self.board = board
        self.subscriptions = subscriptions
        self.connections = connections
        self.admitted = admitted
        self.watch = Watch(board)
        self.standing: dict[tuple[str, str], Status] = {}  # of feeds and markets that are not live
        self.waiting: dict[int, bytearray] = {}  # frames by connection

    def look(self, phases: Iterable[tuple[str, str]]) -> None:
        """Note what has changed; `phases` are (market, phase)."""
        for number, state in self.watch.symbols(self.subscriptions.watched()):
            self._tell(
                self.subscriptions.subscribers(number),
                Status(symbol=self.board.name(number), state=state),  # type: ignore[arg-type]
            )
        for name, state in self.watch.feeds():
            self._tell_all(("feed", name), Status(feed=name, state=state))  # type: ignore[arg-type]
        for name, phase in self.watch.markets(list(phases)):
            state = "closed" if phase == "closed" else "live"
            self._tell_all(("market", name), Status(market=name, state=state, phase=phase))  # type: ignore[arg-type]

    def greeting(self, codec: Codec) -> bytes:
        """What a new client would be wrong to take for live."""
        if codec.plain:
            return b""
        return b"".join(codec.frame(status) for status in self.standing.values())

    def states(self, codec: Codec, numbers: Iterable[int]) -> bytes:
        """The states, where they are not `live`, of symbols that were just subscribed."""
        found = ((self.board.name(number), self.watch.now(number)) for number in numbers)
        return b"".join(
            codec.frame(Status(symbol=name, state=state))  # type: ignore[arg-type]
            for name, state in found
            if state != "live"
        )

    def say(self) -> bool:
        """Send a share of what waits; whether more does."""
        for number in list(self.waiting)[:SHARE]:
            self.connections.send(number, bytes(self.waiting.pop(number)))
        return bool(self.waiting)

    def forget(self, number: int) -> None:
        """The connection is gone."""
        self.waiting.pop(number, None)

    def _tell_all(self, about: tuple[str, str], status: Status) -> None:
        self.standing.pop(about, None)
        if status.state != "live":
            self.standing[about] = status
        open_numbers = self.connections.some_open(self.connections.open_connections)
        self._tell(filter(self.admitted, open_numbers), status)

    def _tell(self, numbers: Iterable[int], status: Status) -> None:
        frames = [b"" if codec.plain else codec.frame(status) for codec in CODECS]
        for number in numbers:
            frame = frames[self.connections.encoding(number)]
            if frame:
                self.waiting.setdefault(number, bytearray()).extend(frame)
