"""Live, quiet, unconfirmed, paused, halted, stale or closed: one rule for every reader.

Law: nothing is written. A feed's state is its worker's words and the clock; a symbol's state is
derived from its row, its feed and the calendar whenever a caller asks, so that no timer touches
every row. The clocks are passed in: a wall clock that is set makes nothing older or younger.

The first that holds is the state of a row:

    closed    the calendar says so, or the venue closed it. Silence is then as it should be, and
              no operator is to be woken by it.
    stale     the feed is silent past its heartbeats, or its worker is gone or catching up; or
              the row was restored and nothing has confirmed it yet. A halt that was true before
              the silence may be over, so it does not hide the silence.
    halted    by its venue, or by a market-wide circuit breaker.
    paused    a volatility pause, or quotes are taken and nothing trades yet.
    unconfirmed  a trade jumped away from the price, and the filter holds it until it is confirmed
              or refused: the price shown may not be the last any more.
    quiet     the feed beats, and this symbol alone did not change for a while.
    live      none of these.

A symbol with several rows is in the best of their states, as its price is the best that is
known: live, unconfirmed, quiet, paused, halted, stale, closed. A halt, however, is not outvoted
by the row of a feed that knows no halts and has nothing new to say.
"""

from cpython.mem cimport PyMem_Free, PyMem_Realloc
from libc.stdint cimport INT64_MAX, int64_t, uint32_t, uint64_t
from libc.string cimport memset

from ticker.shm.atomics cimport load_acquire, load_relaxed
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport (
    FEED_ENDED,
    FEED_LIVE,
    FEED_RECOVERING,
    PHASE_BREAK,
    PHASE_CLOSED,
    PHASE_OPEN,
    PHASE_POST,
    PHASE_PRE,
    PHASE_UNKNOWN,
    ROW_HELD,
    ROW_STALE,
    STATUS_CLOSED,
    STATUS_HALTED,
    STATUS_PAUSED,
    STATUS_QUOTE_ONLY,
    STATUS_TRADING,
    STATUS_UNKNOWN,
    FeedState,
    Values,
)

from typing import NamedTuple

from ticker.shm.layout import PHASES, names_of


class MarketWords(NamedTuple):
    """Phase of the day by its name, breaker level in force (0: none), the index values at which
    the day's breakers trigger (1e-9 units, 0: not said); times in ns since the epoch, 0: never."""

    phase: str
    phase_time: int
    breaker: int
    breaker_time: int
    decline_levels: tuple[int, ...]


# To users a quiet symbol is quiet, whether its feed says that it trades or not.
STATES = tuple([
    name.removesuffix("_unsaid") for name in names_of(Liveness, "LIVENESS_")
])
UNKNOWN, CLOSED, PRE, OPEN, BREAK, POST = (
    PHASE_UNKNOWN, PHASE_CLOSED, PHASE_PRE, PHASE_OPEN, PHASE_BREAK, PHASE_POST
)
DEFAULT_QUIET_NS = 60_000_000_000
WORKER_TIMEOUT_NS = 2_500_000_000

cdef int64_t WORKER_TIMEOUT = WORKER_TIMEOUT_NS
cdef int64_t QUIET = DEFAULT_QUIET_NS


cdef Liveness liveness_of(
    const FeedCondition* feed, const Values* row, int64_t now_ns
) noexcept nogil:
    """The state of one row; the module's head has the precedence."""
    if feed.closed:
        return LIVENESS_CLOSED
    # A venue's "closed" of yesterday says nothing about today's silence.
    if row.status == STATUS_CLOSED and not (feed.silent and feed.expected):
        return LIVENESS_CLOSED
    if feed.silent or row.flags & ROW_STALE:
        return LIVENESS_STALE
    if feed.breaker or row.status == STATUS_HALTED:
        return LIVENESS_HALTED
    if row.status == STATUS_PAUSED or row.status == STATUS_QUOTE_ONLY:
        return LIVENESS_PAUSED
    if row.flags & ROW_HELD:
        return LIVENESS_UNCONFIRMED
    if now_ns - row.publish_time > feed.quiet_ns:
        return LIVENESS_QUIET if row.status == STATUS_TRADING else LIVENESS_QUIET_UNSAID
    return LIVENESS_LIVE


cdef bint is_stale(const FeedCondition* feed, const Values* row) noexcept nogil:
    """Whether a newer price may exist that we don't know."""
    return row.flags & ROW_STALE != 0 or (feed.silent and not feed.final)


