"""The jump rule: a trade far from the last sale waits until something says that it is true.

Law: at most HELD_MOST trades of an instrument wait, in its one slot, and each shows nowhere. No
clock: times are the trades' own and those that `expire` is given. docs/filter.md has the rule and
its reasons; in short:

    inside the band     counts; one that sets the last price refutes what was held before it
    outside             is held, unless
      a quote             on either side agrees with it and none with the old price, or
      a held trade        agrees with it: the two count, another held one is refuted, or
      it is the third     in a row: it counts, with those before it that lead to its price

The band is around the last sale of the session; without one, around the close that the feed says
(which it adjusts for a split), the last sale of the day before, or the middle of the quotes.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free

from ticker.checks cimport check
from ticker.feeds.market.publisher cimport DIRTY_STATUS, Publisher, mark_dirty
from ticker.feeds.market.trades cimport TRADE_LAST_IF_ONLY, TRADE_SETS_LAST
from ticker.shm.counters cimport FEED_JUMPS_CONFIRMED, FEED_JUMPS_HELD, count
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport (
    REJECT_UNCONFIRMED_JUMP,
    ROW_HAS_ASK,
    ROW_HAS_BID,
    ROW_HAS_LAST,
    ROW_HAS_PREVIOUS_CLOSE,
    ROW_HELD,
    ROW_HELD_ONE,
    Reject,
    Values,
)
from ticker.shm.rejects cimport RejectWriter, write_trade

from ticker.config.filter import MILLION, NS

cdef enum:
    PARTS = 1_000_000            # band shares are in parts per million
    LONG_MS = 1_000_000_000      # a band is as wide as it gets long before
    LAST = TRADE_SETS_LAST | TRADE_LAST_IF_ONLY
    ROW_HAS_QUOTES = ROW_HAS_BID | ROW_HAS_ASK


cdef class Jumps:
    """The jumps of the instruments of `publisher`, whose rows' flags it keeps; `rules`: a
    FilterConfig."""

    def __cinit__(
        self, Mapping mapping not None, Publisher publisher not None, RejectWriter rejects not None,
        rules: object,
    ) -> None:
        self.publisher = publisher
        self.rejects = rejects
        self.counters = mapping.counters
        self.slots = <Slot*>calloc(mapping.row_capacity, sizeof(Slot))
        self.holding = <uint32_t*>calloc(mapping.row_capacity, sizeof(uint32_t))
        if self.slots == NULL or self.holding == NULL:
            raise MemoryError("no memory for held trades")
        self._set_rules(rules)

    cdef int _set_rules(self, object rules) except -1:
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
        free(self.slots)
        free(self.holding)

    cdef int judge(
        self, uint32_t instrument, Reject* trade, uint32_t flags, bint again
    ) noexcept nogil:
        cdef Slot* slot = &self.slots[instrument]
        cdef const Values* values = &self.publisher.entries[instrument].values
        cdef int64_t good = 0
        cdef uint32_t agreeing = self._agreeing(slot, trade)
        if agreeing:
            return self._settle(instrument, agreeing, trade, flags, again)
        if self._inside(values, trade, &good):
            if slot.count and flags & TRADE_SETS_LAST and minus(
                trade.exchange_time, slot.trades[slot.count - 1].exchange_time
            ) >= 0:
                self._refute_all(instrument, trade.price)
            count(self.counters, FEED_JUMPS_CONFIRMED, again)
            return ACCEPTED
        if self._vouched(values, good, trade.price):
            return self._settle(instrument, self._leading(slot, trade), trade, flags, again)
        if slot.count == HELD_MOST:
            if not flags & LAST:
                self.rejects.refuse(REJECT_UNCONFIRMED_JUMP, instrument, trade, good, 0)
                return REFUSED
            if not self._make_room(instrument, trade.price):
                return self._settle(instrument, self._leading(slot, trade), trade, flags, again)
        self._hold(instrument, trade, flags, good, again)
        return REFUSED

    cdef int _settle(
        self, uint32_t instrument, uint32_t which, Reject* trade, uint32_t flags, bint again
    ) noexcept nogil:
        """The trade counts, with those held ones that `which` has a bit for; others are refuted."""
        cdef Slot* slot = &self.slots[instrument]
        cdef Held now
        cdef uint32_t i
        self.settled_count = 0
        for i in range(slot.count):
            if which >> i & 1:
                self._put(&slot.trades[i])
                count(self.counters, FEED_JUMPS_CONFIRMED, 1)
            else:
                self._refuse(instrument, &slot.trades[i], trade.price)
        count(self.counters, FEED_JUMPS_CONFIRMED, again)
        self._empty(instrument)
        self.show(instrument)
        if not self.settled_count:
            return ACCEPTED
        fill(&now, trade, flags, 0)
        self._put(&now)
        return SETTLED

    cdef void _put(self, const Held* trade) noexcept nogil:
        """Among the settled ones, by exchange time, those of one time as they came."""
        cdef int at = self.settled_count
        while at and self.settled[at - 1].exchange_time > trade.exchange_time:
            self.settled[at] = self.settled[at - 1]
            at -= 1
        self.settled[at] = trade[0]
        self.settled_count += 1

    # What is near what

    cdef bint _inside(
        self, const Values* values, const Reject* trade, int64_t* good
    ) noexcept nogil:
        """Whether a trade is inside the band, or there is none. `good`: the price it is around."""
        cdef uint64_t share = self.band_most if self.band_growth else self.band
        if values.flags & ROW_HAS_LAST and (
            values.exchange_time >= values.session_start
            or not values.flags & ROW_HAS_PREVIOUS_CLOSE
        ):
            good[0] = values.price
            share = self._share(minus(trade.exchange_time, values.exchange_time))
        elif values.flags & ROW_HAS_PREVIOUS_CLOSE:
            good[0] = values.previous_close
        elif values.flags & ROW_HAS_QUOTES == ROW_HAS_QUOTES and self._within(
            values.bid, share, values.ask
        ):
            good[0] = values.bid + (values.ask - values.bid) // 2
        else:
            return True
        return self._within(good[0], share, trade.price)

    cdef bint _vouched(self, const Values* values, int64_t good, int64_t price) noexcept nogil:
        """Whether the quotes agree with a price, and do not with the one that it jumped from."""
        return self._quoted(values, price) and not self._quoted(values, good)

    cdef bint _quoted(self, const Values* values, int64_t price) noexcept nogil:
        """Whether a price is near a quote, or between the two."""
        return (
            (values.flags & ROW_HAS_BID and self._within(values.bid, self.band, price))
            or (values.flags & ROW_HAS_ASK and self._within(values.ask, self.band, price))
            or (values.flags & ROW_HAS_QUOTES == ROW_HAS_QUOTES
                and values.bid <= price <= values.ask)
        )

    cdef uint32_t _agreeing(self, const Slot* slot, const Reject* trade) noexcept nogil:
        """The held trades that have the trade inside the band around them, a bit for each."""
        cdef uint32_t found = 0
        cdef uint32_t i
        cdef int64_t gap
        for i in range(slot.count):
            gap = minus(trade.exchange_time, slot.trades[i].exchange_time)
            if self._within(
                slot.trades[i].price, self._share(gap if gap >= 0 else minus(0, gap)), trade.price
            ):
                found |= <uint32_t>1 << i
        return found

    cdef uint32_t _leading(self, const Slot* slot, const Reject* trade) noexcept nogil:
        """The held trades that lead to the price of one that counts: each within `band_most` of
        the next of them."""
        cdef uint32_t found = 0
        cdef int64_t next_price = trade.price
        cdef uint32_t i = slot.count
        while i:
            i -= 1
            if self._within(slot.trades[i].price, self.band_most, next_price):
                found |= <uint32_t>1 << i
                next_price = slot.trades[i].price
        return found

    cdef uint64_t _share(self, int64_t since) noexcept nogil:
        """The width of a band `since` ns after the price that it is around, parts per million."""
        cdef uint64_t ms = <uint64_t>since // 1_000_000 if since > 0 else 0
        return min(
            self.band + self.band_growth * min(ms, <uint64_t>LONG_MS) // 1000, self.band_most
        )

    cdef bint _within(self, int64_t good, uint64_t share, int64_t price) noexcept nogil:
        """Whether a price is no more than this share of a good one away from it."""
        cdef uint64_t size = apart(good, 0)
        cdef uint64_t width = size // PARTS * share + size % PARTS * share // PARTS
        return apart(price, good) <= max(width, <uint64_t>self.band_floor)

    # The slot

    cdef void _hold(
        self, uint32_t instrument, Reject* trade, uint32_t flags, int64_t good, bint again
    ) noexcept nogil:
        cdef Slot* slot = &self.slots[instrument]
        check(slot.count < HELD_MOST)
        if not slot.count:
            slot.place = self.held_count
            self.holding[self.held_count] = instrument
            self.held_count += 1
        fill(&slot.trades[slot.count], trade, flags, good)
        slot.count += 1
        if not again:
            count(self.counters, FEED_JUMPS_HELD, 1)
            self.rejects.hold(instrument, trade, good)
            self.show(instrument)

    cdef bint _make_room(self, uint32_t instrument, int64_t by) noexcept nogil:
        """In a full slot for a trade that sets the last price, at the cost of one that does not."""
        cdef Slot* slot = &self.slots[instrument]
        cdef uint32_t i
        for i in range(slot.count):
            if not slot.trades[i].flags & LAST:
                self._refuse(instrument, &slot.trades[i], by)
                self._remove(instrument, i)
                return True
        return False

    cdef void _refuse(self, uint32_t instrument, const Held* held, int64_t by) noexcept nogil:
        """What was held becomes a reject. `by`: the price that refuted it, 0: none did."""
        cdef Reject trade
        unfill(&trade, held)
        self.rejects.refuse(REJECT_UNCONFIRMED_JUMP, instrument, &trade, held.good, by)

    cdef void _refute_all(self, uint32_t instrument, int64_t by) noexcept nogil:
        cdef Slot* slot = &self.slots[instrument]
        cdef uint32_t i
        for i in range(slot.count):
            self._refuse(instrument, &slot.trades[i], by)
        self._empty(instrument)
        self.show(instrument)

    cdef void _remove(self, uint32_t instrument, uint32_t index) noexcept nogil:
        """Take one out; the one that stays is the newest held of its row."""
        cdef Slot* slot = &self.slots[instrument]
        cdef Reject trade
        if slot.count == 1:
            self._empty(instrument)
            return
        slot.count = 1
        slot.trades[0] = slot.trades[1 - index]
        unfill(&trade, &slot.trades[0])
        self.rejects.hold(instrument, &trade, slot.trades[0].good)

    cdef void _empty(self, uint32_t instrument) noexcept nogil:
        """The last of `holding` takes the slot's place there."""
        cdef Slot* slot = &self.slots[instrument]
        if slot.count:
            check(self.held_count > 0)
            self.held_count -= 1
            self.holding[slot.place] = self.holding[self.held_count]
            self.slots[self.holding[slot.place]].place = slot.place
            slot.count = 0

    cdef uint32_t take(self, uint32_t instrument, Held* out) noexcept nogil:
        cdef Slot* slot = &self.slots[instrument]
        cdef uint32_t taken = slot.count
        cdef uint32_t i
        for i in range(taken):
            out[i] = slot.trades[i]
        self._empty(instrument)
        return taken

    cdef int32_t drop(self, int32_t instrument, uint64_t match, Held* out) noexcept nogil:
        cdef Slot* slot
        cdef uint32_t i, index
        cdef uint32_t row
        for i in range(self.held_count):
            row = self.holding[i]
            slot = &self.slots[row]
            for index in range(slot.count):
                if slot.trades[index].match == match and instrument in (-1, <int32_t>row):
                    out[0] = slot.trades[index]
                    self._remove(row, index)
                    self.show(row)
                    return <int32_t>row
        return -1

    cdef void show(self, uint32_t instrument) noexcept nogil:
        cdef Values* values = &self.publisher.entries[instrument].values
        cdef uint64_t flags = values.flags & ~<uint64_t>ROW_HELD
        flags |= self.slots[instrument].count * <uint64_t>ROW_HELD_ONE
        if flags != values.flags:
            values.flags = flags
            mark_dirty(self.publisher, instrument, DIRTY_STATUS)

    cdef void expire(self, int64_t now_ns) noexcept nogil:
        cdef uint32_t i = self.held_count
        cdef uint32_t row, index
        cdef Slot* slot
        while i and self.hold:
            i -= 1
            row = self.holding[i]
            slot = &self.slots[row]
            index = slot.count
            while index:
                index -= 1
                if minus(now_ns, slot.trades[index].receive_time) > self.hold:
                    self._refuse(row, &slot.trades[index], 0)
                    self._remove(row, index)
            self.show(row)

    cdef void forget(self) noexcept nogil:
        while self.held_count:
            self._refute_all(self.holding[self.held_count - 1], 0)


cdef inline void fill(
    Held* held, const Reject* trade, uint32_t flags, int64_t good
) noexcept nogil:
    held.price = trade.price
    held.size = trade.size
    held.match = trade.match
    held.exchange_time = trade.exchange_time
    held.receive_time = trade.receive_time
    held.good = good
    held.flags = flags


cdef inline void unfill(Reject* trade, const Held* held) noexcept nogil:
    write_trade(
        trade, held.price, held.size, held.match, held.exchange_time, held.receive_time
    )
