"""Bars of a minute, made from the trades of a feed's rings: see bars.pyx."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport Record
from ticker.shm.table cimport PriceTable
from ticker.store.live.forming cimport KeptBar
from ticker.store.live.figures cimport Figures
from ticker.places cimport Places


cdef enum BarFlag:
    BAR_USED = 1
    BAR_DIRTY = 2                # has changed since it was last taken
    BAR_ADDS = 4                 # trades of its minute may be on the disk already: this adds to them
    BAR_TAKEN = 8
    BAR_INEXACT = 16             # a trade was taken back whose neighbours are no longer known

# A trade that may still be taken back. `next`, `bar`: index + 1, 0: none.
cdef struct Trade:
    int64_t price
    uint64_t size
    int64_t time                 # of the exchange, ns
    uint64_t match
    uint64_t earlier             # number + 1 of the trade of its row that came before it, 0: none
    uint32_t row
    uint32_t flags               # TradeFlag
    uint32_t bar
    uint32_t next                # the trade of its bar that came before it

cdef struct Bar:
    int64_t minute               # since the epoch
    Figures figures              # of one venue; of a BAR_ADDS the volume may be below zero
    uint32_t row
    uint32_t newest              # its newest kept trade, index + 1
    uint32_t kept                # trades of it that are kept
    uint32_t made_of             # trades that it was made of
    uint32_t revision            # times that it changed after it was taken and its minute was over
    uint32_t flags               # BarFlag

cdef struct RowState:
    uint64_t newest              # number + 1 of its newest trade, 0: none
    uint32_t current             # its newest bar, index + 1


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
    cdef int _add(self, Record* record) except -1
    cdef void _correct(self, Trade* trade, Record* record) noexcept
    cdef void _keep(self, const Bar* bar, KeptBar* kept) noexcept
    cdef void _forget(self, uint64_t place) noexcept
    cdef void _take_back(self, Trade* trade) noexcept
    cdef void _make_again(self, Bar* bar) noexcept
    cdef Trade* _find(self, uint32_t row, uint64_t match) noexcept
    cdef void _sweep(self) noexcept
