"""Bars of a minute, made from the trades of a feed's rings.

In: the records of all rings of one feed, read as a gateway reads them. Out: (symbol, venue, minute,
figures) of each bar that has changed. Owned by the store worker.

A bar has the trades of its minute by the exchange's time, in any order of arrival. Open and close
are the first and last of them by that time whose conditions set the last price; high and low, volume
and count are of those whose conditions allow it. A bar from which a trade is taken back is made again
from the others. For that the newest trades are kept, a fixed number; a break of an older one is
counted (`unmatched`). A bar whose trades are not all kept keeps its prices, and is inexact then.
Trades that a predecessor counted are kept, too, as far back as the rings have them.

Law: no I/O and no clock. Memory is bounded by the number of trades that are kept.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from ticker.pages cimport give_pages, take_pages
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport (
    RECORD_CANCELLED,
    RECORD_CORRECTED,
    RECORD_PRINT,
    RECORD_TRADE,
    Record,
)
from ticker.store.live.passing cimport of_trades, oldest_sure, read_some, resume
from ticker.shm.ring cimport RingReader
from ticker.store.live.forming cimport KEPT_ADDS, KEPT_EXACT, KeptBar, figures_of, keep_bar
from ticker.store.live.figures cimport clear_figures
from ticker.store.minute cimport (
    BAR_ADDS, BAR_DIRTY, BAR_INEXACT, BAR_TAKEN, BAR_USED, Bar, RowState, Trade,
    correct, count_trade, fetch_bar, fetch_states, find_trade, knows_all, make_again, uncount_trade,
)
from ticker.store.live.spans cimport grown
from ticker.places cimport key_of, make_places, put_place, remove_place

cdef enum:
    FIRST_BARS = 1024
    BATCH = 64                   # records that are taken in together

cdef int64_t MINUTE = 60_000_000_000
EVER = 1 << 62
"""A minute after all others."""


cdef class Bars:
    """Bars of the feed whose segment is `mapping`.

    Args:
        minute: since the epoch. Bars up to it may be on the disk, and are added to.
        positions: of each ring the record to go on from, if it is still there; None: the first.
        kept: trades that can be taken back, a power of two.

    Raises:
        MemoryError: no memory for the trades.
    """

    def __cinit__(
        self, Mapping mapping not None, int64_t minute, positions: list[int] | None = None,
        uint32_t kept = 1 << 20,
    ) -> None:
        if not kept or kept & (kept - 1):
            raise ValueError(f"kept: {kept} is no power of two")
        cdef uint32_t index
        cdef uint64_t oldest
        cdef RingReader reader
        self.mapping = mapping
        self.table = PriceTable(mapping)
        self.trade_mask = kept - 1
        self.ring_count = mapping.ring_count
        self.readers = [RingReader(mapping, index) for index in range(self.ring_count)]
        self.rings = <void**>PyMem_Calloc(self.ring_count + 1, sizeof(void*))
        self.trades = <Trade*>take_pages(<size_t>kept * sizeof(Trade))
        self.states_bytes = (<size_t>self.table.capacity + 1) * sizeof(RowState)
        self.states = <RowState*>take_pages(self.states_bytes)
        if not (self.rings and self.trades and self.states):
            raise MemoryError("no memory for the bars")
        make_places(&self.by_minute, FIRST_BARS)
        self._grow_bars()
        for index, reader in enumerate(self.readers):
            self.rings[index] = <void*>reader
            oldest = oldest_sure(reader)
            resume(reader, positions[index] if positions is not None else 0)
            self._recall(reader, oldest)
        self.began = minute

    def __dealloc__(self) -> None:
        PyMem_Free(self.rings)
        give_pages(self.trades, (self.trade_mask + 1) * sizeof(Trade))
        give_pages(self.bars, self.bar_room * sizeof(Bar))
        PyMem_Free(self.vacant)
        PyMem_Free(self.dirty)
        give_pages(self.states, self.states_bytes)
        PyMem_Free(self.by_minute.at)

    @property
    def held(self) -> int:
        """Bars in memory."""
        return self.bar_room - self.vacant_count

    @property
    def positions(self) -> list[int]:
        """Of each ring the next record."""
        return [reader.position for reader in self.readers]

    @property
    def newest_ns(self) -> int:
        """The end of the newest minute of a trade, ns since the epoch; 0: there was none."""
        return (self.newest + 1) * MINUTE if self.newest else 0

    @property
    def skipped(self) -> int:
        """Records that were overwritten before they were read."""
        return sum(reader.skipped for reader in self.readers)

    def settle(self, minute: int) -> None:
        """The disk has no bar after this minute: later ones need not be added to."""
        self.began = minute

    def read(self, limit: int = 1 << 62) -> int:
        """Take in what the rings have, up to about `limit` records of each; how many there were."""
        cdef Record[BATCH] records
        cdef uint64_t left
        cdef uint64_t most = limit
        cdef uint64_t before = self.records
        cdef uint32_t index, i, count
        cdef RingReader reader
        cdef int found
        for index in range(self.ring_count):
            reader = <RingReader>self.rings[index]
            left = most
            found = 1
            while left and found:
                count = read_some(
                    reader, of_trades(), records, BATCH, &left, &self.records, &found
                )
                fetch_states(records, count, self.states, self.table.capacity)
                for i in range(count):
                    if records[i].row < self.table.capacity:
                        fetch_bar(self.bars, self.states[records[i].row].current)
                    # That of the trade which makes room.
                    fetch_bar(self.bars, self.trades[(self.trades_seen + i) & self.trade_mask].bar)
                for i in range(count):
                    self._take_in(&records[i])
        return self.records - before

    def take(self, before: int = EVER, most: int = EVER) -> list[tuple]:
        """What has changed since the last call, of the minutes before `before` (since the epoch), up
        to `most` bars; a tuple a bar: symbol, venue, minute (s since the epoch), open, high, low,
        close (1e-9 units or None), open_time, close_time (ns or None), volume and notional (units
        of the feed, and those times 1e-9), trades, size_exponent, revision, whether it is exact,
        whether it adds to the figures on the disk, and its revision to theirs."""
        cdef int64_t end = before
        cdef int64_t room = most
        cdef uint32_t index, left = 0
        cdef Bar* bar
        cdef KeptBar kept
        found = []
        for index in range(self.dirty_count):
            bar = &self.bars[self.dirty[index]]
            if bar.minute >= end or not room:
                self.dirty[left] = self.dirty[index]
                left += 1
                continue
            self._keep(bar, &kept)
            found.append(figures_of(&kept))
            room -= 1
            bar.flags &= ~<uint32_t>BAR_DIRTY
            bar.flags |= BAR_TAKEN
            if bar.flags & BAR_ADDS:
                clear_figures(&bar.figures)  # they are on the disk; the next ones are added to them
                bar.revision = 0
        self.dirty_count = left
        if self.swept != self.newest:
            self._sweep()
        return found

    def image(self) -> bytes:
        """What `take` would give, as the bytes of KeptBars (forming.pxd). It stays to be taken."""
        cdef uint32_t index
        cdef Bar* bar
        cdef bytes found = PyBytes_FromStringAndSize(NULL, self.dirty_count * sizeof(KeptBar))
        cdef KeptBar* kept = <KeptBar*><char*>found
        for index in range(self.dirty_count):
            bar = &self.bars[self.dirty[index]]
            self._keep(bar, kept + index)
        return found

    cdef void _keep(self, const Bar* bar, KeptBar* kept) noexcept:
        cdef uint32_t flags = 0 if bar.flags & BAR_INEXACT else KEPT_EXACT
        flags |= KEPT_ADDS if bar.flags & BAR_ADDS else 0
        keep_bar(kept, &bar.figures, self.table.rows + bar.row, bar.minute, bar.revision, flags)

    cdef int _take_in(self, Record* record) except -1:
        cdef Trade* trade
        cdef uint32_t index
        if record.row >= self.table.capacity:
            return 0
        if record.kind == RECORD_TRADE or record.kind == RECORD_PRINT:
            self._add(record)
        elif record.kind == RECORD_CANCELLED or record.kind == RECORD_CORRECTED:
            trade = self._find(record.row, record.match)
            if trade == NULL:
                self.unmatched += 1
                return 0
            index = trade.bar or self._bar_of(trade.row, trade.time // MINUTE)
            if record.kind == RECORD_CANCELLED:
                self._take_back(trade, &self.bars[index - 1])
            else:
                self._correct(trade, &self.bars[index - 1], record)
        return 0

    cdef void _recall(self, RingReader reader, uint64_t oldest) noexcept:
        """Keep the trades of a ring from a position on to where it is read next: they are in bars
        on the disk, and can still be taken back. `read` counts a lap, if it was to be read."""
        cdef uint64_t end = reader.position
        cdef uint64_t skipped = reader.skipped, laps = reader.laps
        cdef uint64_t left = end - min(oldest, end)
        cdef uint64_t seen = 0
        cdef Record record
        cdef int found = 1
        reader.position = end - left
        while left and found > 0:
            if (read_some(reader, of_trades(), &record, 1, &left, &seen, &found)
                    and record.row < self.table.capacity):
                self._remember(&record)
        reader.position = end
        reader.skipped, reader.laps = skipped, laps

    cdef void _remember(self, const Record* record) noexcept:
        """A record that a predecessor has taken in: no bar changes."""
        cdef Trade* trade
        if record.kind == RECORD_TRADE or record.kind == RECORD_PRINT:
            if record.exchange_time > 0:
                self._log(record)
            return
        trade = self._find(record.row, record.match)
        if trade == NULL:
            return
        if record.kind == RECORD_CANCELLED:
            trade.match = trade.flags = 0
        else:
            correct(trade, record)

    cdef Trade* _log(self, const Record* record) noexcept:
        """A trade, as the newest of those that are kept."""
        cdef uint64_t place = self.trades_seen & self.trade_mask
        cdef Trade* trade = &self.trades[place]
        self.newest = max(self.newest, record.exchange_time // MINUTE)
        if self.trades_seen > self.trade_mask:
            self._forget(place)
        self.trades_seen += 1
        trade.earlier = self.states[record.row].newest
        self.states[record.row].newest = self.trades_seen
        trade.price = record.price
        trade.size = record.size
        trade.time = record.exchange_time
        trade.match = record.match
        trade.row = record.row
        trade.flags = record.conditions
        trade.bar = trade.next = 0
        return trade

    cdef int _add(self, const Record* record) except -1:
        cdef uint32_t index
        cdef Trade* trade
        cdef Bar* bar
        if record.exchange_time <= 0:
            return 0
        index = self._bar_of(record.row, record.exchange_time // MINUTE)
        trade = self._log(record)
        bar = &self.bars[index - 1]
        trade.bar = index
        trade.next = bar.newest
        bar.newest = <uint32_t>(trade - self.trades) + 1
        bar.kept += 1
        bar.made_of += 1
        count_trade(bar, trade)
        self._mark(bar)
        return 0

    cdef void _forget(self, uint64_t place) noexcept:
        """The oldest kept trade makes room: it can't be taken back any more."""
        cdef Trade* trade = &self.trades[place]
        cdef Bar* bar
        if not trade.bar:
            return
        bar = &self.bars[trade.bar - 1]
        bar.kept -= 1
        if bar.newest == <uint32_t>place + 1:
            bar.newest = 0
        trade.bar = 0

    cdef Trade* _find(self, uint32_t row, uint64_t match) noexcept:
        """A kept trade by its number: the row's are looked through, for this is rare. NULL: none."""
        return find_trade(
            match, self.states[row].newest, self.trades, self.trades_seen, self.trade_mask
        )

    cdef void _take_back(self, Trade* trade, Bar* bar) noexcept:
        """A trade of this bar; the bar of one that a predecessor counted does not have it."""
        trade.match = 0
        if knows_all(bar) and trade.bar:
            trade.flags = 0
            make_again(bar, self.trades)
        else:
            uncount_trade(bar, trade)
            trade.flags = 0
        self._mark(bar)

    cdef void _correct(self, Trade* trade, Bar* bar, const Record* record) noexcept:
        """As `_take_back`."""
        cdef bint again = knows_all(bar) and trade.bar
        if not again:
            uncount_trade(bar, trade)
        correct(trade, record)
        if again:
            make_again(bar, self.trades)
        else:
            count_trade(bar, trade)
        self._mark(bar)

    cdef uint32_t _bar_of(self, uint32_t row, int64_t minute) except 0:
        """Its index + 1; a new one if there is none."""
        cdef uint32_t index = self.states[row].current
        cdef uint64_t at
        cdef Bar* bar
        if index and self.bars[index - 1].minute == minute and self.bars[index - 1].row == row:
            return index
        at = key_of(row, <uint64_t>minute) & self.by_minute.mask
        while self.by_minute.at[at].index:
            index = self.by_minute.at[at].index
            bar = &self.bars[index - 1]
            if bar.minute == minute and bar.row == row:
                return index
            at = (at + 1) & self.by_minute.mask
        if not self.vacant_count:
            self._grow_bars()
        self.vacant_count -= 1
        index = self.vacant[self.vacant_count] + 1
        bar = &self.bars[index - 1]
        memset(bar, 0, sizeof(Bar))
        bar.row = row
        bar.minute = minute
        bar.flags = BAR_USED
        # On the disk may be the bars of a predecessor, and those that were swept.
        if minute <= self.began or (self.trades_seen > self.trade_mask and minute + 1 < self.newest):
            bar.flags |= BAR_ADDS
        put_place(&self.by_minute, key_of(row, <uint64_t>minute), index)
        if minute >= self.newest:
            self.states[row].current = index
        return index

    cdef int _grow_bars(self) except -1:
        cdef uint32_t room = 2 * self.bar_room if self.bar_room else FIRST_BARS
        cdef uint32_t index
        cdef Bar* bars = <Bar*>take_pages(room * sizeof(Bar))
        if bars == NULL:
            raise MemoryError("no memory for the bars")
        if self.bar_room:
            memcpy(bars, self.bars, self.bar_room * sizeof(Bar))
        give_pages(self.bars, self.bar_room * sizeof(Bar))
        self.bars = bars
        self.vacant = <uint32_t*>grown(self.vacant, room * sizeof(uint32_t))
        self.dirty = <uint32_t*>grown(self.dirty, room * sizeof(uint32_t))
        for index in range(room, self.bar_room, -1):
            self.vacant[self.vacant_count] = index - 1
            self.vacant_count += 1
        self.bar_room = room
        return 0

    cdef void _mark(self, Bar* bar) noexcept:
        if not bar.flags & BAR_DIRTY:
            bar.revision += bar.flags & (BAR_TAKEN | BAR_ADDS) and bar.minute < self.newest
            bar.flags |= BAR_DIRTY
            self.dirty[self.dirty_count] = <uint32_t>(bar - self.bars)
            self.dirty_count += 1

    cdef void _sweep(self) noexcept:
        """Free the bars of past minutes that have no kept trade."""
        cdef uint32_t index
        cdef Bar* bar
        self.swept = self.newest
        for index in range(self.bar_room):
            bar = &self.bars[index]
            if (
                bar.flags & (BAR_USED | BAR_DIRTY) != BAR_USED or bar.kept
                or bar.minute + 1 >= self.newest
            ):
                continue
            if self.states[bar.row].current == index + 1:
                self.states[bar.row].current = 0
            remove_place(&self.by_minute, key_of(bar.row, <uint64_t>bar.minute), index + 1)
            bar.flags = 0
            self.vacant[self.vacant_count] = index
            self.vacant_count += 1
