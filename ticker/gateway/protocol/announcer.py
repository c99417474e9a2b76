"""Sends `status` to ticker.v1 clients when the state of a symbol, feed or market changes.

In: the states of the board, at each `look`. Out: `status` frames, each encoded once. Law: the
waiting frames are bounded by the watchlists. Each `say` sends those of some connections only, so
that prices are not delayed when a feed falls silent with all its symbols.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from ticker.gateway.hub.subscriptions import Subscriptions
from ticker.gateway.prices.board import Board
from ticker.gateway.prices.liveness import Watch
from ticker.gateway.protocol.codec import CODECS, Codec
from ticker.gateway.protocol.messages import Status
from ticker.gateway.sockets.connection import ConnectionTable

SHARE = 200  # connections served by one `say`


class Announcer:
    """The announcer of one worker: call `look` after each look of the board, and `say` until
    nothing waits. The states of feeds and markets go to the `admitted` connections. `heard` is told
    of each change of a symbol that has subscribers, or is one of `also_watched`."""

    def __init__(
        self,
        board: Board,
        subscriptions: Subscriptions,
        connections: ConnectionTable,
        admitted: Callable[[int], bool] = lambda _: True,
        codecs: Sequence[Codec] = CODECS,
    ) -> None:
        self.board = board
        self.subscriptions = subscriptions
        self.connections = connections
        self.admitted = admitted
        self.codecs = codecs
        self.also_watched: Callable[[], list[int]] = list
        self.heard: Callable[[int, str], None] = lambda _place, _state: None
        self.spared: Mapping[int, object] = {}  # connections that hear of no symbol
        self.watch = Watch(board)
        self.standing: dict[tuple[str, str], Status] = {}  # of feeds and markets that are not live
        self.waiting: dict[int, bytearray] = {}  # frames by connection

    def look(self, phases: Iterable[tuple[str, str]]) -> None:
        """Queue a `status` for each changed state; `phases` are (market, phase)."""
        for number, state in self.watch.symbols(self.subscriptions.watched() + self.also_watched()):
            self.heard(number, state)
            self._tell(
                self.subscriptions.subscribers(number) - self.spared.keys(),
                Status(symbol=self.board.name(number), state=state),  # type: ignore[arg-type]
            )
        for name, state in self.watch.feeds():
            self._tell_all(("feed", name), Status(feed=name, state=state))  # type: ignore[arg-type]
        for name, phase in self.watch.markets(list(phases)):
            state = "closed" if phase == "closed" else "live"
            self._tell_all(("market", name), Status(market=name, state=state, phase=phase))  # type: ignore[arg-type]

    def greeting(self, codec: Codec) -> bytes:
        """The `status` frames of feeds and markets that are not live, for a new client."""
        if codec.plain:
            return b""
        return b"".join(codec.frame(status) for status in self.standing.values())

    def states(self, codec: Codec, numbers: Iterable[int]) -> bytes:
        """The `status` frames of newly subscribed symbols that are not `live`."""
        found = ((self.board.name(number), self.watch.now(number)) for number in numbers)
        return b"".join(
            codec.frame(Status(symbol=name, state=state))  # type: ignore[arg-type]
            for name, state in found
            if state != "live"
        )

    def say(self) -> bool:
        """Send the frames of up to SHARE connections. True: more are waiting."""
        for number in list(self.waiting)[:SHARE]:
            self.connections.send(number, bytes(self.waiting.pop(number)))
        return bool(self.waiting)

    def forget(self, number: int) -> None:
        """Drop the waiting frames of a closed connection."""
        self.waiting.pop(number, None)

    def _tell_all(self, about: tuple[str, str], status: Status) -> None:
        self.standing.pop(about, None)
        if status.state != "live":
            self.standing[about] = status
        open_numbers = self.connections.some_open(self.connections.open_connections)
        self._tell(filter(self.admitted, open_numbers), status)

    def _tell(self, numbers: Iterable[int], status: Status) -> None:
        frames = [b"" if codec.plain else codec.frame(status) for codec in self.codecs]
        for number in numbers:
            frame = frames[self.connections.encoding(number)]
            if frame:
                self.waiting.setdefault(number, bytearray()).extend(frame)
