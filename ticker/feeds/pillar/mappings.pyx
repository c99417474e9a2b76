"""NYSE Pillar's Symbol Index Mappings: which instrument an index means, and the scale of its prices.

They are sent once a day. What they said is kept in the rows' keys too: a successor has it from the
rows that it takes over.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free

from ticker.endian cimport le16, le32
from ticker.feeds.market.market cimport Market
from ticker.feeds.market.symbols cimport listing_venue, symbol_length
from ticker.shm.atomics cimport load_relaxed, store_relaxed
from ticker.shm.counters cimport FEED_UNKNOWN_SYMBOLS, count

cdef enum:
    DECIMALS = 9                 # of a price here; no symbol's scale is finer
    SYMBOL_LENGTH = 11

# In a row's key, for a successor: 1, engine 8, scale 8, index 32 bits.
cdef uint64_t KEY_IS_PILLAR = <uint64_t>1 << 63

# 1e-9 units in one of a price, by scale.
cdef int64_t[DECIMALS + 1] UNITS
for scale in range(DECIMALS + 1):
    UNITS[scale] = 10 ** (DECIMALS - scale)


cdef class IndexMappings:
    """The listings of a market's instruments, by row."""

    def __cinit__(self, Market market not None) -> None:
        self.market = market
        self.rows = market.rows.mapping.row_capacity
        self.listings = <Listing*>calloc(self.rows, sizeof(Listing))
        if self.listings == NULL:
            raise MemoryError("no memory for the listings of instruments")

    def __dealloc__(self) -> None:
        free(self.listings)

    cdef int32_t find(self, uint32_t index) noexcept nogil:
        """The instrument of a symbol index; -1: no mapping has said what it is."""
        cdef int32_t row = self._find(index)
        if row < 0 and not self.recalled:
            self._recall()
            row = self._find(index)
        if row < 0:
            count(self.market.counters, FEED_UNKNOWN_SYMBOLS, 1)
        return row

    cdef int32_t _find(self, uint32_t index) noexcept nogil:
        cdef int32_t row = self.market.rows.find(index)
        return row if row >= 0 and self.listings[row].unit else -1

    cdef void _recall(self) noexcept nogil:
        """What a predecessor was told."""
        cdef uint32_t row
        cdef uint64_t key
        self.recalled = True
        for row in range(self.market.publisher.table.used):
            key = load_relaxed(&self.market.publisher.table.rows[row].instrument_key)
            if key & KEY_IS_PILLAR and (key >> 32 & 0xFF) <= DECIMALS and row < self.rows:
                if not self.listings[row].unit:
                    self.market.rows.directory.bind(<uint32_t>key, <int32_t>row)
                    self.listings[row].unit = UNITS[key >> 32 & 0xFF]
                    self.listings[row].engine = <uint8_t>(key >> 40)

    cdef void define(self, const uint8_t* data, uint8_t channel) noexcept nogil:
        """A Symbol Index Mapping; its length is checked."""
        cdef uint32_t index = le32(data + 4)
        cdef uint8_t scale = data[24]
        cdef size_t length = symbol_length(data + 8, SYMBOL_LENGTH, True)
        cdef int32_t row = -1
        if length and scale <= DECIMALS:
            row = self.market.rows.define(index, <const char*>data + 8, length)
        if row < 0:
            count(self.market.counters, FEED_UNKNOWN_SYMBOLS, 1)
            return
        self.listings[row].unit = UNITS[scale]
        self.listings[row].engine = data[22]
        self.listings[row].channel = channel
        store_relaxed(
            &self.market.publisher.table.rows[row].instrument_key,
            KEY_IS_PILLAR | <uint64_t>data[22] << 40 | <uint64_t>scale << 32 | index,
        )
        self.market.rows.set_previous_close(row, le32(data + 28) * UNITS[scale])
        self.market.rows.set_listing(row, listing_venue(data[23]))
        self.market.sales.set_round_lot(row, le16(data + 26))

    cdef void forget_states(self) noexcept nogil:
        """No halt, and no state of the market's session, is known of any instrument."""
        cdef uint32_t row
        for row in range(self.rows):
            self.listings[row].halt = self.listings[row].session = 0
