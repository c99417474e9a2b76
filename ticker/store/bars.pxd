"""Bars of a minute, made from the trades of a feed's rings: see bars.pyx."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport Record
from ticker.shm.ring cimport RingReader
from ticker.shm.table cimport PriceTable
from ticker.store.live.forming cimport KeptBar
from ticker.store.minute cimport Bar, RowState, Trade
from ticker.places cimport Places


cdef class Bars:
    """The bars of one feed whose trades are kept, and those that were not taken yet."""

    cdef Mapping mapping
    cdef PriceTable table
    cdef list readers
    cdef void** rings
    cdef uint32_t ring_count
    cdef Trade* trades
    cdef uint64_t trade_mask
    cdef uint64_t trades_seen
    cdef Bar* bars
    cdef uint32_t bar_room
    cdef uint32_t* vacant
    cdef uint32_t vacant_count
    cdef uint32_t* dirty
    cdef uint32_t dirty_count
    cdef RowState* states
    cdef size_t states_bytes
    cdef Places by_minute
    cdef int64_t newest          # minute
    cdef int64_t began           # minute
    cdef int64_t swept           # minute
    cdef readonly uint64_t records
    cdef readonly uint64_t unmatched  # cancels and corrections of trades that are not kept

    cdef int _take_in(self, Record* record) except -1
    cdef uint32_t _bar_of(self, uint32_t row, int64_t minute) except 0
    cdef int _grow_bars(self) except -1
    cdef void _mark(self, Bar* bar) noexcept
    cdef void _recall(self, RingReader reader, uint64_t oldest) noexcept
    cdef void _remember(self, const Record* record) noexcept
    cdef Trade* _log(self, const Record* record) noexcept
    cdef int _add(self, const Record* record) except -1
    cdef void _correct(self, Trade* trade, Bar* bar, const Record* record) noexcept
    cdef void _keep(self, const Bar* bar, KeptBar* kept) noexcept
    cdef void _forget(self, uint64_t place) noexcept
    cdef void _take_back(self, Trade* trade, Bar* bar) noexcept
    cdef Trade* _find(self, uint32_t row, uint64_t match) noexcept
    cdef void _sweep(self) noexcept
