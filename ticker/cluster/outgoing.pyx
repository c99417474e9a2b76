"""Frames of a feed from its segment: what a relay publishes.

In: rings and rows, which this process only reads. Out: frames, by shard. Law: no I/O and no clock.
A frame's rows are read after the records that its trades are of, so a row is never older than a
trade beside it. An image has each row as the frames before it told it, so that the deltas after it
follow on it.
"""

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
    PRICE_WORD,
    READ_AGAIN,
    SALE_WORDS,
    SIZE_WORD,
    Define,
    FeedWords,
    FrameHead,
    bytes_of,
    lowest_bit,
    near_of,
    put_name,
    put_row,
    seal,
)
from ticker.cluster.news cimport (
    News,
    Shard,
    Told,
    defined_of,
    drop_changed,
    fetch,
    fetch_copies,
    fetch_next,
    fetch_values,
    pause_of,
    put_trades,
    take_changed,
    take_defined,
)
from ticker.cluster.outbox cimport Outbox
from ticker.cluster.parts cimport read_feed
from ticker.shm.header cimport Mapping
from ticker.shm.shards.sharding cimport Sharding
from ticker.shm.layout cimport COMMON_WORDS, VALUE_WORDS, Row, Values
from ticker.shm.table cimport begin_read, current_common, was_whole

from ticker.cluster.frame import life_of

cdef extern from "ticker/cluster/differ.h" nogil:
    uint32_t differing "ticker_differing"(
        const uint64_t* common, const uint64_t* rest, const uint64_t* told, uint64_t* now
    )
    const int WORDS "TICKER_DIFFER_WORDS"
    const int COMMON "TICKER_DIFFER_COMMON"

if VALUE_WORDS != WORDS or COMMON_WORDS != COMMON:
    raise ImportError("differ.h: its numbers of words are not those of a row")

