"""The rows of a feed as its speaker tells them, in the segment: rows first, then rings.

In: frames that `find_fault` has passed. Out: rows and records of the segment, whose one writer this
is. Law: no I/O and no clock. What is read of a frame is within it, because it was checked.
"""

from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Malloc
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from ticker.cluster.frame cimport (
    ALL_WORDS,
    BODY_OFFSET,
    FORM_OF_ROW,
    READ_AGAIN,
    Define,
    FrameHead,
    FrameTrade,
    RowHead,
    bytes_of_words,
    fill_of_row,
    find_rows,
    lowest_bit,
    near_of,
    published_in,
    rows_of,
    take_row,
    take_trade,
    take_word,
)
from ticker.pages cimport give_pages, take_pages
from ticker.shm.atomics cimport load_relaxed
from ticker.shm.counters cimport FEED_QUOTES, FEED_ROWS_REPAIRED, FEED_TABLE_FULL, FEED_TRADES, count
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport (
    COMMON_WORDS,
    RECORD_CORRECTED,
    RECORD_CORRECTION,
    RECORD_PRINT,
    RECORD_STATUS,
    RECORD_TRADE,
    ROW_STALE,
    SYMBOL_BYTES,
    VENUE_BYTES,
    Row,
    Values,
)
from ticker.shm.ring cimport RingWriter, shard_of
from ticker.shm.shards.sharding cimport Sharding
from ticker.shm.shards.watchers cimport SKIPS_TRADES
from ticker.shm.table cimport TableWriter, copy_own, current_common, has_rest, publish_common
from ticker.shm.values cimport merge, write_quote


