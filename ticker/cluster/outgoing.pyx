"""Frames of a feed from its segment: what a relay publishes.

In: rings and rows, which this process only reads. Out: frames, by shard. Law: no I/O and no clock.
A frame's rows are read after the records that its trades are of, so a row is never older than a
trade beside it. An image has each row as the frames before it told it, so that the deltas after it
follow on it.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from ticker.cluster.frame cimport (
    ALL_WORDS,
    FEED_WORDS,
    FRAME_DELTA,
    FRAME_IMAGE,
    FRAME_STATE,
    HEAD_BYTES,
    MOST_FRAME,
    READ_AGAIN,
    Define,
    FeedWords,
    FrameHead,
    FrameRow,
    FrameTrade,
    lowest_bit,
    put_name,
    seal,
)
from ticker.cluster.news cimport News, Shard, Told, drop_changed, take_changed
from ticker.pages cimport prefetch, prefetch_to_write
from ticker.shm.atomics cimport load_acquire, load_relaxed
from ticker.shm.header cimport Mapping
from ticker.shm.shards.sharding cimport Sharding
from ticker.shm.layout cimport (
    CACHE_LINE,
    COMMON_WORDS,
    FEED_STALE,
    VALUE_WORDS,
    Values,
)

from ticker.cluster.frame import life_of
from ticker.shm.liveness import WORKER_TIMEOUT_NS

cdef extern from "ticker/cluster/differ.h" nogil:
    uint32_t differing "ticker_differing"(const uint64_t* one, const uint64_t* other)
    const int WORDS "TICKER_DIFFER_WORDS"

if VALUE_WORDS != WORDS:
    raise ImportError("differ.h: TICKER_DIFFER_WORDS are not the words of a row")

cdef enum:
    MOST_ROWS = 1024             # of a delta, or a part of an image
    MOST_TRADES = 8192           # of a frame: with MOST_ROWS rows they fit into MOST_FRAME
    AHEAD = 8                    # rows that are fetched while others are read

cdef int64_t WORKER_TIMEOUT = WORKER_TIMEOUT_NS


cdef class Outgoing:
    """Of the feed whose segment is `mapping`, from now on.

    Args:
        feed: its identity (frame.pyx).
        shards: among which symbols are spread.
        interval: ns between two frames of a shard; the first change after quiet waits for none.
        trades: whether frames have them.
        boot: names this life of the relay (frame.pyx: life_of); 0: the first one of its server.
        pinned: symbols with a shard of their own, behind the others.

    Raises:
        MemoryError: no memory for a copy of the rows.
    """

    def __cinit__(
        self, Mapping mapping not None, feed: int, shards: int, interval: int, trades: bool = True,
        boot: int = 0, pinned: tuple[str, ...] = (),
    ) -> None:
        self.news = News(mapping, Sharding(shards, pinned), trades)
        self.state = mapping.feed_state()
        self.feed = feed
        self.boot = boot or life_of(mapping.boot_id, 0)
        self.interval = interval
        self.frame = <uint8_t*>PyMem_Malloc(MOST_FRAME)
        if self.frame == NULL:
            raise MemoryError("no memory for the frames of a relay")

    def __dealloc__(self) -> None:
        PyMem_Free(self.frame)

    @property
    def lapped(self) -> int:
        """Records that were overwritten in a ring before they were read."""
        return self.news.lapped

    @property
    def dropped(self) -> int:
        """Trades that came faster than they could be told."""
        return self.news.dropped

    def gather(self) -> int:
        """Read all rings to their ends; how many records there were."""
        return self.news.gather()

    def look(self) -> None:
        """Look at all rows: some change without a record. Once a second is often enough."""
        self.news.look()

    def rest(self, ages: bool) -> None:
        """Another box speaks: keep only what a speaker tells first. `ages`: some time has passed, so
        that of trades only those stay which came since it had passed before."""
        self.news.rests = True
        self.news.rest(ages)

    @property
    def batches(self) -> list[int]:
        """The number of each shard's newest frame in this epoch."""
        return [self.news.shards[shard].batch for shard in range(self.news.shard_count)]

    def begin(self, epoch: int) -> None:
        """Speak from now on: nobody knows anything of this epoch, so images come first, then the
        trades that were kept. Readers know by their numbers which of them they have."""
        cdef uint32_t number, row
        cdef Values values
        self.epoch = epoch
        self.news.gather()
        self.news.learn()
        self.news.rest(False)
        self.news.rests = False
        for number in range(self.news.shard_count):
            self.news.shards[number].batch = 0
            self.news.shards[number].trades_old = 0
        for row in range(self.news.rows):
            self.news.told[row].defined = self.news.table.read(row, &values) >= 0
            if self.news.told[row].defined:
                self.news.values[row] = values
            else:  # the writer outran us
                memset(&self.news.values[row], 0, sizeof(Values))
                self.news.change(row, True)

    def flush(self, now: int) -> list[tuple[int, int, bytes]]:
        """(FrameKind, shard, frame) of what is due at `now`."""
        cdef list found = []
        cdef uint32_t i, number
        cdef uint32_t left = 0
        cdef Shard* shard
        cdef int64_t time = now
        for i in range(self.news.waiting_count):
            number = self.news.waiting[i]
            shard = &self.news.shards[number]
            # a clock that was set back is no reason to wait
            if 0 <= time - shard.flushed < self.interval:
                self.news.waiting[left] = number
                left += 1
                continue
            found += self._flush(number, time, True)
            shard.waits = shard.changed_used > 0  # a row that is written again and again
            if shard.waits:
                self.news.waiting[left] = number
                left += 1
        self.news.waiting_count = left
        return found

    def images(self, shards: list[int], now: int) -> list[tuple[int, int, bytes]]:
        """(FrameKind, shard, frame) of each shard's image, with the delta that it follows on before it."""
        cdef list found = []
        cdef uint32_t number
        self.news.learn()
        for shard in shards:
            if not 0 <= shard < self.news.shard_count:
                continue
            number = shard
            if self.news.shards[number].waits:
                # of a new epoch the trades come behind the image, before which nothing is taken
                found += self._flush(number, now, self.news.shards[number].batch > 0)
            found += self._image(number, now)
        return found

    def state_frame(self, now: int) -> bytes:
        """The feed's state as this box shows it, and the batch number of each shard."""
        cdef FeedWords words
        cdef uint8_t* at = self.frame + HEAD_BYTES
        cdef int64_t beat = <int64_t>load_acquire(&self.state.heartbeat_ns)
        cdef int i
        cdef uint32_t number
        memset(&words, 0, sizeof(FeedWords))
        words.state = load_acquire(&self.state.state)
        words.why = load_acquire(&self.state.why)
        if now - beat > WORKER_TIMEOUT:
            words.state = FEED_STALE
        words.rows = self.news.table.row_count()
        words.last_message_ns = <int64_t>load_acquire(&self.state.last_message_ns)
        words.silence_ns = <int64_t>load_relaxed(&self.state.silence_ns)
        words.quiet_ns = <int64_t>load_relaxed(&self.state.quiet_ns)
        for i in range(7):
            words.venue[i] = load_acquire(&self.state.phase + i)
        memcpy(at, &words, sizeof(FeedWords))
        at += sizeof(FeedWords)
        for number in range(self.news.shard_count):
            memcpy(at, &self.news.shards[number].batch, 8)
            at += 8
        return self._sealed(FRAME_STATE, 0, 0, now, 0, 0, 0, at)

    # -- frames -----------------------------------------------------------------------------

    cdef list _flush(self, uint32_t number, int64_t now, bint with_trades):
        """All that waits of a shard. Its rows come first, so that trades follow on them."""
        cdef list found = []
        cdef Shard* shard = &self.news.shards[number]
        cdef uint32_t all_trades = shard.trades_used if with_trades else 0
        cdef uint32_t taken = 0
        cdef uint32_t trades, defines, count
        cdef uint16_t put
        cdef uint8_t* at
        cdef uint32_t first = 0
        cdef uint32_t left = shard.changed_used
        while True:
            count = min(left, <uint32_t>MOST_ROWS)
            left -= count
            at = self._put_names(shard, self.frame + HEAD_BYTES, first, count)
            defines = <uint32_t>((at - self.frame - HEAD_BYTES) // sizeof(Define))
            at = self._put_rows(shard, at, first, count, &put)
            first += count
            trades = 0 if left else min(all_trades - taken, <uint32_t>MOST_TRADES)
            if trades:
                memcpy(at, shard.trades + taken, trades * sizeof(FrameTrade))
                at += trades * sizeof(FrameTrade)
                taken += trades
            if defines or put or trades:
                shard.batch += 1
                self.rows_told += put
                self.trades_told += trades
                found.append((
                    <int>FRAME_DELTA, number,
                    self._sealed(FRAME_DELTA, number, shard.batch, now, defines, put, trades, at),
                ))
            if not left and taken == all_trades:
                break
        if found:
            shard.flushed = now
        drop_changed(shard, first)
        self.news.trades_waiting -= all_trades
        shard.trades_used -= all_trades
        return found

    cdef void _fetch(self, uint32_t row) noexcept nogil:
        """The row is read soon, and lies anywhere in memory: which copy of it is current."""
        prefetch(<char*>&self.news.table.rows[row])
        prefetch_to_write(<char*>&self.news.told[row], 1, 2)

    cdef void _fetch_copies(self, uint32_t row) noexcept nogil:
        """Now the copy, without the other one, which its writer is at; and what was told of it."""
        cdef uint64_t current = load_relaxed(&self.news.table.rows[row].generation) >> 1 & 1
        cdef char* copy = <char*>self.news.table.rows[row].copies[current]
        cdef char* values = <char*>&self.news.values[row]
        cdef size_t line
        for line in range(<size_t>(COMMON_WORDS * 8 // CACHE_LINE)):
            prefetch(copy + line * CACHE_LINE)
        prefetch(<char*>self.news.table.rests[row].copies[current])
        for line in range(<size_t>(sizeof(Values) // CACHE_LINE)):
            prefetch_to_write(values + line * CACHE_LINE, 1, 2)

    cdef uint8_t* _put_names(
        self, Shard* shard, uint8_t* at, uint32_t first, uint32_t rows
    ) noexcept:
        """Defines of those of `rows` changed rows, from the first on, that were never named."""
        cdef uint32_t row, i
        for i in range(rows):
            row = shard.changed[first + i]
            if i + AHEAD < rows:
                self._fetch(shard.changed[first + i + AHEAD])
            if not self.news.told[row].defined:
                put_name(at, &self.news.table.rows[row], row)
                at += sizeof(Define)
                self.news.told[row].defined = True
        return at

    cdef uint8_t* _put_rows(
        self, Shard* shard, uint8_t* at, uint32_t first, uint32_t rows, uint16_t* put
    ) noexcept:
        """`rows` changed rows, from the first on; `put` of them have news."""
        cdef uint32_t row, mask, i
        put[0] = 0
        for i in range(min(rows, <uint32_t>AHEAD)):
            self._fetch_copies(shard.changed[first + i])
        for i in range(rows):
            if i + AHEAD < rows:
                self._fetch_copies(shard.changed[first + i + AHEAD])
            row = take_changed(self.news.told, shard, first + i)
            mask = self._news_of(row)
            if mask:
                at = self._put_row(at, row, mask)
                put[0] += 1
        return at

    cdef uint32_t _news_of(self, uint32_t row) noexcept nogil:
        """The words of a row that differ from what was told; they are told now."""
        cdef Told* told = &self.news.told[row]
        cdef Values values
        cdef uint64_t* new = <uint64_t*>&values
        cdef uint64_t* old = <uint64_t*>&self.news.values[row]
        cdef uint32_t mask, left
        told.generation = load_acquire(&self.news.table.rows[row].generation)
        if self.news.table.read(row, &values) < 0:
            self.news.change(row, told.again)  # the writer outran us: the next time
            return 0
        mask = differing(new, old) & <uint32_t>ALL_WORDS
        left = mask
        while left:
            old[lowest_bit(left)] = new[lowest_bit(left)]
            left &= left - 1
        if told.again:
            mask |= <uint32_t>READ_AGAIN
            told.again = False
        return mask

    cdef uint8_t* _put_row(self, uint8_t* at, uint32_t row, uint32_t mask) noexcept nogil:
        cdef FrameRow head
        cdef uint64_t* words = <uint64_t*>&self.news.values[row]
        cdef uint32_t left = mask & <uint32_t>ALL_WORDS
        head.row = row
        head.mask = mask
        memcpy(at, &head, sizeof(FrameRow))
        at += sizeof(FrameRow)
        while left:
            memcpy(at, words + lowest_bit(left), 8)
            at += 8
            left &= left - 1
        return at

    cdef list _image(self, uint32_t number, int64_t now):
        """All rows of a shard as they were told, in as many frames as it takes."""
        cdef list parts = []
        cdef Shard* shard = &self.news.shards[number]
        cdef uint32_t[MOST_ROWS] rows
        cdef uint32_t row = shard.first_row
        cdef uint32_t count, i
        cdef uint8_t* at
        while True:
            count = 0
            while row and count < MOST_ROWS:
                if self.news.told[row - 1].defined:
                    rows[count] = row - 1
                    count += 1
                row = self.news.told[row - 1].next_of_shard
            at = self.frame + HEAD_BYTES
            for i in range(count):
                put_name(at, &self.news.table.rows[rows[i]], rows[i])
                at += sizeof(Define)
            for i in range(count):
                at = self._put_row(at, rows[i], ALL_WORDS)
            parts.append((count, PyBytes_FromStringAndSize(
                <char*>self.frame + HEAD_BYTES, at - self.frame - HEAD_BYTES
            )))
            if not row:
                break
        return [(<int>FRAME_IMAGE, number, self._part(number, now, index, len(parts), rows_of_part, body))
                for index, (rows_of_part, body) in enumerate(parts)]

    def _part(self, number: int, now: int, part: int, parts: int, rows: int, body: bytes) -> bytes:
        cdef FrameHead* head = <FrameHead*>self.frame
        memcpy(self.frame + HEAD_BYTES, <const char*>body, len(body))
        head.part = part
        head.parts = parts
        return self._sealed(
            FRAME_IMAGE, number, self.news.shards[<uint32_t>number].batch, now, rows, rows, 0,
            self.frame + HEAD_BYTES + <size_t>len(body),
        )

    cdef object _sealed(
        self, int kind, uint32_t shard, uint64_t batch, int64_t now, uint32_t defines, uint32_t rows,
        uint32_t trades, uint8_t* end
    ):
        """The frame whose body stands behind its head's place and ends at `end`."""
        cdef FrameHead* head = <FrameHead*>self.frame
        if kind != FRAME_IMAGE:
            head.part = 0
            head.parts = 1
        head.kind = <uint8_t>kind
        head.shard = <uint16_t>shard
        head.epoch = self.epoch
        head.batch = batch
        head.boot = self.boot
        head.publish_time = now
        head.defines = <uint16_t>defines
        head.rows = <uint16_t>rows
        head.trades = trades
        head.feed = self.feed
        seal(self.frame, <uint32_t>(end - self.frame))
        return PyBytes_FromStringAndSize(<char*>self.frame, end - self.frame)