cdef enum:
    MOST_ROWS = 1024             # of a delta, or a part of an image
    MOST_TRADES = 8192           # of a frame: with MOST_ROWS rows they fit into MOST_FRAME
    ATTEMPTS = 1000              # at a row that is written meanwhile
    AHEAD = 8                    # rows that are fetched while others are read
    NO_ROW = 0xFFFFFFFF
    # that a row has whenever its last sale is new, so that the trade need not repeat them
    SALE_TOO = 1 << PRICE_WORD | 1 << SIZE_WORD


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
        self.frame = self.own_frame = <uint8_t*>PyMem_Malloc(MOST_FRAME)
        self.places = <uint32_t*>PyMem_Malloc(MOST_ROWS * sizeof(uint32_t))
        if self.own_frame == NULL or self.places == NULL:
            raise MemoryError("no memory for the frames of a relay")

    def __dealloc__(self) -> None:
        PyMem_Free(self.own_frame)
        PyMem_Free(self.places)

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
        return self._flush_due(now, None)

    def flush_to(self, now: int, Outbox outbox not None) -> None:
        """What is due at `now`, as messages in `outbox`."""
        self._flush_due(now, outbox)

    cdef list _flush_due(self, int64_t time, Outbox outbox):
        cdef list found = []
        cdef uint32_t i, number
        cdef uint32_t left = 0
        cdef Shard* shard
        for i in range(self.news.waiting_count):
            number = self.news.waiting[i]
            shard = &self.news.shards[number]
            # a clock that was set back is no reason to wait
            if 0 <= time - shard.flushed < self.interval:
                self.news.waiting[left] = number
                left += 1
                continue
            fetch_next(self.news, i, AHEAD)
            found += self._flush(number, time, True, outbox)
            shard.waits = shard.changed_used > 0  # a row that is written again and again
            if shard.waits:
                self.news.waiting[left] = number
                left += 1
        self.news.waiting_count = left
        return found

    def pause(self, now: int) -> int:
        """ns from `now` in which no frame can be due, whatever is read; 0: one may be at once."""
        return pause_of(self.news, now, self.interval)

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
                found += self._flush(number, now, self.news.shards[number].batch > 0, None)
            found += self._image(number, now)
        return found

    def state_frame(self, now: int) -> bytes:
        """The feed's state as this box shows it, and the batch number of each shard."""
        cdef FeedWords words
        cdef uint8_t* at = self.frame + HEAD_BYTES
        cdef uint32_t number
        read_feed(self.state, &words, now)
        words.rows = self.news.table.row_count()
        memcpy(at, &words, sizeof(FeedWords))
        at += sizeof(FeedWords)
        for number in range(self.news.shard_count):
            memcpy(at, &self.news.shards[number].batch, 8)
            at += 8
        self._seal(FRAME_STATE, 0, 0, now, 0, 0, 0, at)
        return bytes_of(self.frame)

    # -- frames -----------------------------------------------------------------------------

    cdef list _flush(self, uint32_t number, int64_t now, bint with_trades, Outbox outbox):
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
        cdef uint64_t before = shard.batch
        self.near = near_of(now)
        while True:
            self.frame = self.own_frame if outbox is None else outbox.begin(number)
            count = min(left, <uint32_t>MOST_ROWS)
            left -= count
            at = self._put_names(shard, self.frame + HEAD_BYTES, first, count)
            defines = <uint32_t>((at - self.frame - HEAD_BYTES) // sizeof(Define))
            at = self._put_rows(shard, at, first, count, &put)
            first += count
            trades = 0 if left else min(all_trades - taken, <uint32_t>MOST_TRADES)
            if trades:
                at = put_trades(self.news, at, shard.trades + taken, trades, self.places, put, self.near)
                taken += trades
            if defines or put or trades:
                shard.batch += 1
                self.rows_told += put
                self.trades_told += trades
                self._seal(FRAME_DELTA, number, shard.batch, now, defines, put, trades, at)
                if outbox is None:
                    found.append((<int>FRAME_DELTA, number, bytes_of(self.frame)))
                else:
                    outbox.end(<uint32_t>(at - self.frame))
            if not left and taken == all_trades:
                break
        self.frame = self.own_frame
        if shard.batch > before:
            shard.flushed = now
        drop_changed(shard, first)
        self.news.trades_waiting -= all_trades
        shard.trades_used -= all_trades
        return found

    cdef uint8_t* _put_names(
        self, Shard* shard, uint8_t* at, uint32_t first, uint32_t rows
    ) noexcept:
        """Defines of those of `rows` changed rows, from the first on, that were never named."""
        cdef uint32_t row, i
        for i in range(rows):
            row = shard.changed[first + i]
            if i + AHEAD < rows:
                fetch(self.news, shard.changed[first + i + AHEAD])
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
            fetch_copies(self.news, shard.changed[first + i])
        for i in range(rows):
            if i + AHEAD < rows:
                fetch_copies(self.news, shard.changed[first + i + AHEAD])
            row = take_changed(self.news.told, shard, first + i)
            mask = self._news_of(row)
            if mask:
                self.places[put[0]] = <uint32_t>NO_ROW
                if mask & <uint32_t>SALE_WORDS == <uint32_t>SALE_WORDS:
                    mask |= <uint32_t>SALE_TOO
                    self.places[put[0]] = row
                    self.news.told[row].place = put[0]
                at = put_row(at, row, mask, <uint64_t*>&self.news.values[row], self.near)
                put[0] += 1
        return at

    cdef uint32_t _news_of(self, uint32_t row) noexcept nogil:
        """The words of a row that differ from what was told; they are told now."""
        cdef Told* told = &self.news.told[row]
        cdef Row* source = &self.news.table.rows[row]
        cdef uint64_t[VALUE_WORDS] now
        cdef uint64_t* old = <uint64_t*>&self.news.values[row]
        cdef uint32_t mask, left
        cdef int attempt
        for attempt in range(ATTEMPTS):
            told.generation = begin_read(source)
            mask = differing(
                current_common(source, told.generation),
                self.news.table.rests[row].copies[told.generation >> 1 & 1], old, now,
            ) & <uint32_t>ALL_WORDS
            if was_whole(source, told.generation):
                break
        else:
            self.news.change(row, told.again)  # the writer outran us: the next time
            return 0
        left = mask
        while left:
            old[lowest_bit(left)] = now[lowest_bit(left)]
            left &= left - 1
        if told.again:
            mask |= <uint32_t>READ_AGAIN
            told.again = False
        return mask

    cdef list _image(self, uint32_t number, int64_t now):
        """All rows of a shard as they were told, in as many frames as it takes."""
        cdef list found = []
        cdef FrameHead* head = <FrameHead*>self.frame
        cdef uint32_t[MOST_ROWS] rows
        cdef uint32_t row = self.news.shards[number].first_row
        cdef uint32_t left = defined_of(self.news, number)
        cdef uint32_t part, count
        cdef uint32_t parts = max(1, (left + MOST_ROWS - 1) // <uint32_t>MOST_ROWS)
        cdef uint8_t* at
        self.near = near_of(now)
        for part in range(parts):
            count = take_defined(self.news, &row, rows, MOST_ROWS)
            at = self._put_image(rows, count)
            head.part = <uint16_t>part
            head.parts = <uint16_t>parts
            self._seal(FRAME_IMAGE, number, self.news.shards[number].batch, now, count, count, 0, at)
            found.append((<int>FRAME_IMAGE, number, bytes_of(self.frame)))
        return found

    cdef uint8_t* _put_image(self, const uint32_t* rows, uint32_t count) noexcept:
        """`count` rows with their names, as they were told; where they end."""
        cdef uint8_t* at = self.frame + HEAD_BYTES
        cdef uint32_t i, row
        for i in range(count):
            if i + AHEAD < count:
                fetch(self.news, rows[i + AHEAD])
                fetch_values(self.news, rows[i + AHEAD])
            put_name(at + i * sizeof(Define), &self.news.table.rows[rows[i]], rows[i])
        at += count * sizeof(Define)
        for i in range(count):
            row = rows[i]
            at = put_row(at, row, ALL_WORDS, <uint64_t*>&self.news.values[row], self.near)
        return at

    cdef void _seal(
        self, int kind, uint32_t shard, uint64_t batch, int64_t now, uint32_t defines, uint32_t rows,
        uint32_t trades, uint8_t* end
    ) noexcept:
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
        self.deltas_told += kind == FRAME_DELTA
        self.images_told += kind == FRAME_IMAGE
        self.bytes_told += 0 if kind == FRAME_STATE else <uint64_t>(end - self.frame)
