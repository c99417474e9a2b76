"""The filter: refuses trades that cannot be true. Nothing is refused in silence: each rule has
its counter, and its last trades are kept in the feed's segment (ticker/shm/rejects.pyx).

Rules, in this order; a trade is counted under the first that it breaks. docs/filter.md has their
parameters, [feeds.filter] of ticker.toml.

    unknown_symbol    no instrument of the feed
    bad_size          no shares, and yet it counts for volume
    bad_price         0 or less, or above the greatest price that the protocol can mean; where
                      prices are negative, further than that from 0
    duplicate         the session had its match number before, of the same instrument
    too_old_to_tell   it may be a duplicate of a trade whose number is forgotten
    clock_skew        it happened after it was received, or too long before
    test_symbol       of a test issue
    wrong_session     outside the session's hours
    older             it happened before the last sale: it is not the last, and counts for all else.
                      A last sale that is itself a minute further ahead than `clock_skew` allows is of
                      a clock that was wrong, here or at the venue, and makes nothing older
    unconfirmed_jump  outside the band around the last sale, and nothing confirmed it (jumps.pyx)

Law: no clock. Times are the trades' own and those that `expire` is given.
"""

from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy

from ticker.checks cimport check
from ticker.feeds.market.jumps cimport ACCEPTED, REFUSED, Jumps, apart, minus
from ticker.feeds.market.publisher cimport Publisher
from ticker.feeds.market.trade_ids cimport ID_NEW, ID_SEEN, Sighting, TradeIds
from ticker.feeds.market.trades cimport (
    TRADE_COUNTS_VOLUME,
    TRADE_LAST_IF_ONLY,
    TRADE_SETS_LAST,
    TRADE_SETS_OPEN,
    TRADE_SETS_RANGE,
    TRADE_TOLD,
)
from ticker.shm.counters cimport FEED_REJECTED_DUPLICATE, count
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport (
    REJECT_BAD_PRICE,
    REJECT_BAD_SIZE,
    REJECT_CLOCK_SKEW,
    REJECT_DUPLICATE,
    REJECT_OLDER,
    REJECT_TEST_SYMBOL,
    REJECT_TOO_OLD_TO_TELL,
    REJECT_UNKNOWN_SYMBOL,
    REJECT_WRONG_SESSION,
    ROW_HELD,
    ROW_LAST_ALONE,
    ROW_TEST,
    SYMBOL_BYTES,
    Reject,
    Values,
)
from ticker.shm.rejects cimport RejectWriter, write_trade

from ticker.config.filter import NS, FilterConfig, elapsed_hours, hours_ns

PLAIN = FilterConfig(band=0, max_ahead=0, test_symbols=False)
"""The rules that need neither a clock nor a feed's own parameters."""

cdef enum:
    PRICED = TRADE_SETS_LAST | TRADE_SETS_OPEN | TRADE_SETS_RANGE | TRADE_LAST_IF_ONLY


