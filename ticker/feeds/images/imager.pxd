"""The image of a feed in the making: see imager.pyx."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from ticker.feeds.images.layout cimport PARTS, ImageHead
from ticker.feeds.market.book cimport Book, Order
from ticker.feeds.market.market cimport Market
from ticker.feeds.market.trade_ids cimport TradeIds
from ticker.feeds.market.trades cimport TradeLog
from ticker.feeds.protocol cimport Protocol
from ticker.feeds.session cimport Session


cdef class Imager:
    cdef Market market
    cdef Book book               # of the market, as the next two are
    cdef TradeIds ids
    cdef TradeLog trades
    cdef Session session
    cdef Protocol protocol
    cdef ImageHead head
    cdef int part                # a part (layout.pxd) that is written, PARTS: none is
    cdef uint64_t at             # bytes of it that were
    cdef Order* changed
    cdef uint64_t* new_ids
    cdef uint8_t* still          # parts that are copied at once: from PART_ROWS on
    cdef uint64_t still_room
    cdef uint64_t corrections    # that the feed had when the image began
    cdef uint64_t[PARTS] offsets # of each of these in it
    cdef uint64_t[PARTS] sizes   # bytes of each of these

    cdef bint _copy_still(self, bytes protocol_state, bytes session_state) noexcept
    cdef void _copy_row(self, uint8_t* to, uint32_t row) noexcept nogil
    cdef bint _is_still_possible(self) noexcept nogil
    cdef uint64_t _fill(self, uint8_t* to, uint64_t room) noexcept nogil
    cdef uint64_t _fill_orders(self, uint8_t* to, uint64_t room) noexcept nogil
    cdef uint64_t _fill_trades(self, uint8_t* to, uint64_t room) noexcept nogil
    cdef uint64_t _fill_ids(self, uint8_t* to, uint64_t room) noexcept nogil
    cdef uint64_t _copy(
        self, uint8_t* to, uint64_t room, const uint8_t* source, uint64_t length
    ) noexcept nogil
    cdef void _next_part(self) noexcept nogil
    cdef uint64_t _corrections(self) noexcept nogil
