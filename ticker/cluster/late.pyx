"""Trades that come behind their rows: a bridge shows rows at once, and tells trades in their order when
the log has given those that never came.

In: frames whose rows are shown, live ones and those of the log. Out: records of their trades. Law: no
I/O and no clock. A shard's trades are told by batch; while one is missing, those behind it wait. What
the log does not have is lost, and the ledger of gaps has it. A row whose newest trades are lost may not
trade again for hours, so readers are told of the hole without a trade.

Bound: MOST_LATE bytes of frames wait; the shard that goes beyond gives up what it misses.
"""

from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memset

from ticker.cluster.frame cimport FrameHead
from ticker.cluster.heard cimport Heard, HeardRows
from ticker.shm.counters cimport (
    FEED_GAP_MESSAGES,
    FEED_GAPS,
    FEED_LOST_MESSAGES,
    FEED_RECOVERED_MESSAGES,
    count,
)
from ticker.shm.gaps cimport GapLedger
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport RECORD_CORRECTION, RECORD_PRINT, RECORD_TRADE, Record, Values
from ticker.shm.ring cimport RingReader
from ticker.shm.shards.watchers cimport SKIPS_TRADES

cdef enum:
    MOST_LATE = 64 << 20
    SURE = 200000000             # ns after an image in which trades of its rows may still come


cdef class Owed:
    pass


