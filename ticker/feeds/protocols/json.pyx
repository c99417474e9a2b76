"""JSON by mapping: a mapping says where the fields of a vendor's texts are.

One message is one JSON text: a WebSocket message, a line, a body of HTTP. Its records are found
by json/texts.pyx, their fields by json/record.pyx, by the rules of a mapping (json/rules.pyx); each
becomes a call on the market (json/taker.pyx), or is skipped with the field that it lacks.
"""

cimport cython
from libc.stdint cimport int64_t, uint8_t

from ticker.feeds.json.texts cimport JsonTexts
from ticker.feeds.market.market cimport Market
from ticker.feeds.protocol cimport Protocol

from ticker.errors import FeedError
from ticker.feeds.json.events import Event
from ticker.feeds.json.skips import Skipped
from ticker.feeds.json.tables import Mapping


@cython.final
cdef class Json(Protocol):
    """Decodes the texts of one mapping (mapping.py).

    Raises:
        FeedError: no mapping is given.
    """

    session = "jsonstream"

    cdef JsonTexts texts

    def __init__(
        self, Market market not None, *, midnight_ns: int = 0, mapping: Mapping = None
    ) -> None:
        super().__init__(market, midnight_ns=midnight_ns)
        if mapping is None:
            raise FeedError(
                "protocol json needs a mapping: name a shipped one or a .toml file "
                "(docs/json-mappings.md)"
            )
        self.texts = JsonTexts(market, mapping)

    cdef void message(self, const uint8_t* data, size_t length, int64_t receive_time) noexcept nogil:
        self.market.rows.received = receive_time
        self.texts.read(data, length, receive_time)

    cdef void restart(self) noexcept nogil:
        """A new session of the feed: volumes start over."""
        self.texts.taker.forget_numbers()
        self.market.start_session(self.midnight_ns)

    def begin_day(self, midnight_ns: int) -> None:
        """Numbers within a symbol start over with its day."""
        self.texts.taker.forget_numbers()
        super().begin_day(midnight_ns)

    def connected(self) -> None:
        """A new connection: the numbers of its texts start over."""
        self.texts.connected()

    def asked_for(self, symbol: str) -> None:
        """The next texts are the answer to a request for this symbol (`@request` in a mapping)."""
        self.texts.asked_for(symbol)

    @property
    def broken(self) -> bool:
        """Texts of this connection are lost, and with them levels."""
        return self.texts.broken

    @property
    def useful(self) -> int:
        """Texts that had something of use."""
        return self.texts.useful

    @property
    def useless(self) -> int:
        """Why the last text was of no use (StaleReason), 0: it was."""
        return self.texts.useless

    @property
    def alive(self) -> int:
        """Records by which the vendor says that it is well."""
        return self.texts.alive

    @property
    def told(self) -> bool:
        """There are events that nobody has taken."""
        return self.texts.events.told

    def take_events(self) -> list[Event]:
        """What the server said to us since the last call, oldest first."""
        return self.texts.events.take()

    @property
    def taken(self) -> dict[str, int]:
        """Records that became calls on the market, by rule."""
        return self.texts.skips.taken

    def skipped(self) -> list[Skipped]:
        """What was not taken: texts that are no JSON or that no rule matches, then records."""
        return self.texts.skips.skipped()
