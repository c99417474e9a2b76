"""The filter: refuses trades that cannot be true. Nothing is refused in silence: each rule has
its counter, and its last trades are kept in the feed's segment (ticker/shm/rejects.pyx).

Rules, in this order; a trade is counted under the first that it breaks. docs/filter.md has their
parameters, [feeds.filter] of ticker.toml.

    unknown_symbol    no instrument of the feed
    bad_size          no shares, and yet it counts for volume
    bad_price         0 or less, or above the greatest price that the protocol can mean
    duplicate         the session had its match number before, of the same instrument
    too_old_to_tell   it may be a duplicate of a trade whose number is forgotten
    older             it would set the last price, and happened before the last sale
    clock_skew        it happened after it was received, or too long before
    test_symbol       of a test issue
    wrong_session     outside the session's hours
    unconfirmed_jump  outside the band around the last sale, and no second trade confirmed it

A jump is held: the instrument's one slot keeps it until a second trade comes near its price, and
then both count, in order. A trade back inside the old band refutes it, another jump takes its
slot, and none for `hold` ends it; it is then a reject. Trades that set no price pass by.

Law: no clock. Times are the trades' own and those that `expire` is given.
"""

from libc.stdint cimport INT64_MAX, INT64_MIN, int32_t, int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from ticker.checks cimport check
from ticker.feeds.market.trade_ids cimport ID_NEW, ID_SEEN, Sighting, TradeIds
from ticker.feeds.market.trades cimport (
    TRADE_COUNTS_VOLUME,
    TRADE_LAST_IF_ONLY,
    TRADE_SETS_LAST,
    TRADE_SETS_OPEN,
    TRADE_SETS_RANGE,
    TRADE_TOLD,
)
from ticker.shm.counters cimport (
    FEED_JUMPS_CONFIRMED,
    FEED_JUMPS_HELD,
    FEED_REJECTED_DUPLICATE,
    count,
)
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport (
    REJECT_BAD_PRICE,
    REJECT_BAD_SIZE,
    REJECT_CLOCK_SKEW,
    REJECT_DUPLICATE,
    REJECT_OLDER,
    REJECT_TEST_SYMBOL,
    REJECT_TOO_OLD_TO_TELL,
    REJECT_UNCONFIRMED_JUMP,
    REJECT_UNKNOWN_SYMBOL,
    REJECT_WRONG_SESSION,
    ROW_HAS_LAST,
    ROW_TEST,
    SYMBOL_BYTES,
    Values,
)

from ticker.config.filter import MILLION, NS, FilterConfig, hours_ns

PLAIN = FilterConfig(band=0, max_ahead=0, test_symbols=False)
"""The rules that need neither a clock nor a feed's own parameters."""

cdef enum:
    PARTS = 1_000_000            # band shares are in parts per million
    LONG_MS = 1_000_000_000      # a band is as wide as it gets long before
    PRICED = TRADE_SETS_LAST | TRADE_SETS_OPEN | TRADE_SETS_RANGE | TRADE_LAST_IF_ONLY


cdef inline int64_t minus(int64_t one, int64_t other) noexcept nogil:
    """The difference of two times that any bytes may have made."""
    return <int64_t>(<uint64_t>one - <uint64_t>other)


