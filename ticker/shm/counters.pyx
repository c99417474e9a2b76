"""Counters and latency histograms of a segment, read by any process, written by its owner."""

from libc.stdint cimport int64_t, uint64_t

from ticker.shm.atomics cimport load_acquire, load_relaxed, store_relaxed, store_release
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport (
    COUNTERS,
    FEED_ENDED,
    FEED_LIVE,
    FEED_RECOVERING,
    FEED_SEGMENT,
    FEED_STALE,
    FEED_STARTING,
    HISTOGRAM_WORDS,
    HISTOGRAMS,
    RECORDER_SEGMENT,
    RELAY_SEGMENT,
    STORE_SEGMENT,
)

from ticker.errors import SegmentError
from ticker.shm.header import KIND_MIRROR
from ticker.shm.layout import FEED_STATES, REJECT_REASONS, STALE_REASONS, names_of

FEED_COUNTERS = names_of(FeedCounter, "FEED_")
GATEWAY_COUNTERS = names_of(GatewayCounter, "GATEWAY_")
# Gauges behind the counters, set by name: of a gateway's pace (gateway/scheduler.pyx), whether it
# drains (1: not ready, 2: takes no new clients), and whether io_uring sends (gateway/outlet.py).
GATEWAY_GAUGES = ("flush_interval_ns", "burst_gap_ns", "load_permille", "draining", "io_uring")
STORE_COUNTERS = names_of(StoreCounter, "STORE_")
RECORDER_COUNTERS = names_of(RecorderCounter, "RECORDER_")
RELAY_COUNTERS = names_of(RelayCounter, "RELAY_")
# Of the mirror, which is written in Python. Gauges: connected, keys (that Redis should have), fault
# (an errno) and failing (0 or 1), written_time_ns (all that was due was in Redis then).
MIRROR_COUNTERS = (
    "connected", "keys", "fault", "failing", "written_time_ns", "writes", "published", "bytes",
    "refused", "faults", "connections", "renewals", "cpu_ns",
)
FEED_HISTOGRAMS = names_of(FeedHistogram, "FEED_HISTOGRAM_")
GATEWAY_HISTOGRAMS = names_of(GatewayHistogram, "GATEWAY_HISTOGRAM_")
STARTING = FEED_STARTING
RECOVERING = FEED_RECOVERING
LIVE = FEED_LIVE
STALE = FEED_STALE
ENDED = FEED_ENDED

_FEED_NUMBERS = {name: number for number, name in enumerate(FEED_COUNTERS)}
_GATEWAY_NUMBERS = {name: number for number, name in enumerate(GATEWAY_COUNTERS + GATEWAY_GAUGES)}
_STORE_NUMBERS = {name: number for number, name in enumerate(STORE_COUNTERS)}
_NUMBERS_OF_KIND = {
    FEED_SEGMENT: _FEED_NUMBERS, STORE_SEGMENT: _STORE_NUMBERS,
    RECORDER_SEGMENT: {name: number for number, name in enumerate(RECORDER_COUNTERS)},
    RELAY_SEGMENT: {name: number for number, name in enumerate(RELAY_COUNTERS)},
    KIND_MIRROR: {name: number for number, name in enumerate(MIRROR_COUNTERS)},
}

if max(len(FEED_COUNTERS), len(_GATEWAY_NUMBERS)) > COUNTERS:
    raise ImportError(f"more than the {COUNTERS} counters that a segment has room for (layout.pxd)")
if max(len(FEED_HISTOGRAMS), len(GATEWAY_HISTOGRAMS)) > HISTOGRAMS:
    raise ImportError(f"more than the {HISTOGRAMS} histograms of a segment (layout.pxd)")
# filter.pyx counts a rule's refusals at FEED_REJECTED_DUPLICATE + the rule.
if FEED_COUNTERS[<int>FEED_REJECTED_DUPLICATE:][:len(REJECT_REASONS)] != tuple(
    [f"rejected_{reason}" for reason in REJECT_REASONS]
):
    raise ImportError("FEED_REJECTED_* (counters.pxd) differ from REJECT_* (layout.pxd)")


cdef int check_writable(Mapping mapping) except -1:
    if not mapping.writable:
        raise SegmentError("the segment is mapped read-only: only its owner may write it")
    return 0


cdef class Counters:
    """The counters of a mapped segment, by name."""

    cdef Mapping mapping
    cdef dict numbers

    def __init__(self, Mapping mapping not None) -> None:
        self.mapping = mapping
        self.numbers = _NUMBERS_OF_KIND.get(mapping.header.kind, _GATEWAY_NUMBERS)

    def __getitem__(self, name: str) -> int:
        return self._value(self.numbers[name])

    def add(self, name: str, by: int = 1) -> None:
        """Only the segment's owner may call this."""
        check_writable(self.mapping)
        count(self.mapping.counters, self.numbers[name], by)

    def put(self, name: str, value: int) -> None:
        """Set a counter that is a gauge. Only the segment's owner may call this."""
        check_writable(self.mapping)
        store_relaxed(self.mapping.counters + <unsigned>self.numbers[name], value)

    def as_dict(self) -> dict[str, int]:
        """All of them; each is read atomically, together they are not one instant."""
        return {name: self._value(number) for name, number in self.numbers.items()}

    cdef uint64_t _value(self, unsigned index) noexcept:
        return load_relaxed(self.mapping.counters + index)