cdef class Conditions:
    """Looks at the feeds of `mappings`, in their order."""

    def __cinit__(self, mappings: list[Mapping]) -> None:
        self.mappings = []
        for mapping in mappings:
            self.add(mapping)

    def add(self, Mapping mapping not None) -> None:
        """Look at a further feed, behind the others."""
        cdef FeedState** states = <FeedState**>PyMem_Realloc(
            self.states, (self.count + 1) * sizeof(FeedState*)
        )
        if states == NULL:
            raise MemoryError
        self.states = states
        cdef FeedCondition* feeds = <FeedCondition*>PyMem_Realloc(
            self.feeds, (self.count + 1) * sizeof(FeedCondition)
        )
        if feeds == NULL:
            raise MemoryError
        self.feeds = feeds
        memset(feeds + self.count, 0, sizeof(FeedCondition))
        states[self.count] = mapping.feed_state()
        feeds[self.count].silent = True
        feeds[self.count].quiet_ns = QUIET
        self.mappings.append(mapping)
        self.count += 1

    def __dealloc__(self) -> None:
        PyMem_Free(self.states)
        PyMem_Free(self.feeds)

    def look(
        self, now_ns: int, sessions: list[tuple[int, int, int]] | None = None,
        steady_ns: int | None = None,
    ) -> None:
        """Look at every feed's words again.

        Args:
            now_ns: the wall clock.
            sessions: of each feed its (phase, since, closed_at) by the calendar: a MarketPhase,
                when the present session (or pause between two) began, and the last regular
                close. UNKNOWN where there is no calendar. Times in ns since the epoch.
            steady_ns: a clock that only runs, by which feeds age; without it the wall clock is
                taken for one.
        """
        cdef uint32_t feed
        cdef int64_t steady = now_ns if steady_ns is None else steady_ns
        self.passed_ns = max(steady - self.steady_ns, 0) if self.steady_ns else INT64_MAX
        self.steady_ns = steady
        self.looked_ns = now_ns
        for feed in range(self.count):
            phase, since, closed_at = sessions[feed] if sessions else (UNKNOWN, 0, 0)
            self._look_at(feed, now_ns, phase, since, closed_at)

    cdef void _look_at(
        self, uint32_t feed, int64_t now_ns, int phase, int64_t since, int64_t closed_at
    ) noexcept nogil:
        cdef FeedState* words = self.states[feed]
        cdef FeedCondition* found = &self.feeds[feed]
        cdef uint64_t state = load_acquire(&words.state)
        cdef uint64_t epoch = load_acquire(&words.writer_epoch)
        cdef int64_t heard = <int64_t>load_acquire(&words.last_message_ns)
        cdef int64_t silence = <int64_t>load_relaxed(&words.silence_ns)
        cdef int64_t quiet = <int64_t>load_relaxed(&words.quiet_ns)
        cdef int64_t said = <int64_t>load_relaxed(&words.phase_time)
        if state == FEED_LIVE:
            found.live_epoch = epoch
        # A gap on its way to be filled makes nothing stale; a worker that computes its rows
        # again has not shown the new ones yet.
        found.silent = (
            not (state == FEED_LIVE or (state == FEED_RECOVERING and found.live_epoch == epoch))
            or self._age(
                &found.beat, <int64_t>load_acquire(&words.heartbeat_ns), now_ns
            ) >= WORKER_TIMEOUT
            or (self._age(&found.heard, heard, now_ns) > silence > 0 and heard > 0)
        )
        found.expected = phase != PHASE_UNKNOWN and phase != PHASE_CLOSED
        found.closed = phase == PHASE_CLOSED or (
            (state == FEED_ENDED
             or (load_acquire(&words.phase) == PHASE_CLOSED and said >= since))
            and (phase == PHASE_UNKNOWN or heard >= since)
        )
        found.final = not found.expected and (
            state == FEED_ENDED or (phase == PHASE_CLOSED and heard >= closed_at)
        )
        found.breaker = load_acquire(&words.breaker)
        found.quiet_ns = quiet if quiet else QUIET

    cdef int64_t _age(self, Sighting* seen, int64_t word, int64_t now_ns) noexcept nogil:
        """ns since a time of the wall clock that a worker wrote. With any steps of that clock,
        a word that is still the same has aged by what passed, and a new one is of since the last
        look."""
        cdef int64_t age = max(now_ns - word, 0)
        if word == seen.word and self.passed_ns != INT64_MAX:
            age = seen.age + self.passed_ns
        elif age > self.passed_ns:
            age = self.passed_ns
        seen.word = word
        seen.age = age
        return age

    def state(self, feed: int) -> str:
        """The feed as a whole: live, halted, stale or closed."""
        cdef FeedCondition* found = self._checked(feed)
        if found.closed:
            return "closed"
        if found.silent:
            return "stale"
        return "halted" if found.breaker else "live"

    def silent(self, feed: int) -> bool:
        """Whether no live worker vouches for the feed's prices now."""
        return self._checked(feed).silent

    cdef FeedCondition* _checked(self, object feed) except NULL:
        if not 0 <= feed < self.count:
            raise IndexError(f"feed {feed}: there are {self.count}")
        return &self.feeds[<uint32_t>feed]


def verdict(
    Conditions conditions not None, feed: int, *, status: int = 0, flags: int = 0,
    publish_time: int = 0,
) -> str:
    """The state of a row with these values (layout.pxd: Values), from Python."""
    cdef Values row
    row.status = status
    row.flags = flags
    row.publish_time = publish_time
    return STATES[<int>liveness_of(conditions._checked(feed), &row, conditions.looked_ns)]


def market_words(Mapping mapping not None) -> MarketWords:
    """What a feed's venue said of its market as a whole."""
    cdef FeedState* words = mapping.feed_state()
    cdef int i
    return MarketWords(
        PHASES[load_acquire(&words.phase)],
        load_relaxed(&words.phase_time),
        load_acquire(&words.breaker),
        load_relaxed(&words.breaker_time),
        tuple([load_relaxed(&words.decline_levels[i]) for i in range(3)]),
    )
