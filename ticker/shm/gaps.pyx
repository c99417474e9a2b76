"""The gaps in the sequence numbers of a feed: each one found, and what became of its numbers.

Law: of each missing number the ledger says one thing: it came by a line, came from the re-request
server, was lost upstream, was lost downstream, was withdrawn, or is still open. So
`missing == filled_by_line + recovered + lost_upstream + lost_downstream + withdrawn + open`, of each
gap and of their sums.
Threads: the feed worker writes; any process reads, without a position of its own.
Bound: the newest GAP_SLOTS gaps are kept; what older ones came to is in the sums.
Death: a block keeps two copies, as a row does (table.pyx), so each gap and each sum agrees with
itself. The sums of all gaps are made again by a successor, from the gaps that are kept and the sums
of the others; what was open is closed by it (`take_over`).
"""

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy, memset

from ticker.shm.atomics cimport (
    copy_words_in,
    copy_words_out,
    fence_acquire,
    fence_release,
    load_acquire,
    load_relaxed,
    store_release,
)
from ticker.shm.counters cimport (
    FEED_QUOTES,
    FEED_TRADES,
    GATEWAY_CONFLATED,
    GATEWAY_LAGGED,
    GATEWAY_RECORDS_SKIPPED,
)
from ticker.shm.doorbell cimport DoorbellRinger
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport GAP_SLOTS, GAP_WORDS, Gap, GapBlock

from ticker.errors import SegmentError
from ticker.shm.gap_view import LINES, GapView
from ticker.shm.layout import names_of

BECAME = names_of(Became, "")
KEPT = GAP_SLOTS
SETTLE_NS = 1_000_000_000
"""So long after a gap is closed the clients still feel it: what waited behind it comes at once."""

if sizeof(Gap) != 8 * GAP_WORDS:
    raise ImportError("Gap (layout.pxd) is not of GAP_WORDS words")


cdef GapBlock* blocks_of(Mapping mapping) except NULL:
    mapping.feed_state()
    return <GapBlock*>(
        mapping.base + mapping.header.total_size - (2 + GAP_SLOTS) * sizeof(GapBlock)
    )


cdef inline GapBlock* block_of(GapBlock* blocks, uint64_t number) noexcept nogil:
    return blocks + 2 + number % GAP_SLOTS


cdef void publish(GapBlock* block, const Gap* gap) noexcept nogil:
    cdef uint64_t turn = load_relaxed(&block.generation) >> 1
    store_release(&block.generation, 2 * turn + 1)
    fence_release()
    copy_words_in(block.copies[(turn + 1) & 1], <const uint64_t*>gap, GAP_WORDS)
    store_release(&block.generation, 2 * turn + 2)


cdef void look(GapBlock* block, Gap* gap) noexcept nogil:
    """The current copy; again, if it was written meanwhile."""
    cdef uint64_t turn
    while True:
        turn = load_acquire(&block.generation) >> 1
        copy_words_out(<uint64_t*>gap, block.copies[turn & 1], GAP_WORDS)
        fence_acquire()
        if load_relaxed(&block.generation) < 2 * turn + 3:
            return


cdef inline uint64_t* word_of(Gap* gap, Became what) noexcept nogil:
    return &gap.filled_by_line + <int>what


cdef uint64_t open_of(const Gap* gap) noexcept nogil:
    return gap.missing - (
        gap.filled_by_line + gap.recovered + gap.lost_upstream + gap.lost_downstream
        + gap.withdrawn
    )


cdef void add_sums(Gap* to, const Gap* gap) noexcept nogil:
    cdef int what
    to.missing += gap.missing
    to.requests += gap.requests
    for what in range(<int>WITHDRAWN + 1):
        word_of(to, <Became>what)[0] += (&gap.filled_by_line)[what]


cdef void note_since(Gap* gap, uint64_t* feed, uint64_t** seen, int used) noexcept nogil:
    """What the feed and the gateways counted until now, less what the gap has of it."""
    cdef uint64_t counted[4]
    cdef uint64_t* words = &gap.ticks
    cdef int i
    counted[0] = load_relaxed(feed + <int>FEED_TRADES) + load_relaxed(feed + <int>FEED_QUOTES)
    counted[1] = counted[2] = counted[3] = 0
    for i in range(used):
        counted[1] += load_relaxed(seen[i] + <int>GATEWAY_CONFLATED)
        counted[2] += load_relaxed(seen[i] + <int>GATEWAY_LAGGED)
        counted[3] += load_relaxed(seen[i] + <int>GATEWAY_RECORDS_SKIPPED)
    for i in range(4):
        words[i] = counted[i] - words[i] if counted[i] > words[i] else 0


