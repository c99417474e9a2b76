"""Last prices from snapshot files into a segment that no worker has written yet.

In: the contents of a feed's snapshots, newest first. Out: rows, each marked stale. Owned by the
supervisor, which calls it between making a segment and starting its first worker.

Law: a row is restored whole or not at all. Its price is the one of a snapshot; only what belongs
to a day that is over changes: volume, trades and range begin anew, and the last official price
becomes the previous close.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from ticker.shm.atomics cimport store_relaxed, store_release
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport ROW_HAS_ASK, ROW_HAS_BID, ROW_STALE, FeedState, RowRest, Values
from ticker.shm.table cimport TableWriter
from ticker.shm.values cimport end_day
from ticker.store.snapshot cimport BASE_WORDS, VENUE_WORDS, Contents, Head

from dataclasses import dataclass


@dataclass(frozen=True)
class Restored:
    """What became of a feed's snapshot: rows that are in the segment now; of those, how many
    began a new day, and how many had a time later than now; rows that were too old, did not fit, or
    were damaged in every snapshot."""

    created_ns: int = 0
    rows: int = 0
    rolled: int = 0
    ahead: int = 0
    too_old: int = 0
    no_room: int = 0
    damaged: int = 0


def restore(
    Mapping mapping not None, contents: list[Contents], *, midnight: int, oldest_ns: int = 0,
    now_ns: int = 0, max_ahead_ns: int = 0,
) -> Restored:
    """Write the rows of `contents` (newest first) into the fresh, writable segment `mapping`.

    A row that is damaged in the newest snapshot comes from the next one that has it.

    Args:
        midnight: at which the feed's present day began, ns since the epoch.
        oldest_ns: a symbol that did not move since then is left out.
        now_ns, max_ahead_ns: a time that is so far ahead of now was written while a clock was wrong,
            and becomes now; left as it is, it would hide all newer prices until then. 0: any is left.
    """
    cdef TableWriter table = TableWriter(mapping)
    cdef Contents source
    cdef Values values
    cdef uint64_t[2] scales
    cdef uint64_t[BASE_WORDS] base
    cdef int64_t row
    cdef size_t at
    known = set()
    counts = {"rolled": 0, "too_old": 0, "no_room": 0, "ahead": 0}
    if not contents:
        return Restored()
    for source in contents:
        for offset in source._rows():
            at = offset
            symbol, venue, currency = source._names(at)
            if (symbol, venue) in known:
                continue
            known.add((symbol, venue))
            source._read(at, &values)
            if last_move(&values) < oldest_ns:
                counts["too_old"] += 1
                continue
            source._scales(at, scales)
            row = table.append(symbol, len(symbol), venue, currency, scales[0], scales[1])
            if row < 0:
                counts["no_room"] += 1
                continue
            counts["rolled"] += begin_day(&values, midnight)
            counts["ahead"] += is_set_back(&values, now_ns, max_ahead_ns)
            values.flags |= ROW_STALE
            source._base(at, base)
            keep_base(table.rests + row, base)
            table.publish(<uint32_t>row, &values)
        if not source.damaged:
            break
    restore_venue(mapping, contents[0], midnight)
    # A later start compares with this: the rows are not older than any of their sources.
    store_release(
        &mapping.feed_state().restored_ns, max([source.created_ns for source in contents])
    )
    restore_session(mapping, contents[0].session)
    newest = contents[0]
    return Restored(
        created_ns=newest.created_ns, rows=len(table),
        damaged=max(0, newest.rows - len(known)), **counts,
    )


cdef int64_t last_move(const Values* values) noexcept:
    """The newest time that a row knows, ns."""
    return max(values.exchange_time, max(values.quote_time, values.publish_time))


cdef bint is_set_back(Values* values, int64_t now, int64_t max_ahead) noexcept:
    """Times of a row that are too far ahead become now; whether there were any."""
    if not max_ahead or max(values.exchange_time, values.quote_time) - now <= max_ahead:
        return False
    values.exchange_time = min(values.exchange_time, now)
    values.quote_time = min(values.quote_time, now)
    return True


cdef bint begin_day(Values* values, int64_t midnight) noexcept:
    """A row of a day before the one that begins at `midnight`: whether it was one."""
    if values.session_start >= midnight:
        return False
    end_day(values, values)
    values.flags &= ~<uint64_t>(ROW_HAS_BID | ROW_HAS_ASK)
    values.bid = values.ask = 0
    values.bid_size = values.ask_size = 0
    values.session_start = midnight
    return True


cdef void keep_base(RowRest* row, const uint64_t* base) noexcept:
    """What the row had when the session of the snapshot began."""
    cdef uint64_t* words = <uint64_t*>&row.base_day
    cdef int word
    for word in range(BASE_WORDS):
        store_relaxed(words + word, base[word])


cdef int restore_session(Mapping mapping, bytes session) except -1:
    """Whose rows these are. Where it stood is not said: the rows may be newer than that."""
    cdef FeedState* state = mapping.feed_state()
    cdef const char* words = session
    cdef int word
    for word in range(2):
        store_release(&state.resume_session[word], (<const uint64_t*>words)[word])
    return 0


cdef int restore_venue(Mapping mapping, Contents newest, int64_t midnight) except -1:
    """What the venue said of its whole market today."""
    cdef FeedState* state = mapping.feed_state()
    cdef const Head* head = <const Head*>newest.start
    cdef int word
    if <int64_t>max(head.venue[1], head.venue[3]) < midnight:
        return 0
    for word in range(VENUE_WORDS - 1):
        store_release(&state.phase + word, head.venue[word])
    return 0
