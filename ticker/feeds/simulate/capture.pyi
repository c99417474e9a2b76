from pathlib import Path
from typing import Protocol

from ticker.feeds.simulate.itch import ItchMarket

PCAP_NANOSECONDS: int
ETHERNET: int

class Generator(Protocol):
    def generate(self, limit: int, buffer: bytearray | memoryview) -> tuple[int, int]: ...

def write_binaryfile(market: ItchMarket, path: Path) -> int: ...
def write_pcap(market: Generator, path: Path, writer: PcapWriter) -> int: ...

class PcapWriter:
    packets: int
    def __init__(
        self, lines: list[tuple[str, int]], session: str, midnight: int, loss: float, seed: int
    ) -> None: ...
    def header(self) -> bytes: ...
    def cut(self, framed: bytearray | memoryview) -> bytes: ...
