"""MarketDataRequest (35=V): the subscriptions at a FIX venue. Source: FIX 4.4 volume 3."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ticker.feeds.fix.message import Fields

Instrument = tuple[tuple[int, str], ...]
"""The fields that name an instrument; 55 comes first, as the delimiter of its group."""


@dataclass(frozen=True, kw_only=True)
class Subscription:
    """The instruments and entries to subscribe to."""

    instruments: tuple[Instrument, ...] = ()
    depth: int = 0
    """264: 0 the full book, 1 its top, n levels."""
    entries: tuple[str, ...] = ("0", "1", "2")
    """269: 0 bid, 1 offer, 2 trade, ..."""
    incremental: bool = True
    """265: changes as 35=X; else a whole 35=W for each."""
    aggregated: bool | None = None
    """266: one entry per price level; None leaves it to the venue."""
    symbols_per_request: int = 100

    def requests(self, name: str) -> Iterator[Fields]:
        """The body of each request; `name` makes their ids unlike those of earlier ones."""
        step = self.symbols_per_request
        for number, start in enumerate(range(0, len(self.instruments), step)):
            yield self._request(f"{name}-{number}", self.instruments[start : start + step])

    def _request(self, request_id: str, instruments: tuple[Instrument, ...]) -> Fields:
        fields: Fields = [(262, request_id.encode()), (263, b"1"), (264, b"%d" % self.depth)]
        fields.append((265, b"1" if self.incremental else b"0"))
        if self.aggregated is not None:
            fields.append((266, b"Y" if self.aggregated else b"N"))
        fields.append((267, b"%d" % len(self.entries)))
        fields += [(269, entry.encode()) for entry in self.entries]
        fields.append((146, b"%d" % len(instruments)))
        for instrument in instruments:
            fields += [(tag, value.encode()) for tag, value in instrument]
        return fields


def symbols(*texts: str) -> tuple[Instrument, ...]:
    """Instruments named by their symbol alone."""
    return tuple(((55, text),) for text in texts)
