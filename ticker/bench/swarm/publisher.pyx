"""A feed without a feed: owns a feed segment and makes its symbols trade at an even pace, each as
often as the others or by its weight.

The pace is open-loop: tick k is due at start + k * interval / (symbols * ticks), at any speed of
the gateway; late ones are made up at once, and how late they were is kept. Times are the real
clock's, so a client on the same machine measures its lag from `timestamp`. The price follows from
the time (price_at), so a client can tell a price that was paired with another tick's time.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free

from ticker.bench.swarm.synthetic cimport price_of
from ticker.bench.swarm.wait cimport readable, realtime
from ticker.shm.doorbell cimport DoorbellRinger
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport (
    QUOTE_ASK,
    QUOTE_BID,
    RECORD_QUOTE,
    RECORD_TRADE,
    ROW_HAS_ASK,
    ROW_HAS_BID,
    ROW_HAS_HIGH_LOW,
    ROW_HAS_LAST,
    ROW_HAS_OPEN,
    STATUS_TRADING,
    TRADE_REGULAR,
    Record,
    Values,
)
from ticker.shm.ring cimport RingWriter, shard_of
from ticker.shm.table cimport TableWriter

import os
from collections.abc import Sequence

from ticker.shm.counters import LIVE, Heartbeat

VENUE = "XNAS"
cdef enum:
    STEP_MS = 1
    BEAT_NS = 100000000


cdef bint waited(int fd, int timeout_ms):
    """`readable`, letting other threads run."""
    cdef bint found
    with nogil:
        found = readable(fd, timeout_ms)
    return found


def price_at(exchange_time: int) -> int:
    """The price, in 1e-9 units, of the synthetic trade at this time (ns)."""
    return price_of(exchange_time)


cdef class SyntheticPublisher:
    """The one writer of `mapping`. `doors` are (gateway's mapping, eventfd) pairs."""

    cdef readonly uint64_t published
    cdef readonly uint64_t due             # trades of the last run, and how many were made
    cdef readonly uint64_t traded
    cdef public uint32_t quotes_after      # each trade is followed by so many, on the next rows
    cdef readonly int64_t late_ns          # the most that one of them was late
    cdef Mapping mapping
    cdef TableWriter table
    cdef DoorbellRinger ringer
    cdef object heartbeat
    cdef list rings
    cdef Values* rows
    cdef uint32_t* shards
    cdef uint32_t symbols
    cdef uint32_t* order                   # rows in the order in which they trade, NULL: 0, 1, ...
    cdef uint32_t turns                    # ... how many, and whose turn is next
    cdef uint32_t turn
    cdef uint32_t quoted                   # the row that was quoted last

    def __cinit__(
        self, Mapping mapping not None, symbols: list[str], doors: list[tuple[Mapping, int]],
    ) -> None:
        cdef bytes raw
        cdef uint32_t row
        self.mapping = mapping
        self.table = TableWriter(mapping)
        self.ringer = DoorbellRinger(doors)
        self.rings = [RingWriter(mapping, index) for index in range(mapping.ring_count)]
        self.symbols = self.turns = <uint32_t>len(symbols)
        self.rows = <Values*>calloc(self.symbols, sizeof(Values))
        self.shards = <uint32_t*>calloc(self.symbols, sizeof(uint32_t))
        if self.rows == NULL or self.shards == NULL:
            raise MemoryError(f"{self.symbols} symbols")
        for row in range(self.symbols):
            raw = symbols[row].encode("ascii")
            if self.table.add(symbols[row], VENUE) != row:
                raise ValueError("a synthetic publisher needs a fresh segment")
            self.shards[row] = shard_of(raw, len(raw), <uint32_t>len(self.rings))
            self.rows[row].status = STATUS_TRADING
        self.heartbeat = Heartbeat(mapping)
        self.heartbeat.take_over(os.getpid(), realtime())
        self.publish(self.symbols, realtime())
        self.heartbeat.set_state(LIVE)

    def __dealloc__(self) -> None:
        free(self.order)
        free(self.rows)
        free(self.shards)

    def follow(self, order: Sequence[int]) -> None:
        """Trade in this order of rows from now on, again and again."""
        cdef uint32_t i
        cdef uint32_t* taken
        if not order or not 0 <= min(order) <= max(order) < self.symbols:
            raise IndexError(f"an order of trades has rows below {self.symbols}")
        taken = <uint32_t*>calloc(len(order), sizeof(uint32_t))
        if taken == NULL:
            raise MemoryError(f"{len(order)} turns")
        for i in range(<uint32_t>len(order)):
            taken[i] = order[i]
        free(self.order)
        self.order = taken
        self.turns = <uint32_t>len(order)
        self.turn = 0

    cdef void trade(self, uint32_t row, int64_t now) noexcept:
        """A trade on one row: table first, then its ring."""
        cdef Values* values = self.rows + row
        cdef RingWriter ring = <RingWriter>self.rings[self.shards[row]]
        cdef Record record
        values.exchange_time = now // 1000 * 1000
        values.price = price_of(values.exchange_time)
        values.size = 100
        values.volume += 100
        values.trades += 1
        values.seq += 1
        if not values.flags & ROW_HAS_LAST:
            values.open = values.low = values.high = values.price
            values.flags |= ROW_HAS_LAST | ROW_HAS_OPEN | ROW_HAS_HIGH_LOW
        values.high = max(values.high, values.price)
        values.low = min(values.low, values.price)
        values.receive_time = values.publish_time = now
        record.row = row
        record.kind = RECORD_TRADE
        record.reserved = 0
        record.conditions = TRADE_REGULAR
        record.price = values.price
        record.size = values.size
        record.exchange_time = values.exchange_time
        record.match = values.trades
        record.publish_time = now
        record.seq = values.seq
        self.table.publish(row, values)
        ring.write(&record)

    cdef void quote(self, uint32_t row, int64_t now) noexcept:
        """A quote on one row: table first, then its ring."""
        cdef Values* values = self.rows + row
        cdef RingWriter ring = <RingWriter>self.rings[self.shards[row]]
        cdef Record record
        values.flags |= ROW_HAS_BID | ROW_HAS_ASK
        values.quote_time = values.publish_time = now
        values.bid = price_of(now)
        values.ask = values.bid + 10_000_000
        values.bid_size = values.ask_size = 100
        values.quotes += 1
        record.row = row
        record.kind = RECORD_QUOTE
        record.reserved = 0
        record.conditions = QUOTE_BID | QUOTE_ASK
        record.price = values.bid
        record.size = values.bid_size
        record.exchange_time = record.publish_time = now
        record.match = <uint64_t>values.ask
        record.seq = values.ask_size
        self.table.publish(row, values)
        ring.write(&record)

    cdef void publish(self, uint64_t count, int64_t now) noexcept:
        """The next `count` ticks, in turn, and the doorbells."""
        cdef uint64_t i
        cdef uint32_t _
        for i in range(count):
            self.trade(self.turn if self.order == NULL else self.order[self.turn], now)
            for _ in range(self.quotes_after):
                self.quoted += 1
                if self.quoted == self.symbols:
                    self.quoted = 0
                self.quote(self.quoted, now)
            self.turn += 1
            if self.turn == self.turns:
                self.turn = 0
        self.published += count
        if count:
            self.ringer.ring()

    def tick(self, row: int) -> int:
        """One trade on one row, now; its exchange time."""
        if not 0 <= row < self.symbols:
            raise IndexError(f"row {row}: there are {self.symbols}")
        self.trade(row, realtime())
        self.published += 1
        self.ringer.ring()
        return self.rows[<uint32_t>row].exchange_time

    def run(self, interval: float, ticks: float, control_fd: int) -> None:
        """Trade `ticks` times per symbol and `interval` seconds, the mean of all symbols, until
        `control_fd` is readable."""
        cdef int fd = control_fd
        cdef double ns_per_tick = interval * 1e9 / (ticks * self.symbols)
        cdef int64_t start = realtime()
        cdef int64_t now = start
        cdef int64_t beat = 0
        cdef uint64_t done = 0
        cdef uint64_t due
        self.late_ns = 0
        while not waited(fd, STEP_MS):
            now = realtime()
            due = <uint64_t>((now - start) / ns_per_tick)
            if due > done:
                self.late_ns = max(
                    self.late_ns, now - start - <int64_t>((done + 1) * ns_per_tick)
                )
            self.publish(due - done, now)
            done = due
            if now - beat > BEAT_NS:
                self.heartbeat.beat(now)
                beat = now
        self.traded = done
        self.due = <uint64_t>((realtime() - start) / ns_per_tick)

    def idle(self, control_fd: int) -> None:
        """Only beat the heart until `control_fd` is readable."""
        cdef int fd = control_fd
        while not waited(fd, BEAT_NS // 1000000):
            self.heartbeat.beat(realtime())

    def last_times(self) -> list[int]:
        """The exchange time of each symbol's last trade."""
        cdef uint32_t row
        return [self.rows[row].exchange_time for row in range(self.symbols)]
