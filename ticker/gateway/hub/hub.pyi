from typing import Any

from ticker.gateway.hub.intake import Intake
from ticker.gateway.hub.shared_frames import SharedFrames
from ticker.gateway.hub.subscriptions import Subscriptions
from ticker.gateway.movers.frames import MoverFrames
from ticker.gateway.pacing.rates import Rates
from ticker.gateway.sockets.connection import ConnectionTable
from ticker.gateway.sockets.noted import Noted
from ticker.gateway.sockets.sender import Sender
from ticker.shm.header import Mapping

class Hub:
    subscriptions: Subscriptions
    def __init__(
        self,
        intake: Intake,
        frames: SharedFrames,
        connections: ConnectionTable,
        sender: Sender,
        segment: Mapping,
        rates: Rates,
        steady_ns: int,
        max_symbols: int,
    ) -> None: ...
    def subscribe(
        self,
        number: int,
        symbols: list[int],
        channel: int,
        now_ns: int,
        seen: dict[int, int] | None = None,
        before: bytes = b"",
    ) -> int: ...
    def follow(self, number: int, symbols: list[int], channel: int) -> None: ...
    def configure(
        self, number: int, max_rate: float | None, batch: bool | None, pace: int | None = None
    ) -> tuple[float, bool, int]: ...
    @property
    def noted(self) -> Noted: ...
    def ask(self, number: int, symbol: int) -> dict[str, Any]: ...
    @property
    def movers(self) -> MoverFrames: ...
    def reserve(self, count: int) -> None: ...
    def renew(self, number: int, channel: int) -> None: ...
    def choose_bars(self, number: int, states: int) -> None: ...
    def forget(self, number: int) -> None: ...
