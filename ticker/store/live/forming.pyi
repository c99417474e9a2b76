Figures = tuple[
    str, str, int,
    int | None, int | None, int | None, int | None, int | None, int | None,
    int, int, int, int, int, int, int,
]  # fmt: skip

BAR_BYTES: int

def bars_in(data: bytes, symbol: str | None = None) -> list[Figures]: ...