cdef class HeardRows:
    """Of the segment `mapping`; goes on with the rows that a predecessor left. `sharding`: among
    which shards symbols are spread."""

    def __cinit__(self, Mapping mapping not None, Sharding sharding not None) -> None:
        cdef uint32_t row
        self.table = TableWriter(mapping)
        self.counters = mapping.counters
        self.ring_count = mapping.ring_count
        self.rings = [RingWriter(mapping, index) for index in range(self.ring_count)]
        self.sharding = sharding
        self.heard_bytes = self.table.capacity * sizeof(Heard)
        self.heard = <Heard*>take_pages(self.heard_bytes)
        self.resting = <uint8_t*>PyMem_Calloc(self.table.capacity, 1)
        self.news = <uint8_t*>PyMem_Malloc(1 << 16)
        self.places = <uint32_t*>PyMem_Malloc((1 << 16) * sizeof(uint32_t))
        self.first = <uint32_t*>PyMem_Calloc(sharding.count, sizeof(uint32_t))
        if not (self.heard and self.resting and self.news and self.places and self.first):
            raise MemoryError("no memory for the rows of a bridge")
        self.rows_by_name = {}
        for row in range(self.table.used):
            self._enter(row, key_of(self.table.rows[row].symbol, self.table.rows[row].venue))
        count(self.counters, FEED_ROWS_REPAIRED, self.table.repaired)

    def __dealloc__(self) -> None:
        give_pages(self.heard, self.heard_bytes)
        PyMem_Free(self.resting)
        PyMem_Free(self.news)
        PyMem_Free(self.places)
        PyMem_Free(self.own)
        PyMem_Free(self.first)

    cdef void forget_numbers(self, bint other_box) noexcept:
        """Another speaker, with numbers of its own for rows; of `other_box`, also for trades."""
        self.other_box = other_box
        if self.own != NULL:
            memset(self.own, 0, self.own_room * sizeof(uint32_t))

    cdef bint learn_names(self, const uint8_t* frame) except *:
        """Learn whose rows these are; False: they are not of this shard."""
        cdef uint32_t i
        if not are_of_shard(self, frame):
            return False
        for i in range((<const FrameHead*>frame).defines):
            self._name(frame + BODY_OFFSET + i * sizeof(Define))
        return True

    cdef int _name(self, const uint8_t* at) except -1:
        cdef Define define
        cdef int64_t row
        memcpy(&define, at, sizeof(Define))
        if is_known(self, &define):
            return 0
        make_room(self, define.row)
        key = key_of(define.symbol, define.venue)
        known = self.rows_by_name.get(key)
        if known is None:
            row = self.table.append(
                define.symbol, strnlen(define.symbol, SYMBOL_BYTES), define.venue, define.currency,
                define.size_exponent, define.instrument_key,
            )
            if row < 0:
                if self.own[define.row] != NO_ROOM:
                    count(self.counters, FEED_TABLE_FULL, 1)
                self.own[define.row] = NO_ROOM
                return 0
            self._enter(<uint32_t>row, key)
        else:
            row = known
        self.own[define.row] = <uint32_t>row + 1
        return 0

    cdef int _enter(self, uint32_t row, bytes key) except -1:
        """A row of the table, which is there already."""
        cdef const Row* named = &self.table.rows[row]
        cdef size_t length = strnlen(named.symbol, SYMBOL_BYTES)
        cdef Values shown = self._shown(row)
        self.heard[row].shard = self.sharding.of(named.symbol, length)
        self.heard[row].next_of_shard = self.first[self.heard[row].shard]
        self.first[self.heard[row].shard] = row + 1
        self.heard[row].ring = shard_of(named.symbol, length, self.ring_count)
        self.heard[row].told_seq = shown.seq
        self.heard[row].told_time = shown.exchange_time
        self.heard[row].found = shown.publish_time
        self.rows_by_name[key] = row
        return 0

    cdef bint knows(self, const uint8_t* frame) noexcept:
        """Whether all rows of a frame have been named."""
        cdef const FrameHead* head = <const FrameHead*>frame
        cdef const uint8_t* at = rows_of(frame)
        cdef uint64_t near = near_of(head.publish_time)
        cdef RowHead row
        cdef FrameTrade trade
        cdef uint32_t i, own
        for i in range(head.rows):
            at = take_row(at, &row)
            own = self.own[row.row] if row.row < self.own_room else 0
            if not own:
                return False
            if own <= self.table.used:
                fetch(&self.heard[own - 1], &self.table.rows[own - 1], self.resting[own - 1])
            at += bytes_of_words(&row)
        for i in range(head.trades):
            at = take_trade(at, near, &trade)
            if trade.form & FORM_OF_ROW:
                continue
            if trade.row >= self.own_room or not self.own[trade.row]:
                return False
        return True

    cdef void apply(self, const uint8_t* frame, bint image, bint first, bint trades) noexcept:
        """Rows first, then trades, then what else changed."""
        cdef const FrameHead* head = <const FrameHead*>frame
        cdef const uint8_t* at = rows_of(frame)
        cdef uint64_t near = near_of(head.publish_time)
        cdef uint8_t news = 0
        cdef uint32_t i
        for i in range(head.rows):
            self.places[i] = <uint32_t>(at - frame)
            at = self._row(at, near, self.news + i, image, first)
            news |= self.news[i]
        if trades:
            self._tell_trades(frame, at, False)
        if news:
            self._changes(frame)

    cdef const uint8_t* _row(
        self, const uint8_t* at, uint64_t near, uint8_t* news, bint image, bint first
    ) noexcept:
        cdef RowHead head
        cdef Heard* heard
        cdef uint64_t value, seq, flags
        cdef uint32_t mask
        cdef uint32_t changed = 0
        cdef int64_t row
        cdef int word
        at = take_row(at, &head)
        row = own_of(self, head.row)
        mask = head.mask & <uint32_t>ALL_WORDS
        news[0] = 0
        if row < 0:
            return at + bytes_of_words(&head)
        heard = &self.heard[row]
        seq, flags = heard.values.seq, heard.values.flags
        while mask:
            word = lowest_bit(mask)
            at = take_word(at, &head, word, near, &value)
            changed |= <uint32_t>(value != (<uint64_t*>&heard.values)[word]) << word
            (<uint64_t*>&heard.values)[word] = value
            mask &= mask - 1
        if image:
            heard.image = self.images
        if first:
            news[0] = self._show_merged(<uint32_t>row, image, True)
        elif image or not heard.follows or changed >> <int>COMMON_WORDS or heard.values.seq < seq:
            news[0] = self._show(<uint32_t>row, image)
        elif changed:
            self._publish(<uint32_t>row)
            news[0] = news_in(changed, flags ^ heard.values.flags)
        if head.mask & <uint32_t>READ_AGAIN:
            news[0] |= NEWS_AGAIN
        return at

    cdef Values _shown(self, uint32_t row) noexcept:
        """What readers see of a row."""
        cdef Values shown
        copy_own(self.table, row, &shown)
        return shown

    cdef uint8_t _show(self, uint32_t row, bint image) noexcept:
        """Publish the row as the speaker has it; the news in it, beside its trades."""
        cdef Heard* heard = &self.heard[row]
        cdef uint64_t generation = load_relaxed(&self.table.rows[row].generation)
        cdef const Values* old = <const Values*>current_common(self.table.rows + row, generation)
        cdef uint8_t news = NEWS_AGAIN if image else 0
        if (heard.counts_anew or heard.behind or heard.seq_ahead or heard.quotes_ahead
                or heard.corrections_ahead or heard.values.seq < old.seq):
            return self._show_merged(row, image, False)
        if not has_rest(self.table.rests[row].copies[generation >> 1 & 1], &heard.values):
            heard.wholes = 0
        elif memcmp(old, &heard.values, COMMON_WORDS * 8) == 0:
            return 0
        news |= news_of(old, &heard.values)
        self._publish(row)
        return news

    cdef void _publish(self, uint32_t row) noexcept:
        """Readers see the speaker's values from now on."""
        cdef Heard* heard = &self.heard[row]
        if heard.wholes == WHOLES:
            publish_common(self.table, row, &heard.values)
        else:
            self.table.publish(row, &heard.values)
            heard.wholes += 1
        heard.follows = True
        self.resting[row] = 1 - (load_relaxed(&self.table.rows[row].generation) >> 1 & 1)
        self.changed = True

    cdef uint8_t _show_merged(self, uint32_t row, bint image, bint first) noexcept:
        """The same of a row whose numbers go on from those of another speaker."""
        cdef Heard* heard = &self.heard[row]
        cdef Values old = self._shown(row)
        cdef Values new = heard.values
        heard.wholes, heard.follows = 0, False
        if first:
            heard.counts_anew = self.other_box and old.seq > 0
            heard.seq_ahead = 0
            if heard.counts_anew and not heard.told_match:  # no trade was told here: the row knows
                heard.told_seq = old.seq
                heard.told_time = old.exchange_time
            heard.quotes_ahead = old.quotes - new.quotes if old.quotes > new.quotes else 0
            heard.corrections_ahead = max(old.corrections, new.corrections) - new.corrections
            heard.behind = merge(&new, &old, new.seq >= old.seq, False) != 0
            new.publish_time = max(new.publish_time, old.publish_time)
        else:
            # until it is known where the speaker's count goes on, it stands
            new.seq = old.seq if heard.counts_anew else max(old.seq, new.seq + heard.seq_ahead)
            new.quotes += heard.quotes_ahead
            new.corrections += heard.corrections_ahead
            if heard.behind:
                heard.behind = merge(&new, &old, False, False) != 0
        if memcmp(&new, &old, sizeof(Values)) == 0:
            return 0
        self.table.publish(row, &new)
        self.changed = True
        return news_of(&old, &new) | (NEWS_AGAIN if image else 0)

    cdef void write_trades(self, const uint8_t* frame, bint again) noexcept:
        self._tell_trades(frame, find_rows(frame, self.places), again)

    cdef void _tell_trades(self, const uint8_t* frame, const uint8_t* at, bint again) noexcept:
        """Those of a frame, which begin there; `places` has its rows."""
        cdef uint64_t near = near_of((<const FrameHead*>frame).publish_time)
        cdef FrameTrade trade
        cdef Record record
        cdef Heard* heard
        cdef uint32_t i
        cdef int64_t row
        for i in range((<const FrameHead*>frame).trades):
            at = take_trade(at, near, &trade)
            if trade.form & FORM_OF_ROW:
                fill_of_row(frame + self.places[trade.row], near, &trade)
            row = own_of(self, trade.row)
            if row < 0 or not self._is_new(<uint32_t>row, &trade):
                continue
            if again and published_in(frame, &trade) <= self.heard[row].found:
                continue
            heard = &self.heard[row]
            fill_record(&record, <uint32_t>row, &trade)
            record.publish_time = heard.values.publish_time
            if trade.kind != RECORD_CORRECTED:  # there it is the print's new number
                record.seq += heard.seq_ahead
            if trade.kind == RECORD_TRADE or trade.kind == RECORD_PRINT:
                count(self.counters, FEED_TRADES, 1)
            self._write(<uint32_t>row, &record)

    cdef void _count_on(self, uint32_t row, uint64_t ahead) noexcept:
        self.heard[row].counts_anew = False
        self.heard[row].seq_ahead = ahead
        self._show_merged(row, False, False)

    cdef bint _is_new(self, uint32_t row, const FrameTrade* trade) noexcept:
        """Whether readers do not have this trade. A speaker that counts otherwise than was shown is
        followed from the newest trade that both know: its numbers go on there."""
        cdef Heard* heard = &self.heard[row]
        cdef bint behind
        if trade.kind != RECORD_TRADE and trade.kind != RECORD_PRINT:
            return True
        if heard.counts_anew:
            if trade.match == heard.told_match and trade.match:
                self._count_on(row, heard.told_seq - trade.seq)
            elif trade.exchange_time > heard.told_time:  # it never had the newest one
                behind = heard.told_seq >= trade.seq
                self._count_on(row, heard.told_seq + 1 - trade.seq if behind else 0)
            else:
                return False
        if trade.seq + heard.seq_ahead <= heard.told_seq:
            return False
        heard.told_seq = trade.seq + heard.seq_ahead
        heard.told_match = trade.match
        heard.told_time = trade.exchange_time
        return True

    cdef void _changes(self, const uint8_t* frame) noexcept:
        """A record for each change that no trade tells, by the news of the frame's rows, whose places
        are known."""
        cdef RowHead named
        cdef const Values* values
        cdef Record record
        cdef uint32_t i, row
        for i in range((<const FrameHead*>frame).rows):
            if not self.news[i]:
                continue
            take_row(frame + self.places[i], &named)
            row = <uint32_t>own_of(self, named.row)
            values = &self.heard[row].values
            memset(&record, 0, sizeof(Record))
            record.row = row
            record.publish_time = values.publish_time
            record.exchange_time = values.exchange_time
            record.seq = values.seq + self.heard[row].seq_ahead
            if self.news[i] & NEWS_AGAIN:
                record.kind = RECORD_CORRECTION
                record.conditions = SKIPS_TRADES if self.skips else 0
                record.seq = self._shown(row).seq if self.skips else record.seq
                self._write(row, &record)
            record.conditions = 0
            if self.news[i] & NEWS_STATUS:
                record.kind = RECORD_STATUS
                self._write(row, &record)
            if self.news[i] & NEWS_QUOTE:
                write_quote(&record, values)
                self._write(row, &record)
                count(self.counters, FEED_QUOTES, 1)

    cdef void forsake(self, uint32_t number) noexcept:
        """Nobody vouches for rows of the shard that the speaker's image does not have."""
        cdef Heard* heard
        cdef Record record
        cdef Values values
        cdef uint32_t row
        cdef uint32_t after = self.first[number]
        while after:
            row = after - 1
            heard = &self.heard[row]
            after = heard.next_of_shard
            if heard.image == self.images:
                continue
            values = self._shown(row)
            if values.flags & ROW_STALE:
                continue
            values.flags |= ROW_STALE
            heard.wholes, heard.follows = 0, False
            self.table.publish(row, &values)
            memset(&record, 0, sizeof(Record))
            record.row = row
            record.kind = RECORD_STATUS
            record.publish_time = values.publish_time
            record.seq = values.seq
            self._write(row, &record)

    cdef void _write(self, uint32_t row, Record* record) noexcept:
        (<RingWriter>self.rings[self.heard[row].ring]).write(record)
        self.changed = True
