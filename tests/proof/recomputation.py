"""The recomputation of three venues' messages: the states of each row, and their consolidated
price."""

from __future__ import annotations

from tests.proof.book import Hours, Instrument, Shown, Side, Venue, consolidate
from tests.proof.rig import ITCH, MICS, PITCH, VENDOR, Packet
from tests.proof.wire import AlpacaReader, ItchReader, PitchReader, Reader

FEEDS = list(MICS)
E9 = 1_000_000_000


class Recomputation:
    """The venues as the recorded packets so far make them."""

    def __init__(self, midnight: int, hours: Hours | None = None) -> None:
        """`hours`: of the two exchanges, which mark nothing; the vendor marks its trades."""
        self.venues = {
            feed: Venue(mic, hours if feed != VENDOR else None) for feed, mic in MICS.items()
        }
        self.itch = ItchReader(self.venues[ITCH], midnight)
        self.readers: dict[str, Reader] = {
            ITCH: self.itch.packet,
            PITCH: PitchReader(self.venues[PITCH], midnight).packet,
            VENDOR: AlpacaReader(self.venues[VENDOR], midnight).packet,
        }

    def take(self, packet: Packet) -> set[str]:
        return self.readers[packet.feed](packet.data, packet.received)

    @property
    def taken_back(self) -> int:
        """Trades that were, over all venues."""
        return sum(
            len(of.taken_back) for venue in self.venues.values() for of in venue.symbols.values()
        )

    def of(self, feed: str, symbol: str) -> Instrument:
        return self.venues[feed].symbols[symbol]

    def shown(self, symbol: str, feeds: list[str]) -> Shown:
        """Consolidated over the feeds that have the symbol."""
        sides = []
        for feed in feeds:
            of = self.of(feed, symbol)
            sides.append(Side(MICS[feed], of.state, of.received, True, of.listed))
        return consolidate(sides)
