DIALECTS: dict[str, int]
PATHS: dict[int, str]
HELLOS: dict[int, bytes]
PONGS: dict[int, bytes]

def subscription(dialect: int, symbols: list[str]) -> bytes: ...
def pieces(dialect: int, data: bytes) -> tuple[list[tuple[str, bytes]], int]: ...
