from mmap import mmap

KIND_FEED: int
KIND_GATEWAY: int
KIND_STORE: int
KIND_RECORDER: int
KIND_RELAY: int
KIND_MIRROR: int
KIND_BARS: int
BARS_HEAD_BYTES: int
BAR_RECORD_BYTES: int
BAR_SYMBOL_BYTES: int
WATCHERS_BYTES: int

def segment_size(
    kind: int, rows: int = 0, rings: int = 0, ring_capacity: int = 0, depth_rows: int = 0
) -> int: ...

class Mapping:
    size: int
    writable: bool
    def __init__(self, buffer: mmap | bytearray | bytes | memoryview, writable: bool) -> None: ...
    def format(
        self,
        kind: int,
        boot_id: int,
        now_ns: int,
        rows: int = 0,
        rings: int = 0,
        ring_capacity: int = 0,
        depth_rows: int = 0,
    ) -> None: ...
    def check(self, kind: int, boot_id: int | None = None) -> None: ...
    @property
    def boot_id(self) -> int: ...
    @property
    def row_capacity(self) -> int: ...
    @property
    def ring_count(self) -> int: ...
    @property
    def ring_capacity(self) -> int: ...
    @property
    def depth_capacity(self) -> int: ...
