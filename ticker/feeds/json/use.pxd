"""Whether a text is of use: what a rule took of it, without what the filter refused.

A snapshot that tells the same once more is of use too: its prices are vouched for.
"""

from libc.stdint cimport uint32_t, uint64_t

from ticker.shm.atomics cimport load_relaxed
from ticker.shm.counters cimport (
    FEED_REJECTED_BAD_PRICE,
    FEED_REJECTED_BAD_SIZE,
    FEED_REJECTED_CLOCK_SKEW,
    FEED_REJECTED_OLDER,
    FEED_REJECTED_TOO_OLD_TO_TELL,
)
from ticker.shm.layout cimport (
    WHY_CLOCK_SKEW,
    WHY_NO_RULE,
    WHY_NONE,
    WHY_OLDER,
    WHY_ONLY_PINGS,
    WHY_REFUSED,
    WHY_REJECTED,
    WHY_SKIPPED,
)

cdef struct Rejections:
    # Trades that the filter has refused for good, of known symbols and in hours that count.
    uint64_t by_clock
    uint64_t by_age
    uint64_t by_value

cdef struct Use:
    # The text at hand.
    bint matched                 # some rule has a record of it
    bint told_no                 # it has a refusal
    uint32_t taken               # records that a rule took
    uint32_t skipped
    Rejections before


cdef inline Rejections rejections(const uint64_t* counters) noexcept nogil:
    cdef Rejections found
    found.by_clock = load_relaxed(counters + <int>FEED_REJECTED_CLOCK_SKEW)
    found.by_age = load_relaxed(counters + <int>FEED_REJECTED_OLDER) + load_relaxed(
        counters + <int>FEED_REJECTED_TOO_OLD_TO_TELL
    )
    found.by_value = load_relaxed(counters + <int>FEED_REJECTED_BAD_PRICE) + load_relaxed(
        counters + <int>FEED_REJECTED_BAD_SIZE
    )
    return found


cdef inline void begin_text(Use* use, const uint64_t* counters) noexcept nogil:
    use.matched = use.told_no = False
    use.taken = use.skipped = 0
    use.before = rejections(counters)


cdef inline int why_useless(const Use* use, const uint64_t* counters) noexcept nogil:
    """A StaleReason (layout.pxd) of the text that ends; WHY_NONE: it was of use."""
    cdef Rejections now = rejections(counters)
    cdef uint64_t by_clock = now.by_clock - use.before.by_clock
    cdef uint64_t by_age = now.by_age - use.before.by_age
    cdef uint64_t refused = by_clock + by_age + now.by_value - use.before.by_value
    if use.taken > refused:
        return WHY_NONE
    if not use.matched:
        return WHY_NO_RULE
    if use.told_no:
        return WHY_REFUSED
    if refused:
        return WHY_CLOCK_SKEW if by_clock else WHY_OLDER if by_age else WHY_REJECTED
    return WHY_SKIPPED if use.skipped else WHY_ONLY_PINGS