cdef int counters_of(list gateways, uint64_t** seen) except -1:
    cdef Mapping mapping
    cdef int used = 0
    for mapping in gateways[:MOST_GATEWAYS]:
        seen[used] = mapping.counters
        used += 1
    return used


cdef class GapLedger:
    """Writes a feed's ledger, and goes on where a predecessor stopped."""

    def __cinit__(self, Mapping mapping not None) -> None:
        cdef Gap gap
        if not mapping.writable:
            raise SegmentError("the segment is mapped read-only: only its owner may write it")
        self.mapping = mapping
        self.blocks = blocks_of(mapping)
        self.gateways = []
        look(self.blocks + 1, &self.old)
        self.all = self.old
        while self._load(self.all.number + 1, &gap):
            self.all.number += 1
            add_sums(&self.all, &gap)
        self.unsettled = self.old.number + 1
        publish(self.blocks, &self.all)

    cdef void _refresh(self) noexcept nogil:
        """A process may have several of these: decoders that find gaps themselves."""
        look(self.blocks, &self.all)
        look(self.blocks + 1, &self.old)

    def watch(self, DoorbellRinger ringer) -> None:
        """The gateways whose clients feel the gaps; None: there are none."""
        self.gateways = [] if ringer is None else ringer.mappings
        self.seen_count = counters_of(self.gateways, self.seen)

    def take_over(self, now_ns: int, again: bool = False) -> None:
        """Close what a predecessor left open. The numbers of a feed of one stream are missing
        again for its successor, which goes on where it was. Of several streams they are lost,
        unless their successor goes on where they were (`again`)."""
        cdef uint64_t number
        cdef Became what = WITHDRAWN
        cdef Gap gap
        self._refresh()
        for number in range(self.old.number + 1, self.all.number + 1):
            if self._load(number, &gap):
                what = LOST_DOWNSTREAM if gap.channel and not again else WITHDRAWN
                self.became(number, what, open_of(&gap), now_ns)
        if self.old.number:
            self.became(self.old.number, what, open_of(&self.old), now_ns)

    def settle(self, now_ns: int) -> None:
        """Note, of gaps that were closed SETTLE_NS ago, what clients felt of them."""
        cdef uint64_t number
        cdef uint64_t first
        cdef Gap gap
        self._refresh()
        first = self.all.number + 1
        for number in range(max(self.unsettled, self.old.number + 1), self.all.number + 1):
            if not self._load(number, &gap) or gap.settled:
                continue
            if gap.closed_ns and not 0 <= now_ns - gap.closed_ns < SETTLE_NS:
                gap.settled = 1
                self._note_clients(&gap)
                self._store(number, &gap)
            else:
                first = min(first, number)
        self.unsettled = first

    def found_from_python(
        self, start: int, end: int, now_ns: int, line: int = 0, channel: int = -1,
        session: bytes = b"",
    ) -> int:
        """`found` for callers in Python."""
        cdef uint64_t words[2]
        cdef bytes padded = session[:16].ljust(16, b"\0")
        memcpy(words, <const char*>padded, 16)
        return self.found(start, end, words, channel + 1, line, now_ns)

    def became_from_python(self, number: int, what: str, messages: int, now_ns: int) -> None:
        """`became` for callers in Python; `what` is one of BECAME."""
        self.became(number, <Became><int>BECAME.index(what), messages, now_ns)

    def requested_from_python(self, number: int) -> None:
        """`requested` for callers in Python."""
        self.requested(number)

    cdef uint64_t found(
        self, uint64_t start, uint64_t end, const uint64_t* session, uint64_t channel, int line,
        int64_t now_ns,
    ) noexcept nogil:
        cdef uint64_t number
        cdef Gap gap
        self._refresh()
        number = self.all.number + 1
        memset(&gap, 0, sizeof(Gap))
        gap.number = number
        gap.start = start
        gap.end = end
        if session != NULL:
            gap.session[0] = session[0]
            gap.session[1] = session[1]
        gap.channel = channel
        gap.line = line
        gap.detected_ns = now_ns
        gap.missing = end - start
        self._note_clients(&gap)
        if number > GAP_SLOTS:
            self._fold(number - GAP_SLOTS)
        self._store(number, &gap)
        self.all.number = number
        self.all.missing += end - start
        publish(self.blocks, &self.all)
        return number

    cdef void widened(self, uint64_t number, uint64_t end, uint64_t messages) noexcept nogil:
        cdef Gap gap
        self._refresh()
        self._load(number, &gap)
        gap.end = max(gap.end, end)
        gap.missing += messages
        self._store(number, &gap)
        self.all.missing += messages
        publish(self.blocks, &self.all)

    cdef void became(
        self, uint64_t number, Became what, uint64_t messages, int64_t now_ns
    ) noexcept nogil:
        cdef Gap gap
        if not messages:
            return
        self._refresh()
        self._load(number, &gap)
        word_of(&gap, what)[0] += messages
        if not open_of(&gap):
            gap.closed_ns = now_ns
        self._store(number, &gap)
        word_of(&self.all, what)[0] += messages
        publish(self.blocks, &self.all)

    cdef void lost(self, uint64_t number, uint64_t messages, int64_t now_ns) noexcept nogil:
        cdef Gap gap
        cdef uint64_t had = 0
        self._refresh()
        if self._load(number, &gap):
            had = min(gap.dropped, messages)
            gap.dropped -= had
            self._store(number, &gap)
        self.became(number, LOST_DOWNSTREAM, had, now_ns)
        self.became(number, LOST_UPSTREAM, messages - had, now_ns)

    cdef void requested(self, uint64_t number) noexcept nogil:
        cdef Gap gap
        self._refresh()
        self._load(number, &gap)
        gap.requests += 1
        self._store(number, &gap)
        self.all.requests += 1
        publish(self.blocks, &self.all)

    cdef void dropped(self, uint64_t number, uint64_t messages) noexcept nogil:
        cdef Gap gap
        self._refresh()
        if self._load(number, &gap):
            gap.dropped += messages
            self._store(number, &gap)

    cdef bint _load(self, uint64_t number, Gap* gap) noexcept nogil:
        """The gap; or, if it is no longer kept, the sums that it is in."""
        if number <= self.old.number:
            gap[0] = self.old
            return False
        look(block_of(self.blocks, number), gap)
        return gap.number == number

    cdef void _store(self, uint64_t number, Gap* gap) noexcept nogil:
        if number > self.old.number:
            publish(block_of(self.blocks, number), gap)
            return
        self.old = gap[0]
        publish(self.blocks + 1, &self.old)

    cdef void _fold(self, uint64_t number) noexcept nogil:
        """The oldest gap goes into the sums of those that are no longer kept."""
        cdef Gap gap
        if self._load(number, &gap):
            add_sums(&self.old, &gap)
        self.old.number = number
        publish(self.blocks + 1, &self.old)

    cdef void _note_clients(self, Gap* gap) noexcept nogil:
        note_since(gap, self.mapping.counters, self.seen, self.seen_count)


