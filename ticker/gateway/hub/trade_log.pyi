class TradeLog:
    capacity: int
    count: int
    def __init__(self, capacity: int) -> None: ...
