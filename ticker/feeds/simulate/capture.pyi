from pathlib import Path

from ticker.feeds.simulate.itch import ItchMarket

PCAP_NANOSECONDS: int
ETHERNET: int

def write_binaryfile(market: ItchMarket, path: Path) -> int: ...
def write_pcap(market: ItchMarket, path: Path, writer: PcapWriter) -> int: ...

class PcapWriter:
    packets: int
    def __init__(
        self, lines: list[tuple[str, int]], session: str, midnight: int, loss: float, seed: int
    ) -> None: ...
    def header(self) -> bytes: ...
    def cut(self, framed: bytearray | memoryview) -> bytes: ...
