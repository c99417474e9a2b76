from dataclasses import dataclass
from enum import IntEnum

from ticker.feeds.protocol import Protocol
from ticker.shm.gaps import GapLedger
from ticker.shm.header import Mapping

DEADLINE_NEVER: int
CHANNEL_SHIFT: int

class Line(IntEnum):
    LINE_A = 0
    LINE_B = 1
    LINE_RETRANSMISSION = 2

@dataclass(frozen=True, kw_only=True)
class SessionOptions:
    join: str = "live"
    resume: tuple[bytes, int] | None = None
    rerequest: bool = False
    line_wait_ns: int = 1_000_000
    request_timeout_ns: int = 100_000_000
    request_attempts: int = 5
    request_window: int = 8192
    requests_per_second: int = 1000
    buffer_bytes: int = 33_554_432
    quiet_ns: int = 3_000_000_000
    image_timeout_ns: int = 0
    units: tuple[int, ...] = ()

class Session:
    def __init__(
        self,
        protocol: Protocol,
        mapping: Mapping,
        options: SessionOptions | None = None,
        ledger: GapLedger | None = None,
    ) -> None: ...
    @property
    def ledger(self) -> GapLedger: ...
    @property
    def next_expected_sequence(self) -> int: ...
    @property
    def joined_at(self) -> int: ...
    @property
    def last_packet_ns(self) -> int: ...
    @property
    def ended(self) -> bool: ...
    @property
    def recovering(self) -> bool: ...
    @property
    def ignore_until(self) -> int: ...
    @property
    def left_until(self) -> int: ...
    @property
    def session_id(self) -> bytes: ...
    def data_to_send(self, now_ns: int) -> list[bytes]: ...
    def next_deadline(self, now_ns: int) -> int: ...
    def receive_data(self, data: bytes, line: int = 0, receive_time: int = 0) -> None: ...
    def mend_packet(self, packet: bytes) -> bytes: ...
    def end_of_data(self, now_ns: int = 0) -> None: ...
    def save(self) -> None: ...

def session_before(mapping: Mapping) -> bytes: ...
def resume_point(mapping: Mapping) -> tuple[bytes, int] | None: ...