cdef class Filter:
    """Filters the trades of the instruments of `publisher`, into the segment of `mapping`."""

    def __cinit__(
        self, Mapping mapping not None, Publisher publisher not None, max_price: int,
        rules: object = PLAIN, timezone: str = "America/New_York",
    ) -> None:
        self.timezone = timezone
        self.counters = mapping.counters
        self.rejects = RejectWriter(mapping)
        self.instruments = mapping.row_capacity
        self.max_price = max_price
        self.live = True
        self.ids = TradeIds(mapping, rules.duplicate_ids)
        self.jumps = Jumps(mapping, publisher, self.rejects, rules)
        self._set_rules(rules)

    cdef int _set_rules(self, object rules) except -1:
        self.least_price = INT64_MIN + 1     # INT64_MIN is NO_PRICE
        if rules.bad_prices:
            self.least_price = -self.max_price if rules.negative_prices else 1
        self.most_price = self.max_price if rules.bad_prices else INT64_MAX
        self.duplicates = rules.duplicates
        self.bad_sizes = rules.bad_sizes
        self.older = rules.older
        self.unknown_symbols = rules.unknown_symbols
        self.refused_flags = ROW_TEST if rules.test_symbols else 0
        self.max_ahead = int(rules.max_ahead * NS) if rules.max_ahead else INT64_MAX
        self.max_behind = int(rules.max_behind * NS) if rules.max_behind else INT64_MAX
        self.session_hours = hours_ns(rules.session_hours)
        self.price_hours = hours_ns(rules.price_hours)
        self.has_session = self.session_hours is not None
        self.session_start, self.session_end = self.session_hours or (INT64_MIN, INT64_MAX)
        self.priced_from, self.priced_until = self.price_hours or (INT64_MIN, INT64_MAX)
        self.regular_from, self.regular_until = INT64_MIN, INT64_MAX
        return 0

    cdef void begin_day(self, int64_t midnight) noexcept nogil:
        with gil:
            if self.session_hours is not None:
                self.session_start, self.session_end = elapsed_hours(
                    self.session_hours, midnight, self.timezone
                )
            if self.price_hours is not None:
                self.priced_from, self.priced_until = elapsed_hours(
                    self.price_hours, midnight, self.timezone
                )
        if self.hours is not None:
            self.find_hours(midnight)

    cdef void find_hours(self, int64_t midnight) noexcept nogil:
        with gil:
            found = self.hours(midnight)
            self.regular_from, self.regular_until = found or (INT64_MIN, INT64_MAX)

    cdef int judge(
        self, uint32_t instrument, const Values* values, int64_t midnight, int64_t price,
        uint64_t size, uint64_t match, uint32_t flags, int64_t exchange_time,
        int64_t receive_time,
    ) noexcept nogil:
        """A Verdict. `values`: the instrument's, before the trade; `midnight`: the session's."""
        cdef Reject trade
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
            if (flags & TRADE_SETS_LAST and exchange_time < values.exchange_time and self.older
                    and not values.flags & ROW_LAST_ALONE
                    and not self.is_ahead(values.exchange_time - 60_000_000_000LL, receive_time)):
                # It is no last sale, and counts for all else.
                write_trade(&trade, price, size, match, exchange_time, receive_time)
                self.rejects.refuse(REJECT_OLDER, instrument, &trade, values.exchange_time, 0)
                flags &= ~<uint32_t>TRADE_SETS_LAST
                if not flags & (PRICED | TRADE_COUNTS_VOLUME):
                    return REFUSED
            if not self.jumps.banded or not flags & PRICED:
                return ACCEPTED
            if (values.price > 0 and not values.flags & ROW_HELD
                    and apart(price, values.price)
                    <= <uint64_t>values.price >> self.jumps.band_shift):
                return ACCEPTED
            write_trade(&trade, price, size, match, exchange_time, receive_time)
            return self.jumps.judge(instrument, &trade, flags, False)
        write_trade(&trade, price, size, match, exchange_time, receive_time)
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

    cdef void forget(self) noexcept nogil:
        """A new session: its match numbers start over, and nothing confirms a jump of the old."""
        self.jumps.forget()
        self.ids.clear()

    cdef void refuse_unknown(
        self, const char* symbol, size_t length, int64_t price, uint64_t size, uint64_t match,
        int64_t exchange_time, int64_t receive_time,
    ) noexcept nogil:
        """A trade of what is no instrument; `symbol` as far as the feed said it."""
        cdef Reject trade
        if not self.unknown_symbols:
            return
        write_trade(&trade, price, size, match, exchange_time, receive_time)
        trade.size_exponent = self.size_exponent
        memcpy(trade.symbol, symbol, min(length, <size_t>(SYMBOL_BYTES - 1)))
        count(self.counters, FEED_REJECTED_DUPLICATE + REJECT_UNKNOWN_SYMBOL, 1)
        self.rejects.write(REJECT_UNKNOWN_SYMBOL, &trade)
