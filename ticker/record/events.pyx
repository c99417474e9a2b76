"""Events of a recording, as a player takes them.

Owned by the reader of the recording; a Player only looks.
"""

from libc.stdint cimport int8_t, int64_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from ticker.shm.layout cimport Values

from ticker.errors import StoreError
from ticker.shm.table import FIELDS, SIGNED

# Words of a row that are times, and move with them.
TIMES = frozenset([name for name in FIELDS if name.endswith("_time")] + ["session_start"])


cdef class Image:
    """All words of a row, and what it is called."""

    def __init__(
        self, symbol: str, venue: str, currency: str, size_exponent: int, words: dict[str, int]
    ) -> None:
        self.symbol, self.venue, self.currency = symbol, venue, currency
        self.size_exponent = size_exponent
        self.words = words

    cdef int fill(self, Values* values, int64_t shift) except -1:
        cdef uint64_t* words = <uint64_t*>values
        cdef int index
        memset(values, 0, sizeof(Values))
        for index, name in enumerate(FIELDS):
            value = self.words.get(name) or 0
            if value and name in TIMES:
                value += shift
            words[index] = <uint64_t><int64_t>value if name in SIGNED else <uint64_t>value
        return 0


cdef class Events:
    """A batch of a recording: a dense buffer for each column, and the images by their place.

    Raises:
        StoreError: a buffer is too short.
    """

    def __init__(self, count: int, buffers: dict[str, object], images: dict[int, Image]) -> None:
        self.count = count
        self.images = images
        self.buffers = buffers
        self.publish_time = buffers["publish_time"]
        self.kind = buffers["kind"]
        self.row = buffers["row"]
        self.exchange_time = buffers["exchange_time"]
        self.receive_time = buffers["receive_time"]
        self.price = buffers["price"]
        self.size = buffers["size"]
        self.trade_id = buffers["trade_id"]
        self.other = buffers["other"]
        self.conditions = buffers["conditions"]
        self.ring = buffers["ring"]
        for buffer in buffers.values():
            if len(buffer) < count:
                raise StoreError("a column of a recording is too short")

    @property
    def times(self) -> memoryview:
        """The publish time of each event, ns."""
        return self.buffers["publish_time"]

    def time(self, index: int) -> int:
        """The publish time of an event, ns."""
        cdef int at = index
        return self.publish_time[at]
