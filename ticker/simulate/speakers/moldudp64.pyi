from ticker.simulate.lines.history import History
from ticker.simulate.lines.sender import LineSender
from ticker.simulate.speakers.itch import ItchMarket

class Sender(LineSender):
    history: History
    def __init__(
        self,
        market: ItchMarket,
        history: History,
        lines: list[int],
        request_fd: int,
        session: bytes,
        midnight: int,
        rate: float,
        loss: float,
        reorder: int,
        seed: int,
        stamps_due: bool = False,
    ) -> None: ...
    def finish(self, linger: float) -> None: ...
    def statistics(self) -> dict[str, int | list[int]]: ...
