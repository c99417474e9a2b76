"""IEX TOPS 1.6: the top of IEX's book and its trades. What it shares with DEEP is in iex.pyx.

    Q quote update    type 1 | flags 1 | time 8 | symbol 8 | bid size 4 | bid 8 | ask 8 | ask size 4

A side without a quote has price 0 and size 0. The flags (symbol not available, outside regular
hours) do not make a quote less true and are not read; halts come as messages of their own.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

from ticker.endian cimport le32
from ticker.feeds.iex.messages cimport QUOTE_UPDATE, IexProtocol, price_at
from ticker.feeds.market.market cimport NO_PRICE, Market
from ticker.shm.counters cimport FEED_BAD_ORDERS, count


@cython.final
cdef class Tops(IexProtocol):
    """Decodes TOPS 1.6 for a market."""

    message_protocol = 0x8003

    def __init__(self, Market market not None, *, midnight_ns: int = 0) -> None:
        super().__init__(market, midnight_ns=midnight_ns)
        self.lengths[<int>QUOTE_UPDATE] = 42

    cdef void update(
        self, uint8_t kind, const uint8_t* data, int64_t time, int64_t receive_time
    ) noexcept nogil:
        cdef int64_t bid = price_at(data + 22)
        cdef int64_t ask = price_at(data + 30)
        cdef uint64_t bid_size = le32(data + 18)
        cdef uint64_t ask_size = le32(data + 38)
        cdef int32_t instrument
        if bid == NO_PRICE or ask == NO_PRICE:
            count(self.market.counters, FEED_BAD_ORDERS, 1)
            return
        instrument = self.instrument(data + 10)
        if instrument >= 0:
            self.market.set_quote(
                instrument, bid if bid or bid_size else NO_PRICE, bid_size,
                ask if ask or ask_size else NO_PRICE, ask_size, time,
            )