cdef class GapReader:
    """A reader's view of a feed's ledger."""

    cdef Mapping mapping
    cdef GapBlock* blocks

    def __cinit__(self, Mapping mapping not None) -> None:
        self.mapping = mapping
        self.blocks = blocks_of(mapping)

    def sums(self) -> GapView:
        """What became of the numbers of all gaps; its `number` says how many gaps there were."""
        cdef Gap gap
        look(self.blocks, &gap)
        return view_of(&gap)

    def last(self, limit: int = GAP_SLOTS, gateways: list[Mapping] | None = None) -> list[GapView]:
        """The newest gaps, oldest first. Of those that clients may still feel it says what
        `gateways` counted until now."""
        cdef uint64_t* seen[MOST_GATEWAYS]
        cdef int used = counters_of(gateways or [], seen)
        cdef Gap gap
        look(self.blocks, &gap)
        newest = gap.number
        found = []
        for number in range(newest - min(newest, max(0, limit), GAP_SLOTS) + 1, newest + 1):
            look(block_of(self.blocks, number), &gap)
            if gap.number == number:
                if not gap.settled:
                    note_since(&gap, self.mapping.counters, seen, used)
                found.append(view_of(&gap))
        return found


cdef object view_of(const Gap* gap):
    return GapView(
        gap.number, gap.start, gap.end, (<const char*>gap.session)[:16].rstrip(b"\0"),
        <int64_t>gap.channel - 1, LINES[gap.line], gap.detected_ns, gap.closed_ns, gap.missing,
        gap.filled_by_line, gap.recovered, gap.lost_upstream, gap.lost_downstream, gap.withdrawn,
        gap.requests, gap.ticks, gap.conflated, gap.lagged, gap.lapped,
    )
