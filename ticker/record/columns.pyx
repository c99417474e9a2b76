"""Events as columns of plain numbers, which Arrow takes over without a copy.

In: records of rings, images of rows, events of the feed. Out: a buffer for each column. What a
number means depends on the kind of its event; schema.py says it, and makes the columns of the file.
Owned by one Gather.
"""

from cpython.bytearray cimport PyByteArray_AS_STRING
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from ticker.record.states cimport EVENT_ROW
from ticker.shm.layout cimport Record, Values
from ticker.shm.table cimport by_name

WIDTHS = {
    "publish_time": 8, "kind": 1, "row": 4, "exchange_time": 8, "receive_time": 8, "price": 8,
    "size": 8, "trade_id": 8, "other": 8, "conditions": 2, "ring": 2, "position": 8,
}

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
        return 0

    cdef char* _at(self, str name) except NULL:
        return PyByteArray_AS_STRING(self.buffers[name])

    def take(self) -> tuple[int, dict[str, bytearray], list[tuple[int, dict[str, int]]]]:
        """(how many events, a buffer for each column, (place, words) of each row's image), the
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
        return at

    cdef int add_image(self, uint32_t row, int64_t time, const Values* values) except -1:
        """All words of a row."""
        cdef Record record
        memset(&record, 0, sizeof(Record))
        record.kind = EVENT_ROW
        record.row = row
        record.publish_time = time
        record.exchange_time = values.exchange_time
        self.images.append((self.add(&record, NO_RING, 0), by_name(values)))
        return 0

    def note(self, kind: int, time_ns: int, count: int = 0, state: int = 0) -> None:
        """An event of the feed, of no row."""
        cdef Record record
        memset(&record, 0, sizeof(Record))
        record.kind = kind
        record.row = 0xFFFFFFFF
        record.publish_time = time_ns
        record.seq = count
        record.conditions = state
        self.add(&record, NO_RING, 0)
