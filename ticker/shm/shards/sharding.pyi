MOST: int

class Sharding:
    hashed: int
    count: int
    def __init__(self, hashed: int, pinned: tuple[str, ...] = ()) -> None: ...
    def number(self, symbol: str) -> int: ...
