"""IEX DEEP 1.0: the price levels of IEX's book and its trades. What it shares with TOPS is in
iex.pyx.

    8, 5 price level update, buy and sell
                      type 1 | event flags 1 | time 8 | symbol 8 | size 4 | price 8

The size is the level's new one, 0 takes it off the book. One event of the exchange may move
several levels: of its messages all but the last have event flag 0, and until the last has come
the symbol's book is in transition, its best prices ones that never were. Such messages wait,
for each symbol apart, until its event is complete.

Bound: at most WAITING_LIMIT messages wait, and none longer than WAITING_NS of the exchange's
time, in case the one that completes the event was lost. Past either, all are applied.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

from ticker.endian cimport le32
from ticker.feeds.iex.messages cimport LEVEL_BUY, LEVEL_SELL, SECURITY_EVENT, IexProtocol, price_at
from ticker.feeds.market.market cimport ASK, BID, Market, Side
from ticker.shm.counters cimport FEED_BAD_ORDERS, count

cdef enum:
    EVENT_COMPLETE = 1
    WAITING_LIMIT = 1024
    WAITING_NS = 1000000000


cdef struct Update:
    int64_t price
    uint64_t size
    int64_t time
    int32_t instrument
    Side side


@cython.final
cdef class Deep(IexProtocol):
    """Decodes DEEP 1.0 for a market."""

    message_protocol = 0x8004

    cdef Update[WAITING_LIMIT] updates       # of events not complete, in order
    cdef readonly int waiting

    def __init__(self, Market market not None, *, midnight_ns: int = 0) -> None:
        super().__init__(market, midnight_ns=midnight_ns)
        self.lengths[<int>LEVEL_BUY] = 30
        self.lengths[<int>LEVEL_SELL] = 30
        self.lengths[<int>SECURITY_EVENT] = 18

    cdef void update(
        self, uint8_t kind, const uint8_t* data, int64_t time, int64_t receive_time
    ) noexcept nogil:
        cdef int64_t price = price_at(data + 22)
        cdef Side side = BID if kind == LEVEL_BUY else ASK
        cdef int32_t instrument
        if not self.market.rows.is_price(price):
            count(self.market.counters, FEED_BAD_ORDERS, 1)
            return
        instrument = self.instrument(data + 10)
        if instrument < 0:
            return
        if not data[1] & EVENT_COMPLETE:
            self._wait(instrument, side, price, le32(data + 18), time)
            return
        if self.waiting:
            self._apply(instrument, time)
        self.market.set_level(instrument, side, price, le32(data + 18), time)

    cdef void restart(self) noexcept nogil:
        self.waiting = 0
        IexProtocol.restart(self)

    cdef void _wait(
        self, int32_t instrument, Side side, int64_t price, uint64_t size, int64_t time
    ) noexcept nogil:
        cdef Update* update
        if self.waiting == WAITING_LIMIT:
            self._apply(-1, time)
        update = &self.updates[self.waiting]
        update.instrument = instrument
        update.side = side
        update.price = price
        update.size = size
        update.time = time
        self.waiting += 1

    cdef void _apply(self, int32_t instrument, int64_t time) noexcept nogil:
        """What waits for this instrument (-1: for any), or for too long, goes into the book."""
        cdef int kept = 0
        cdef int i
        cdef Update* update
        for i in range(self.waiting):
            update = &self.updates[i]
            if (instrument < 0 or update.instrument == instrument
                    or <int64_t>(<uint64_t>time - <uint64_t>update.time) >= WAITING_NS):
                self.market.set_level(
                    update.instrument, update.side, update.price, update.size, update.time
                )
            else:
                self.updates[kept] = update[0]
                kept += 1
        self.waiting = kept
