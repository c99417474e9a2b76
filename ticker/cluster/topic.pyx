"""The prices of a feed for other programs: a message for each symbol that changed, its key the symbol.

In: rings and rows, which this process only reads. Out: (key, value). The value is a JSON object with
the fields of GET /prices/{symbol}?venue=, or a delta frame (frame.pxd) of one row: its name, all its
words, and its trades since the message before, all of them as plain as the format has them. Law: no I/O and no clock. A symbol has a message each
`interval` at most, and the first one after quiet goes at once. Figures that count (`seq`, `volume`,
`trades`) lose nothing by it.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Malloc, PyMem_Realloc
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from ticker.cluster.frame cimport (
    ALL_WORDS,
    FRAME_DELTA,
    HEAD_BYTES,
    Define,
    FrameTrade,
    bytes_of,
    put_name,
    put_plain_row,
)
from ticker.cluster.news cimport Shard, drop_changed, take_changed
from ticker.cluster.outgoing cimport Outgoing
from ticker.jsontext cimport put_symbol, put_text
from ticker.shm.figures cimport has_traded, put_day, put_price, put_size, put_time, told_time
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport (
    CURRENCY_BYTES,
    ROW_HAS_ASK,
    ROW_HAS_BID,
    ROW_HAS_LAST,
    ROW_STALE,
    SYMBOL_BYTES,
    VENUE_BYTES,
    Row,
    Values,
)
from ticker.units cimport write_uint, write_volume

from ticker.shm.layout import TRADING_STATUSES

cdef extern from "<string.h>" nogil:
    size_t strnlen(const char* text, size_t most)

cdef enum:
    OBJECT_ROOM = 4096           # more than an object with all its figures takes
    MOST_TRADES = 8192           # of a frame

cdef list STATUS_TEXTS = [status.encode() for status in TRADING_STATUSES]


cdef class PriceTopic:
    """Of the feed whose segment is `mapping`, from now on.

    Args:
        name: of the feed; `feed`: its identity (frame.pyx).
        shards: among which symbols are spread, so that not all are due at the same time.
        interval: ns between two messages of a symbol.
        frames: values are frames, else JSON.
        boot: names this life of the relay, as in Outgoing.

    Raises:
        MemoryError: no memory for a copy of the rows.
    """

    def __cinit__(
        self, Mapping mapping not None, name: str, feed: int, shards: int, interval: int, *,
        frames: bool, boot: int = 0,
    ) -> None:
        self.outgoing = Outgoing(mapping, feed, shards, interval, frames, boot)
        self.interval = interval
        self.frames = frames
        self.feed_text = b'","feed":"%b","epoch":' % name.encode()
        self.object = <char*>PyMem_Malloc(OBJECT_ROOM)
        self.first = <uint32_t*>PyMem_Calloc(self.outgoing.news.table.capacity, sizeof(uint32_t))
        self.last = <uint32_t*>PyMem_Calloc(self.outgoing.news.table.capacity, sizeof(uint32_t))
        if not (self.object and self.first and self.last):
            raise MemoryError("no memory for the topic of prices")

    def __dealloc__(self) -> None:
        PyMem_Free(self.object)
        PyMem_Free(self.first)
        PyMem_Free(self.last)
        PyMem_Free(self.next)

    @property
    def epoch(self) -> int:
        """That in which messages are told; 0: none were."""
        return self.outgoing.epoch

    @property
    def lapped(self) -> int:
        """Records that were overwritten in a ring before they were read."""
        return self.outgoing.lapped

    def gather(self) -> int:
        """Read all rings to their ends; how many records there were."""
        return self.outgoing.gather()

    def look(self) -> None:
        """Look at all rows: some change without a record. Once a second is often enough."""
        self.outgoing.look()

    def rest(self, ages: bool) -> None:
        """Another box speaks; as in Outgoing."""
        self.outgoing.rest(ages)

    def begin(self, epoch: int) -> None:
        """Speak from now on: all symbols are told, as readers may lack what nobody said."""
        cdef uint32_t row
        self.outgoing.begin(epoch)
        self.end_text = b"%d}" % epoch
        for row in range(self.outgoing.news.rows):
            memset(&self.outgoing.news.values[row], 0, sizeof(Values))
            self.outgoing.news.change(row, False)

    def due(self, now: int) -> list[tuple[bytes, bytes]]:
        """(symbol, value) of what is due at `now`."""
        cdef list found = []
        cdef uint32_t i, number
        cdef uint32_t left = 0
        cdef Shard* shard
        cdef int64_t time = now
        for i in range(self.outgoing.news.waiting_count):
            number = self.outgoing.news.waiting[i]
            shard = &self.outgoing.news.shards[number]
            # a clock that was set back is no reason to wait
            if time - shard.flushed >= self.interval or time < shard.flushed:
                self._tell(number, time, found)
                shard.flushed = time
                shard.waits = shard.changed_used > 0  # a row that is written again and again
            if shard.waits:
                self.outgoing.news.waiting[left] = number
                left += 1
        self.outgoing.news.waiting_count = left
        self.told += <uint64_t>len(found)
        return found

    cdef int _tell(self, uint32_t number, int64_t now, list found) except -1:
        """All that waits of a shard."""
        cdef Shard* shard = &self.outgoing.news.shards[number]
        cdef uint32_t changed = shard.changed_used
        cdef uint32_t row, mask, i
        self._sort_trades(shard)
        for i in range(changed):
            row = take_changed(self.outgoing.news.told, shard, i)
            mask = self.outgoing._news_of(row)
            if self.frames:
                # trades of a row that the writer keeps from being read go with what was told of it
                if mask or self.first[row]:
                    self._tell_frames(shard, number, row, now, found)
            elif mask:
                self._tell_object(row, found)
        drop_changed(shard, changed)
        self.outgoing.news.trades_waiting -= shard.trades_used
        shard.trades_used = shard.trades_old = 0
        return 0

    cdef bytes _key(self, uint32_t row):
        cdef const Row* named = &self.outgoing.news.table.rows[row]
        return <bytes>named.symbol[:strnlen(named.symbol, SYMBOL_BYTES)]

    # -- frames -----------------------------------------------------------------------------

    cdef int _sort_trades(self, Shard* shard) except -1:
        """The trades of each row, one behind the other."""
        cdef uint32_t i, row
        cdef uint32_t* grown
        if shard.trades_used > self.next_room:
            grown = <uint32_t*>PyMem_Realloc(self.next, shard.trades_room * sizeof(uint32_t))
            if grown == NULL:
                raise MemoryError("no memory for the topic of prices")
            self.next = grown
            self.next_room = shard.trades_room
        for i in range(shard.trades_used):
            row = shard.trades[i].row
            self.next[i] = 0
            if self.first[row]:
                self.next[self.last[row] - 1] = i + 1
            else:
                self.first[row] = i + 1
            self.last[row] = i + 1
        return 0

    cdef int _tell_frames(
        self, Shard* shard, uint32_t number, uint32_t row, int64_t now, list found
    ) except -1:
        """The row with its trades, in as many frames as it takes."""
        cdef uint32_t trade = self.first[row]
        cdef uint32_t trades
        cdef uint8_t* at
        cdef bytes key = self._key(row)
        self.first[row] = 0
        while True:
            at = self.outgoing.frame + HEAD_BYTES
            put_name(at, &self.outgoing.news.table.rows[row], row)
            at = put_plain_row(
                at + sizeof(Define), row, <uint32_t>ALL_WORDS,
                <uint64_t*>&self.outgoing.news.values[row],
            )
            trades = 0
            while trade and trades < MOST_TRADES:
                memcpy(at, shard.trades + trade - 1, sizeof(FrameTrade))
                at += sizeof(FrameTrade)
                trade = self.next[trade - 1]
                trades += 1
            shard.batch += 1
            self.outgoing._seal(FRAME_DELTA, number, shard.batch, now, 1, 1, trades, at)
            found.append((key, bytes_of(self.outgoing.frame)))
            if not trade:
                return 0

    # -- objects ----------------------------------------------------------------------------

    cdef int _tell_object(self, uint32_t row, list found) except -1:
        """The JSON of a row, if it ever traded."""
        cdef int length
        if has_traded(&self.outgoing.news.values[row]):
            length = self._write(row)
            found.append((self._key(row), PyBytes_FromStringAndSize(self.object, length)))
        return 0

    cdef int _write(self, uint32_t row) except -1:
        """The object of a row into `object`; its length."""
        cdef const Row* named = &self.outgoing.news.table.rows[row]
        cdef const Values* values = &self.outgoing.news.values[row]
        cdef char* out = self.object
        cdef bint sold = values.flags & ROW_HAS_LAST != 0
        cdef bint bid = values.flags & ROW_HAS_BID != 0
        cdef bint ask = values.flags & ROW_HAS_ASK != 0
        cdef uint64_t scale = named.size_exponent
        cdef int at = put_text(out, 0, b'{"symbol":"')
        at = put_symbol(out, at, named.symbol, strnlen(named.symbol, SYMBOL_BYTES))
        at = put_price(out, at, b'","price":', values.price, sold)
        at = put_text(out, at, b',"currency":"')
        at = put_symbol(out, at, named.currency, strnlen(named.currency, CURRENCY_BYTES))
        at = put_time(out, at, b'","exchange_timestamp":', told_time(values))
        at = put_time(
            out, at, b',"server_timestamp":', values.receive_time or values.publish_time
        )
        at = put_size(out, at, b',"size":', values.size, scale, sold)
        at = put_text(out, at, b',"venue":')
        if named.venue[0]:
            at = put_text(out, at, b'"')
            at = put_symbol(out, at, named.venue, strnlen(named.venue, VENUE_BYTES))
            at = put_text(out, at, b'"')
        else:
            at = put_text(out, at, b"null")
        at = put_text(out, at, b',"volume":')
        at += write_volume(out + at, values.volume_high, values.volume, scale)
        at = put_text(out, at, b',"trades":')
        at += write_uint(out + at, values.trades)
        at = put_day(out, at, values)
        at = put_price(out, at, b',"bid":', values.bid, bid)
        at = put_size(out, at, b',"bid_size":', values.bid_size, scale, bid)
        at = put_price(out, at, b',"ask":', values.ask, ask)
        at = put_size(out, at, b',"ask_size":', values.ask_size, scale, ask)
        at = put_text(out, at, b',"seq":')
        at += write_uint(out + at, values.seq)
        at = put_text(out, at, b',"stale":true' if values.flags & ROW_STALE else b',"stale":false')
        at = put_text(out, at, b',"trading_status":"')
        at = put_text(out, at, <bytes>STATUS_TEXTS[<int>values.status])
        at = put_text(out, at, self.feed_text)
        return put_text(out, at, self.end_text)
