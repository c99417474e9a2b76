from ticker.shm.gaps import GapLedger

class Gaps:
    def __init__(
        self,
        ledger: GapLedger,
        rerequest: bool,
        line_wait_ns: int,
        timeout_ns: int,
        attempts: int,
        window: int,
    ) -> None: ...
    @property
    def used(self) -> int: ...
    def requests(self, now_ns: int) -> list[tuple[int, int]]: ...