cdef class Late:
    """Of the feed whose segment is `mapping`.

    Attributes:
        recalled: frames that the log gave.
        lost: frames that it did not have.
    """

    def __cinit__(self, Mapping mapping not None, HeardRows rows, GapLedger ledger) -> None:
        self.mapping = mapping
        self.rows = rows
        self.ledger = ledger
        self.counters = mapping.counters
        self.owed = {}
        self.holes = []

    def learn_told(self) -> int:
        """Learn from the rings what a predecessor has told. Returns the publish time of the oldest
        trade there behind which its row is newer, ns; 0: there is none."""
        cdef size_t room = self.rows.table.capacity
        cdef int64_t* published = <int64_t*>PyMem_Calloc(room, sizeof(int64_t))
        cdef RingReader reader
        cdef Heard* heard
        cdef uint32_t row
        cdef int64_t oldest = 0
        if published == NULL:
            raise MemoryError("no memory for what a predecessor of a bridge has told")
        for number in range(self.rows.ring_count):
            reader = RingReader(self.mapping, number)
            reader.position -= min(reader.position, reader.ring.mask)
            self._read_told(reader, published)
        for row in range(self.rows.table.used):
            heard = &self.rows.heard[row]
            if published[row] and heard.told_seq < self.rows._shown(row).seq:
                oldest = min(oldest, published[row]) if oldest else published[row]
        PyMem_Free(published)
        return oldest

    cdef int _read_told(self, RingReader reader, int64_t* published) except -1:
        cdef Record record
        cdef Heard* heard
        cdef int got
        while True:
            got = reader.read(&record)
            if got == 0:
                return 0
            if got < 0 or record.row >= self.rows.table.used:
                continue
            if record.kind == RECORD_TRADE or record.kind == RECORD_PRINT:
                heard = &self.rows.heard[record.row]
                heard.told_seq = record.seq
                heard.told_match = record.match
                heard.told_time = record.exchange_time
                published[record.row] = record.publish_time

    def shards(self) -> list[int]:
        """Those whose trades wait."""
        return sorted(self.owed)

    def since(self) -> int:
        """When the oldest frame was published behind which one is missing, ns."""
        cdef Owed owed
        return min([(<Owed>owed).since for owed in self.owed.values()], default=0)

    def settle_quiet(self, epoch: int, now: int) -> None:
        """The log was read to its end: a shard of which it gave nothing has had no frames."""
        for number, owed in list(self.owed.items()):
            if not (<Owed>owed).begun:
                self.forgive(number, epoch, now)

    cdef bint owes(self, uint32_t number) noexcept:
        return number in self.owed

    cdef int owe(
        self, uint32_t number, uint64_t told, uint64_t newest, int64_t since, bint anew
    ) except -1:
        cdef Owed owed = self.owed.get(number)
        if owed is None:
            owed = Owed()
            owed.told = told
            owed.since = since
            owed.begun = not anew
            owed.anew = anew
            owed.frames = {}
            self.owed[number] = owed
        owed.newest = max(owed.newest, newest)
        return 0

    cdef bint keep(
        self, uint32_t number, uint64_t batch, bytes frame, bint recalled, uint64_t epoch, int64_t now
    ) except -1:
        cdef Owed owed = self.owed[number]
        if not recalled:
            owed.newest = max(owed.newest, batch)
        elif not owed.begun:
            owed.begun = True
            owed.told = min(batch, min(owed.frames, default=batch)) - 1
        if (owed.begun and batch <= owed.told) or batch in owed.frames:
            return False
        if recalled:
            owed.recalled = True
            self.recalled += 1
            count(self.counters, FEED_GAP_MESSAGES, 1)
            count(self.counters, FEED_RECOVERED_MESSAGES, 1)
        if owed.begun and batch == owed.told + 1:
            self._write(owed, frame)
            owed.told = batch
        else:
            owed.frames[batch] = frame
            self.bytes += <size_t>len(frame)
        if owed.begun:
            self._tell(owed, number)
        if self.bytes > MOST_LATE and number in self.owed:
            self.forgive(number, epoch, now)
        return True

    cdef int _tell(self, Owed owed, uint32_t number) except -1:
        """What waited for what has come; the shard owes nothing if that is all."""
        cdef bytes frame
        while owed.told + 1 in owed.frames:
            owed.told += 1
            frame = owed.frames.pop(owed.told)
            self.bytes -= <size_t>len(frame)
            self._write(owed, frame)
        if owed.told >= owed.newest:
            count(self.counters, FEED_GAPS, owed.recalled)
            del self.owed[number]
        return 0

    cdef int _write(self, Owed owed, bytes frame) except -1:
        cdef const FrameHead* head = <const FrameHead*><const char*>frame
        owed.since = head.publish_time
        if self.rows.learn_names(frame) and self.rows.knows(frame):
            self.rows.write_trades(frame, owed.anew)
        return 0

    cdef int forgive(self, uint32_t number, uint64_t epoch, int64_t now) except -1:
        cdef Owed owed = self.owed.pop(number)
        cdef bytes frame
        if not owed.begun:  # nobody knows how many there were; the trades' numbers tell readers
            owed.told = min(owed.frames, default=owed.newest + 1) - 1
        for batch in sorted(owed.frames):
            if batch > owed.told + 1:
                self._lose(number, owed.told + 1, batch, epoch, now)
            frame = owed.frames[batch]
            self.bytes -= <size_t>len(frame)
            self._write(owed, frame)
            owed.told = batch
        if owed.newest > owed.told:
            self._lose(number, owed.told + 1, owed.newest + 1, epoch, now)
        return self.note(number, now)

    cdef int note(self, uint32_t number, int64_t now) except -1:
        cdef Heard* heard
        cdef uint64_t seq
        cdef uint32_t row
        cdef uint32_t after = self.rows.first[number]
        while after:
            row = after - 1
            heard = &self.rows.heard[row]
            after = heard.next_of_shard
            if heard.told_seq and not heard.counts_anew:
                seq = self.rows._shown(row).seq
                if seq > heard.told_seq:
                    self.holes.append((now + SURE, row, seq))
        return 0

    cdef int tell_holes(self, int64_t now) except -1:
        cdef Values values
        cdef Record record
        cdef uint32_t row
        cdef uint64_t seq
        cdef list waiting = []
        for hole in self.holes:
            if 0 < hole[0] - now <= SURE:  # a clock that was set back is no reason to wait
                waiting.append(hole)
                continue
            row, seq = hole[1], hole[2]
            if self.rows.heard[row].told_seq >= seq:
                continue
            values = self.rows._shown(row)
            memset(&record, 0, sizeof(Record))
            record.row = row
            record.kind = RECORD_CORRECTION
            record.conditions = SKIPS_TRADES
            record.publish_time = values.publish_time
            record.exchange_time = values.exchange_time
            record.seq = seq
            self.rows._write(row, &record)
        self.holes = waiting
        return 0

    cdef int _lose(
        self, uint32_t number, uint64_t start, uint64_t end, uint64_t epoch, int64_t now
    ) except -1:
        session = b"%016x" % epoch
        gap = self.ledger.found_from_python(start, end, now, channel=number, session=session)
        self.ledger.became_from_python(gap, "lost_upstream", end - start, now)
        self.lost += end - start
        count(self.counters, FEED_GAPS, 1)
        count(self.counters, FEED_GAP_MESSAGES, end - start)
        count(self.counters, FEED_LOST_MESSAGES, end - start)
        return 0
