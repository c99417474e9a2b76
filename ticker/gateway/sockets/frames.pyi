from enum import IntEnum

class Opcode(IntEnum):
    OPCODE_CONTINUATION = 0
    OPCODE_TEXT = 1
    OPCODE_BINARY = 2
    OPCODE_CLOSE = 8
    OPCODE_PING = 9
    OPCODE_PONG = 10

EVENT_NAMES: dict[int, str]

class FrameParser:
    def __init__(
        self, max_message: int = 65536, max_fragments: int = 100, reserved: int = 0
    ) -> None: ...
    def receive_data(self, data: bytes) -> list[tuple[str, int, bytes]]: ...

def frame(opcode: int, payload: bytes = b"") -> bytes: ...
def close_frame(code: int, reason: str = "") -> bytes: ...