cdef class Filter:
    """Filters the trades of `instruments` instruments; counts in the segment of `mapping`."""

    def __cinit__(
        self, Mapping mapping not None, instruments: int, max_price: int, rules: object = PLAIN,
    ) -> None:
        self.counters = mapping.counters
        self.rejects = RejectWriter(mapping)
        self.instruments = instruments
        self.max_price = max_price
        self.live = True
        self.ids = TradeIds(mapping, rules.duplicate_ids)
        self.jumped = <char*>calloc(self.instruments, 1)
        self.held = <Held*>calloc(self.instruments, sizeof(Held))
        self.holding = <uint32_t*>calloc(self.instruments, sizeof(uint32_t))
        if self.jumped == NULL or self.held == NULL or self.holding == NULL:
            raise MemoryError("no memory for the filter")
        self._set_rules(rules)

    cdef int _set_rules(self, object rules) except -1:
        self.least_price = 1 if rules.bad_prices else INT64_MIN
        self.most_price = self.max_price if rules.bad_prices else INT64_MAX
        self.duplicates = rules.duplicates
        self.bad_sizes = rules.bad_sizes
        self.older = rules.older
        self.unknown_symbols = rules.unknown_symbols
        self.refused_flags = ROW_TEST if rules.test_symbols else 0
        self.max_ahead = int(rules.max_ahead * NS) if rules.max_ahead else INT64_MAX
        self.max_behind = int(rules.max_behind * NS) if rules.max_behind else INT64_MAX
        hours = hours_ns(rules.session_hours)
        self.has_session = hours is not None
        if hours is not None:
            self.session_start, self.session_end = hours
        self.banded = rules.band > 0
        self.band = round(rules.band * MILLION)
        self.band_growth = round(rules.band_growth * MILLION)
        self.band_most = round(rules.band_most * MILLION)
        self.band_floor = rules.band_floor_units
        self.hold = int(rules.hold * NS)
        # The first power of two that is inside the band spares nearly every trade the sum.
        self.band_shift = 0
        while (MILLION >> self.band_shift) > self.band and self.band_shift < 62:
            self.band_shift += 1
        return 0

    def __dealloc__(self) -> None:
        free(self.jumped)
        free(self.held)
        free(self.holding)

    cdef int judge(
        self, uint32_t instrument, const Values* values, int64_t midnight, int64_t price,
        uint64_t size, uint64_t match, uint32_t flags, int64_t exchange_time,
        int64_t receive_time,
    ) noexcept nogil:
        """A Verdict. `values`: the instrument's, before the trade; `midnight`: the session's."""
        cdef Reject trade
        cdef int64_t move
        cdef int64_t skew = minus(exchange_time, receive_time)
        cdef int64_t more = 0
        cdef int64_t detail = 0
        cdef int rule
        check(instrument < self.instruments)
        if not size and flags & TRADE_COUNTS_VOLUME and self.bad_sizes:
            rule = REJECT_BAD_SIZE
        elif price < self.least_price or price > self.most_price:
            rule = REJECT_BAD_PRICE
            detail = self.most_price
        elif match and self.duplicates and self._known(
            instrument, match, flags, exchange_time, receive_time, &rule
        ):
            pass
        elif flags & TRADE_SETS_LAST and exchange_time < values.exchange_time and self.older:
            rule = REJECT_OLDER
            detail = values.exchange_time
        elif skew > self.max_ahead or (
            minus(0, skew) > self.max_behind and self.live and not flags & TRADE_TOLD
        ):
            rule = REJECT_CLOCK_SKEW
            detail = skew
        elif values.flags & self.refused_flags:
            rule = REJECT_TEST_SYMBOL
        elif self.has_session and not (
            self.session_start <= minus(exchange_time, midnight) < self.session_end
        ):
            rule = REJECT_WRONG_SESSION
            detail = midnight + self.session_start
            more = midnight + self.session_end
        else:
            if not self.banded or not flags & PRICED:
                return ACCEPTED
            move = price - values.price
            if (move if move >= 0 else -move) <= values.price >> self.band_shift and not (
                self.held_count and self.jumped[instrument]
            ):
                return ACCEPTED
            fill(&trade, price, size, match, exchange_time, receive_time)
            return self._jump(instrument, values, &trade, flags)
        fill(&trade, price, size, match, exchange_time, receive_time)
        self.rejects.refuse(rule, instrument, &trade, detail, more)
        return REFUSED

    cdef bint _known(
        self, uint32_t instrument, uint64_t match, uint32_t flags, int64_t exchange_time,
        int64_t receive_time, int* rule
    ) noexcept nogil:
        """Whether the trade was here before, or may have been."""
        cdef Sighting sighting = self.ids.see(instrument, match, exchange_time, receive_time)
        if sighting == ID_NEW:
            return False
        rule[0] = REJECT_DUPLICATE if sighting == ID_SEEN else REJECT_TOO_OLD_TO_TELL
        # One more that counts for no volume does no harm, as a snapshot's last trade.
        return sighting == ID_SEEN or flags & TRADE_COUNTS_VOLUME != 0

    cdef int _jump(
        self, uint32_t instrument, const Values* values, Reject* trade, uint32_t flags,
    ) noexcept nogil:
        """The verdict on a trade that may be outside the band, or comes while a jump is held."""
        cdef Held* held = &self.held[instrument]
        cdef int64_t gap
        cdef bint told_order
        if self.jumped[instrument]:
            gap = minus(trade.exchange_time, held.exchange_time)
            told_order = gap >= 0
            gap = gap if gap >= 0 else minus(0, gap)
            if gap <= self.hold and self._within(held.price, gap, trade.price):
                if told_order or not (flags & TRADE_SETS_LAST and self.older):
                    return CONFIRMS
                self.rejects.refuse(REJECT_OLDER, instrument, trade, held.exchange_time, 0)
                return CONFIRMS_ONLY
            self._refute(instrument, trade.price if gap <= self.hold else 0)
        if not values.flags & ROW_HAS_LAST or self._within(
            values.price, minus(trade.exchange_time, values.exchange_time), trade.price
        ):
            return ACCEPTED
        held.price = trade.price
        held.size = trade.size
        held.match = trade.match
        held.exchange_time = trade.exchange_time
        held.receive_time = trade.receive_time
        held.good = values.price
        held.flags = flags
        held.place = self.held_count
        self.holding[self.held_count] = instrument
        self.held_count += 1
        self.jumped[instrument] = True
        count(self.counters, FEED_JUMPS_HELD, 1)
        return REFUSED

    cdef bint _within(self, int64_t good, int64_t since, int64_t price) noexcept nogil:
        """Whether a price is inside the band around a good one of `since` ns before."""
        cdef uint64_t ms = <uint64_t>since // 1_000_000 if since > 0 else 0
        cdef uint64_t share = self.band
        cdef int64_t move = price - good if price > good else good - price
        cdef uint64_t width
        share += self.band_growth * min(ms, <uint64_t>LONG_MS) // 1000
        share = min(share, self.band_most)
        width = <uint64_t>good // PARTS * share + <uint64_t>good % PARTS * share // PARTS
        return <uint64_t>move <= width or move <= self.band_floor

    cdef void take(self, uint32_t instrument, Held* out) noexcept nogil:
        """The held jump, which is confirmed; it is held no longer."""
        out[0] = self.held[instrument]
        self._release(instrument)
        count(self.counters, FEED_JUMPS_CONFIRMED, 1)

    cdef bint fits(self, uint32_t instrument, const Values* values) noexcept nogil:
        """Whether what is held is inside the band after all: it, or the last sale, was corrected."""
        cdef Held* held = &self.held[instrument]
        return not values.flags & ROW_HAS_LAST or self._within(
            values.price, minus(held.exchange_time, values.exchange_time), held.price
        )

    cdef int32_t find_held(self, int32_t instrument, uint64_t match) noexcept nogil:
        """The instrument whose held jump has this match number, -1: none. Instrument -1: any."""
        cdef uint32_t i
        for i in range(self.held_count):
            if (self.held[self.holding[i]].match == match
                    and instrument in (-1, <int32_t>self.holding[i])):
                return <int32_t>self.holding[i]
        return -1

    cdef void expire(self, int64_t now_ns) noexcept nogil:
        """Refuse what was received `hold` before `now_ns` and is still held."""
        cdef uint32_t i = self.held_count
        while i:
            i -= 1
            if minus(now_ns, self.held[self.holding[i]].receive_time) > self.hold:
                self._refute(self.holding[i], 0)

    cdef void forget(self) noexcept nogil:
        """A new session: its match numbers start over, and nothing confirms a jump of the old."""
        while self.held_count:
            self._refute(self.holding[self.held_count - 1], 0)
        self.ids.clear()

    cdef void refuse_unknown(
        self, const char* symbol, size_t length, int64_t price, uint64_t size, uint64_t match,
        int64_t exchange_time, int64_t receive_time,
    ) noexcept nogil:
        """A trade of what is no instrument; `symbol` as far as the feed said it."""
        cdef Reject trade
        if not self.unknown_symbols:
            return
        fill(&trade, price, size, match, exchange_time, receive_time)
        trade.size_exponent = self.size_exponent
        memcpy(trade.symbol, symbol, min(length, <size_t>(SYMBOL_BYTES - 1)))
        count(self.counters, FEED_REJECTED_DUPLICATE + REJECT_UNKNOWN_SYMBOL, 1)
        self.rejects.write(REJECT_UNKNOWN_SYMBOL, &trade)

    cdef void _refute(self, uint32_t instrument, int64_t by) noexcept nogil:
        """What is held becomes a reject. `by`: the price that refuted it, 0: time did."""
        cdef Held* held = &self.held[instrument]
        cdef Reject trade
        fill(&trade, held.price, held.size, held.match, held.exchange_time, held.receive_time)
        self._release(instrument)
        self.rejects.refuse(REJECT_UNCONFIRMED_JUMP, instrument, &trade, held.good, by)

    cdef void _release(self, uint32_t instrument) noexcept nogil:
        """The slot is free; the last of `holding` takes its place there."""
        cdef uint32_t place = self.held[instrument].place
        check(self.held_count > 0)
        self.held_count -= 1
        self.holding[place] = self.holding[self.held_count]
        self.held[self.holding[place]].place = place
        self.jumped[instrument] = False


cdef inline void fill(
    Reject* trade, int64_t price, uint64_t size, uint64_t match, int64_t exchange_time,
    int64_t receive_time,
) noexcept nogil:
    memset(trade, 0, sizeof(Reject))
    trade.price = price
    trade.size = size
    trade.match = match
    trade.exchange_time = exchange_time
    trade.receive_time = receive_time
