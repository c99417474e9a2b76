"""The bars that clients watch: of each symbol and span those that changed last.

In: records of the segment of bars (intake.pyx). Out: what a client has not seen of a symbol's bars,
as frames that are encoded once.

Law: latest wins, for each bar by itself. A client that falls behind gets the newest state of each
bar that has changed, and not the states between. KEPT bars of a symbol are remembered; one that
falls out, or that a lap lost, is told as `lagged` to clients that have not seen it.
"""

from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy, memmove, memset

from ticker.gateway.bars.encode cimport BarFrame, encode_bar
from ticker.gateway.prices.board cimport Board
from ticker.gateway.sockets.connection cimport ALL_ENCODINGS
from ticker.shm.bars.published cimport SPANS, BarRecord, BarsReader
from ticker.shm.counters cimport GATEWAY_ENCODED, count
from ticker.shm.header cimport Mapping

cdef int64_t MINUTE = 60_000_000_000


cdef class BarBook:
    """`bars`: the segment of bars, None: no bars are made here; `segment`: the gateway's own, for
    its counters."""

    def __cinit__(
        self, Board board not None, Mapping bars, Mapping segment not None
    ) -> None:
        cdef uint32_t number
        self.board = board
        self.counters = segment.counters
        if bars is None:
            return
        self.reader = BarsReader(bars)
        self.of_segment = <int32_t*>PyMem_RawCalloc(self.reader.shared.capacity + 1, sizeof(int32_t))
        if self.of_segment == NULL:
            raise MemoryError
        for number in range(self.reader.shared.capacity):
            self.of_segment[number] = -1

    def __dealloc__(self) -> None:
        cdef uint32_t i
        for i in range(self.symbols * <uint32_t>SPANS):
            PyMem_RawFree(self.watched[i])
        for i in range(ALL_ENCODINGS):
            PyMem_RawFree(self.frames[i])
        PyMem_RawFree(self.watched)
        PyMem_RawFree(self.of_segment)
        PyMem_RawFree(self.in_segment)

    @property
    def enabled(self) -> bool:
        """Whether bars are made here."""
        return self.reader is not None

    cdef int grow(self, uint32_t symbols) except -1:
        """Room for symbols below this number."""
        cdef Watched** watched
        cdef int32_t* numbers
        cdef uint32_t i
        if symbols <= self.symbols or self.reader is None:
            return 0
        watched = <Watched**>PyMem_RawCalloc(<size_t>symbols * SPANS, sizeof(Watched*))
        numbers = <int32_t*>PyMem_RawCalloc(symbols, sizeof(int32_t))
        if watched == NULL or numbers == NULL:
            PyMem_RawFree(watched)
            PyMem_RawFree(numbers)
            raise MemoryError
        for i in range(symbols):
            numbers[i] = self.in_segment[i] if i < self.symbols else -1
        if self.symbols:
            memcpy(watched, self.watched, <size_t>self.symbols * SPANS * sizeof(Watched*))
        PyMem_RawFree(self.watched)
        PyMem_RawFree(self.in_segment)
        self.watched = watched
        self.in_segment = numbers
        self.symbols = symbols
        self.numbers_seen = 0  # a symbol that was not known may be now
        return 0

    cdef int64_t symbol_of(self, uint32_t number) except -2:
        """The board's symbol of a number in the segment; -1: the board has none."""
        cdef int32_t symbol
        if number >= self.reader.shared.capacity:
            return -1
        symbol = self.of_segment[number]
        if symbol < 0:
            symbol = self.board.numbers.get(self.reader.shared.name(number), -1)
            if symbol >= <int64_t>self.symbols:
                return -1  # the hub has no topics of it yet
            self.of_segment[number] = symbol
            if symbol >= 0:
                self.in_segment[symbol] = <int32_t>number
        return symbol

    cdef bint newest(self, uint32_t symbol, uint32_t span, BarRecord* out) except -1:
        """The newest bar of a symbol, from the segment."""
        cdef uint32_t known = self.reader.shared.symbol_count
        if symbol >= self.symbols:
            return False
        if self.in_segment[symbol] < 0:
            while self.numbers_seen < known:
                self.symbol_of(self.numbers_seen)
                self.numbers_seen += 1
        if self.in_segment[symbol] < 0:
            return False
        return self.reader.newest(<uint32_t>self.in_segment[symbol], span, out)

    cdef bint begin(self, uint32_t symbol, uint32_t span, BarRecord* newest) except -1:
        """Somebody begins to watch: what was remembered is old. True: there is a newest bar."""
        cdef Watched** place = self.watched + symbol * SPANS + span
        if place[0] == NULL:
            place[0] = <Watched*>PyMem_RawCalloc(1, sizeof(Watched))
            if place[0] == NULL:
                raise MemoryError
        place[0].count = 0
        return self.newest(symbol, span, newest)

    cdef Watched* of(self, uint32_t symbol, uint32_t span) noexcept nogil:
        """The bars that are remembered; NULL: nobody ever watched them."""
        return self.watched[symbol * SPANS + span] if symbol < self.symbols else NULL

    cdef void put(
        self, uint32_t symbol, uint32_t span, const BarRecord* record, uint32_t version
    ) noexcept nogil:
        """A bar has changed, which made this version of its topic."""
        cdef Watched* watched = self.of(symbol, span)
        cdef uint32_t at = 0
        if watched == NULL:
            return
        while at < watched.count and watched.slots[at].record.start != record.start:
            at += 1
        if at == watched.count and watched.count == KEPT:
            watched.lost = watched.slots[0].version
            at = 0
        if at < watched.count:
            memmove(
                &watched.slots[at], &watched.slots[at + 1],
                (watched.count - at - 1) * sizeof(Slot),
            )
        else:
            watched.count += 1
        if record.publish_time // MINUTE != watched.minute:
            watched.minute = record.publish_time // MINUTE
            watched.turned = version
        watched.slots[watched.count - 1].record = record[0]
        watched.slots[watched.count - 1].version = version

    cdef void lose(self, uint32_t symbol, uint32_t span, uint32_t version) noexcept nogil:
        """Changes up to this version of the topic may be gone."""
        cdef Watched* watched = self.of(symbol, span)
        if watched != NULL:
            watched.lost = version

    cdef int open(self, uint32_t encoding) except -1:
        """A client watches in an encoding: make room for its frames. calloc: a frame costs memory
        once it is encoded."""
        if self.frames[encoding] == NULL:
            self.frames[encoding] = <KeptFrame*>PyMem_RawCalloc(FRAMES, sizeof(KeptFrame))
            if self.frames[encoding] == NULL:
                raise MemoryError
        return 0

    cdef const BarFrame* frame(
        self, uint32_t topic, const Slot* slot, uint32_t encoding, const char* name, size_t length
    ) noexcept nogil:
        """The frame of a bar as it is now: encoded once, while it is in its place."""
        cdef uint64_t key = <uint64_t>topic << 32 | slot.version
        cdef KeptFrame* kept = self.frames[encoding] + (
            (key * <uint64_t>0x9E3779B97F4A7C15ULL >> 32) & (FRAMES - 1)
        )
        if kept.key != key:
            encode_bar(&kept.frame, encoding, name, length, &slot.record)
            kept.key = key
            count(self.counters, GATEWAY_ENCODED, 1)
        return &kept.frame
