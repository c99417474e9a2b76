"""Events as columns of plain numbers, which Arrow takes over without a copy.

In: records of rings, images of rows, events of the feed. Out: a buffer for each column of numbers,
and bitmaps, in Arrow's form, of the events that have one. The meaning of a number depends on the kind
of its event: `price` is that of a trade or of a bid. So two columns of the file may have one buffer
and different bitmaps; schema.py says which. Owned by one Gather.
"""

from cpython.bytearray cimport PyByteArray_AS_STRING
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from ticker.record.states cimport (
    EVENT_CANCELLED,
    EVENT_CORRECTED,
    EVENT_FEED,
    EVENT_GAP,
    EVENT_LAPPED,
    EVENT_PRINT,
    EVENT_QUOTE,
    EVENT_ROW,
    EVENT_TRADE,
)
from ticker.shm.layout cimport QUOTE_ASK, QUOTE_BID, STATUS_CLOSED, Record, Values
from ticker.shm.table cimport by_name

WIDTHS = {
    "publish_time": 8, "kind": 1, "row": 4, "exchange_time": 8, "receive_time": 8, "price": 8,
    "size": 8, "trade_id": 8, "other": 8, "conditions": 2, "ring": 2, "position": 8, "state": 1,
}
FIRST_FEED_STATE = STATUS_CLOSED + 1
"""In `state`, states of a feed come behind the trading statuses of a row."""
MAPS = (
    "has_row", "has_ring", "has_exchange_time", "has_receive_time", "has_price", "has_trade_id",
    "has_new_trade_id", "has_seq", "has_bid", "has_ask", "has_count", "has_state",
)

Taken = tuple  # what Columns.take gives


cdef class Columns:
    """Room for `capacity` events."""

    def __cinit__(self, capacity: int) -> None:
        self.capacity = capacity
        self._fresh()

    @property
    def full(self) -> bool:
        return self.used == self.capacity

    cdef int _fresh(self) except -1:
        self.buffers = {
            name: bytearray(self.capacity * width) for name, width in WIDTHS.items()
        }
        self.buffers |= {name: bytearray(self.capacity // 8 + 1) for name in MAPS}
        self.images = []
        self.used = 0
        self.publish_time = <int64_t*>self._at("publish_time")
        self.kind = <uint8_t*>self._at("kind")
        self.row = <uint32_t*>self._at("row")
        self.exchange_time = <int64_t*>self._at("exchange_time")
        self.receive_time = <int64_t*>self._at("receive_time")
        self.price = <int64_t*>self._at("price")
        self.size = <uint64_t*>self._at("size")
        self.trade_id = <uint64_t*>self._at("trade_id")
        self.other = <uint64_t*>self._at("other")
        self.conditions = <uint16_t*>self._at("conditions")
        self.ring = <uint16_t*>self._at("ring")
        self.position = <uint64_t*>self._at("position")
        self.state = <uint8_t*>self._at("state")
        for index, name in enumerate(MAPS):
            self.maps[<int>index] = <uint8_t*>self._at(name)
        return 0

    cdef char* _at(self, str name) except NULL:
        return PyByteArray_AS_STRING(self.buffers[name])

    def take(self) -> tuple[int, dict[str, bytearray], list[tuple[int, dict[str, int]]]]:
        """(how many events, a buffer for each column, (place, words) of each row's image and gap), the
        caller's from now on; the next events go into others."""
        taken = self.used, self.buffers, self.images
        self.batch += 1
        self._fresh()
        return taken

    cdef uint32_t add(
        self, const Record* record, uint16_t ring, uint64_t position
    ) except? 0xFFFFFFFF:
        """An event as its record says it; its place. The caller has looked that there is room."""
        cdef uint32_t at = self.used
        if at >= self.capacity:
            raise OverflowError("no room for an event")
        self.used += 1
        self.publish_time[at] = record.publish_time
        self.kind[at] = record.kind
        self.row[at] = record.row
        self.exchange_time[at] = record.exchange_time
        self.price[at] = record.price
        self.size[at] = record.size
        self.trade_id[at] = record.match
        self.other[at] = record.seq
        self.conditions[at] = record.conditions
        self.ring[at] = ring
        self.position[at] = position
        self.has(HAS_EXCHANGE_TIME, at, record.exchange_time != 0)
        self.has(HAS_ROW, at, record.kind <= EVENT_ROW)
        self.has(HAS_RING, at, record.kind < EVENT_ROW)
        if record.kind == EVENT_QUOTE:
            self.has(HAS_BID, at, record.conditions & QUOTE_BID)
            self.has(HAS_ASK, at, record.conditions & QUOTE_ASK)
        elif record.kind < EVENT_ROW:
            self._add_told(record, at)
        else:
            self.has(HAS_COUNT, at, record.kind == EVENT_GAP or record.kind == EVENT_LAPPED)
        return at

    cdef void _add_told(self, const Record* record, uint32_t at) noexcept:
        """The bits of what a trade, its end, or a change of its row has."""
        cdef bint priced = (
            record.kind == EVENT_TRADE or record.kind == EVENT_PRINT
            or record.kind == EVENT_CANCELLED or record.kind == EVENT_CORRECTED
        )
        self.has(HAS_PRICE, at, priced)
        self.has(HAS_TRADE_ID, at, priced and record.match != 0)
        self.has(HAS_SEQ, at, record.kind != EVENT_CORRECTED)
        self.has(HAS_NEW_TRADE_ID, at, record.kind == EVENT_CORRECTED)

    cdef void has(self, int which, uint32_t at, bint it) noexcept:
        self.maps[which][at >> 3] |= <uint8_t>((1 if it else 0) << (at & 7))

    cdef void received(self, uint32_t at, int64_t time) noexcept:
        """When the trade at this place was received."""
        self.receive_time[at] = time
        self.has(HAS_RECEIVE_TIME, at, True)

    cdef int add_image(self, uint32_t row, int64_t time, const Values* values) except -1:
        """All words of a row."""
        cdef Record record
        memset(&record, 0, sizeof(Record))
        record.kind = EVENT_ROW
        record.row = row
        record.publish_time = time
        record.exchange_time = values.exchange_time
        cdef uint32_t at = self.add(&record, NO_RING, 0)
        self.state[at] = <uint8_t>values.status
        self.has(HAS_STATE, at, values.status < <uint64_t>FIRST_FEED_STATE)
        self.images.append((at, by_name(values)))
        return 0

    def note(
        self, kind: int, time_ns: int, count: int = 0, state: int = 0,
        words: dict[str, object] | None = None,
    ) -> None:
        """An event of the feed, of no row; `words`: all that is known of it."""
        cdef Record record
        memset(&record, 0, sizeof(Record))
        record.kind = kind
        record.row = 0xFFFFFFFF
        record.publish_time = time_ns
        record.seq = count
        cdef uint32_t at = self.add(&record, NO_RING, 0)
        if words is not None:
            self.images.append((at, words))
        if kind == EVENT_FEED:
            self.state[at] = FIRST_FEED_STATE + state
            self.has(HAS_STATE, at, True)
            self.has(HAS_COUNT, at, True)