cdef class Heartbeat:
    """The owner's sign of life: epoch, pid, time and (feeds) state."""

    cdef Mapping mapping
    cdef bint is_feed

    def __init__(self, Mapping mapping not None) -> None:
        self.mapping = mapping
        self.is_feed = mapping.header.kind == FEED_SEGMENT

    def take_over(self, pid: int, now_ns: int) -> int:
        """A new writer announces itself; the new epoch."""
        check_writable(self.mapping)
        cdef uint64_t* words = self._words()
        cdef uint64_t epoch = load_relaxed(&words[0]) + 1
        store_relaxed(&words[1], pid)
        store_relaxed(&words[2], now_ns)
        store_release(&words[0], epoch)
        return epoch

    def leave(self) -> None:
        """The writer is done: until the next one, there is none."""
        check_writable(self.mapping)
        store_release(&self._words()[1], 0)

    def beat(self, now_ns: int) -> None:
        """The writer lives at `now_ns`, wall clock."""
        check_writable(self.mapping)
        store_release(&self._words()[2], now_ns)

    def set_state(self, state: int) -> None:
        """Feeds only: one of STARTING, RECOVERING, LIVE, STALE, ENDED."""
        check_writable(self.mapping)
        if not 0 <= state < len(FEED_STATES):
            raise ValueError(f"no feed state {state}; take one of 0 to {len(FEED_STATES) - 1}")
        store_release(&self.mapping.feed_state().state, state)

    def set_why(self, why: int) -> None:
        """Feeds only: why its prices are not vouched for, a StaleReason (layout.pxd)."""
        check_writable(self.mapping)
        if not 0 <= why < len(STALE_REASONS):
            raise ValueError(f"no reason {why}; take one of 0 to {len(STALE_REASONS) - 1}")
        store_release(&self.mapping.feed_state().why, why)

    def heard(self, now_ns: int) -> None:
        """Feeds only: something of use came at `now_ns`; 0: nothing yet, what a
        predecessor heard stands."""
        check_writable(self.mapping)
        if now_ns:
            store_release(&self.mapping.feed_state().last_message_ns, now_ns)

    def set_patience(self, silence_ns: int, quiet_ns: int) -> None:
        """Feeds only: after which silence of the venue the feed is stale, and after which
        silence of one symbol that symbol is quiet."""
        check_writable(self.mapping)
        store_release(&self.mapping.feed_state().silence_ns, silence_ns)
        store_release(&self.mapping.feed_state().quiet_ns, quiet_ns)

    @property
    def epoch(self) -> int:
        return load_acquire(&self._words()[0])

    @property
    def pid(self) -> int:
        return load_relaxed(&self._words()[1])

    @property
    def time_ns(self) -> int:
        """Wall clock of the last beat; 0 before the first one."""
        return load_acquire(&self._words()[2])

    @property
    def state(self) -> str:
        """Feeds only: starting, recovering, live, stale or ended."""
        return FEED_STATES[load_acquire(&self.mapping.feed_state().state)]

    @property
    def why(self) -> str:
        """Feeds only: why the feed is stale, by its worker's word (StaleReason); "none": it is not,
        or its worker is gone."""
        return STALE_REASONS[load_acquire(&self.mapping.feed_state().why)]

    @property
    def restored_ns(self) -> int:
        """Feeds only: when the snapshot was made that the rows came from; 0: from none."""
        return load_acquire(&self.mapping.feed_state().restored_ns)

    @property
    def last_message_ns(self) -> int:
        """Feeds only: when something of use came last, 0 before the first time."""
        return load_acquire(&self.mapping.feed_state().last_message_ns)

    cdef uint64_t* _words(self) except NULL:
        # FeedState and GatewayState begin alike: writer_epoch, writer_pid, heartbeat_ns.
        if self.is_feed:
            return <uint64_t*>self.mapping.feed_state()
        return <uint64_t*>self.mapping.gateway_state()


def bucket_bounds(index: int) -> tuple[int, int]:
    """Lower (inclusive) and upper (exclusive) bound in ns of a histogram bucket."""
    if index < 8:
        return index, index + 1
    top, step = index // 8 + 2, index % 8
    return (8 + step) << (top - 3), (9 + step) << (top - 3)


def histogram(Mapping mapping not None, index: int) -> list[int]:
    """The counts of one histogram by bucket (bucket_bounds), trailing zeros left out."""
    if not 0 <= index < HISTOGRAMS:
        raise IndexError(f"histogram {index}: a segment has {HISTOGRAMS}")
    cdef uint64_t* words = mapping.histograms + <unsigned>index * HISTOGRAM_WORDS
    cdef unsigned used = HISTOGRAM_WORDS
    cdef unsigned bucket
    while used and not load_relaxed(words + used - 1):
        used -= 1
    counts = []
    for bucket in range(used):
        counts.append(load_relaxed(words + bucket))
    return counts


def record(Mapping mapping not None, index: int, ns: int) -> None:
    """One duration into a histogram of the own segment."""
    check_writable(mapping)
    if not 0 <= index < HISTOGRAMS:
        raise IndexError(f"histogram {index}: a segment has {HISTOGRAMS}")
    record_duration(mapping.histograms, index, ns)


def percentile(counts: list[int], fraction: float) -> int:
    """The upper bound in ns of the bucket that holds this fraction of the counts; 0: none."""
    total = sum(counts)
    if not total:
        return 0
    wanted = fraction * total
    reached = 0
    for index, number in enumerate(counts):
        reached += number
        if number and reached >= wanted:
            return bucket_bounds(index)[1] - 1
    return bucket_bounds(len(counts) - 1)[1] - 1
