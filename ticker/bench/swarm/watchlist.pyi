class Watchlists:
    clients: int
    per_client: int
    symbols: list[str]
    def __init__(
        self,
        symbols: list[str],
        clients: int,
        per_client: int,
        *,
        first_client: int = 0,
        popularity: str = "uniform",
        seed: int = 1,
    ) -> None: ...
    def symbols_of(self, client: int) -> list[str]: ...
    def place_of(self, client: int, symbol: str) -> int: ...
