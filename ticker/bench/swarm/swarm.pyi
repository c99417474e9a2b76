from ticker.bench.swarm.histogram import Histogram

class Swarm:
    clients: int
    open: int
    latency: Histogram
    first_answer: Histogram
    def __init__(
        self,
        host: str,
        port: int,
        symbols: list[str],
        clients: int,
        per_client: int,
        *,
        first_client: int = 0,
        raw: bool = False,
        verify: bool = False,
        control_fd: int = -1,
        dialect: str = "plain",
        encoding: str = "plain",
        channel: str = "price",
        popularity: str = "uniform",
        path: str = "",
        authority: str = "",
        token: str = "",
        nap_us: int = 0,
        deflates: bool = False,
    ) -> None: ...
    def connect(self, timeout: float) -> None: ...
    def symbols_of(self, client: int) -> list[str]: ...
    def subscribe(self, timeout: float, watchers: int) -> None: ...
    def configure(self, rates: list[float] | None = None, pace: str = "") -> None: ...
    def probe(self, watchers: int, rate: float, seconds: float) -> None: ...
    def run(self, seconds: float) -> bool: ...
    def drain(self, quiet: float, timeout: float) -> bool: ...
    @property
    def seconds(self) -> float: ...
    def as_dict(self) -> dict[str, int]: ...
    def reset(self) -> None: ...
    def behind(self, times: list[int], watchers: int, prices: list[int] | None = None) -> int: ...
