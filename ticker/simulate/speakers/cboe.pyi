from ticker.simulate.lines.history import History
from ticker.simulate.lines.sender import LineSender
from ticker.simulate.speakers.pitch import PitchMarket

PAYLOAD: int

class CboeSender(LineSender):
    unit_count: int
    resent: int
    def __init__(
        self,
        market: PitchMarket,
        histories: list[History],
        lines: list[int],
        gap_fd: int,
        watched_fd: int,
        midnight: int,
        rate: float,
        loss: float,
        reorder: int,
        seed: int,
    ) -> None: ...
    def finish(self) -> None: ...
    def statistics(self) -> dict[str, object]: ...
    def heartbeat(self) -> None: ...
    def next_sequence(self, unit: int) -> int: ...
    def retained(self, unit: int, sequence: int, count: int) -> bool: ...
    def replay(self, unit: int, sequence: int, count: int) -> None: ...
    def image(self, unit: int) -> tuple[int, list[bytes]]: ...
