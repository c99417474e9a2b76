from ticker.shm.header import Mapping

Figures = tuple[
    str, str, int,
    int | None, int | None, int | None, int | None, int | None, int | None, int | None,
    int, int, int, int,
]  # fmt: skip

class Days:
    def __init__(self, mapping: Mapping) -> None: ...
    def look(self) -> None: ...
    def take(self) -> list[Figures]: ...
