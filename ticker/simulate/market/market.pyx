# distutils: extra_compile_args = -ffp-contract=off
# (no fused multiply-add: prices must not depend on the machine)
"""A simulated market: instruments, and resting orders around a wandering fair price.

Prices follow a random walk whose volatility itself wanders and returns to its mean; orders
gather around the fair price and never cross; executions take the front of a queue and never
more than rests there. One seed gives one sequence of messages.
"""

from libc.math cimport sqrt
from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from ticker.checks cimport check
from ticker.simulate.market.chance cimport below, bell, draw
from ticker.simulate.market.resting cimport ASK, BID, DEPTH, Resting, put_in, take_out
from ticker.simulate.market.speaker cimport Instrument, Speaker

cdef enum:
    SWEEP_TICKS = 3          # how far beyond fair an aggressive order still takes

cdef double DAILY = 0.015 / 153.0            # 1.5 % in 6.5 hours, per root second
ctypedef const char* Text
cdef Text[8] MPIDS = ["GSCO", "MSCO", "JPMS", "CDRG", "NITE", "ETMM", "UBSS", "SUFI"]
cdef uint32_t[16] LOTS = [
    100, 100, 100, 100, 100, 100, 100, 200, 200, 300, 400, 500, 1000, 50, 25, 7
]


cdef class Market:
    """Trades in instruments that are always open; what a day adds to that is in day.pyx.

    Args:
        listings: of listings.py, busiest first.
        seed: any integer; its low 64 bits count.
    """

    def __init__(self, Speaker speaker not None, list listings not None, seed: int) -> None:
        if self.instruments != NULL:
            raise ValueError("a market is set up once")
        self.count = len(listings)
        self.speaker = speaker
        self.chance.state = <uint64_t>(seed & 0xFFFFFFFFFFFFFFFF)
        draw(&self.chance)
        self.next_reference = self.next_match = 1
        self.instruments = <Instrument*>calloc(self.count, sizeof(Instrument))
        self.resting = <Resting*>calloc(2 * DEPTH * <size_t>self.count, sizeof(Resting))
        self.alias_share = <uint32_t*>calloc(self.count, sizeof(uint32_t))
        self.alias_other = <uint32_t*>calloc(self.count, sizeof(uint32_t))
        if not (self.instruments and self.resting and self.alias_share and self.alias_other):
            raise MemoryError(f"{self.count} simulated instruments")
        self.list_instruments(listings)
        self.spread_activity()

    def __dealloc__(self) -> None:
        free(self.instruments)
        free(self.resting)
        free(self.alias_share)
        free(self.alias_other)

    cdef list_instruments(self, list listings):
        cdef Instrument* on
        cdef uint32_t index = 0
        cdef bytes stock
        for listing in listings:
            on = &self.instruments[index]
            stock = listing.symbol.encode("ascii").ljust(8)
            price = listing.price
            memcpy(on.stock, <const char*>stock, 8)
            on.locate = index + 1
            on.category = ord(listing.category)
            on.fund = c"Y" if listing.is_fund else c"N"
            on.state = c"T"
            on.base = on.fair = price
            on.spread = 1 + (price >= 1000000) + (price >= 3000000)
            # the busiest rest some 36 orders a side, the quietest 12
            on.target = 12 + 24 * 40 // (40 + index)
            on.volatility = 1.0
            index += 1

    cdef spread_activity(self):
        """Zipf-like shares of activity, as an alias table (Vose 1991)."""
        weights = [1.0 / (index + 4) for index in range(self.count)]
        floor = 0.15 * sum(weights) / self.count
        weights = [weight + floor for weight in weights]
        scale = self.count / sum(weights)
        shares = [weight * scale for weight in weights]
        low = [index for index, share in enumerate(shares) if share < 1.0]
        high = [index for index, share in enumerate(shares) if share >= 1.0]
        while low and high:
            small, large = low.pop(), high.pop()
            self.alias_share[small] = <uint32_t>(<double>shares[small] * 4294967295.0)
            self.alias_other[small] = large
            shares[large] -= 1.0 - shares[small]
            (low if shares[large] < 1.0 else high).append(large)
        for index in low + high:
            self.alias_share[index] = 4294967295
            self.alias_other[index] = index

    # One message

    cdef void trade(self) noexcept nogil:
        """Say the next message of ordinary trading."""
        cdef Instrument* on
        if self.sweep_shares:
            on = &self.instruments[self.sweep_instrument]
            self.aggress(on, self.sweep_side, self.sweep_shares)
        else:
            on = self.pick()
            self.walk(on)
            self.act(on)

    cdef Instrument* pick(self) noexcept nogil:
        cdef uint64_t bits = draw(&self.chance)
        cdef uint32_t index = <uint32_t>(((bits >> 32) * self.count) >> 32)
        if <uint32_t>bits > self.alias_share[index]:
            index = self.alias_other[index]
        check(index < self.count)
        return &self.instruments[index]

    cdef void walk(self, Instrument* on) noexcept nogil:
        """Move the fair price on to now."""
        cdef double seconds = <double>(self.time - on.walked) * 1e-9
        cdef double root, move, low = 0.3, high = 3.0
        on.walked = self.time
        if seconds <= 0.0:
            return
        if seconds > 60.0:
            seconds = 60.0
        root = sqrt(seconds)
        on.volatility += (1.0 - on.volatility) * seconds / 300.0 + 0.03 * root * bell(&self.chance)
        on.volatility = low if on.volatility < low else min(on.volatility, high)
        move = on.fair * DAILY * on.volatility * root * bell(&self.chance)
        on.fair += move + (on.base - on.fair) * seconds / 40000.0
        if on.fair < on.base * 0.5:
            on.fair = on.base * 0.5
        elif on.fair > on.base * 2.0:
            on.fair = on.base * 2.0

    cdef void act(self, Instrument* on) noexcept nogil:
        """One ordinary message on `on`: what is stale first, else by the usual shares."""
        cdef uint32_t roll = below(&self.chance, 1000)
        cdef int side = <int>(draw(&self.chance) >> 63)
        cdef uint32_t depth = on.depth[side]
        cdef double bid = on.fair - on.spread * (TICK // 2)
        cdef double ask = on.fair + on.spread * (TICK // 2)
        cdef uint32_t lean
        if on.depth[ASK] and self.side_of(on, ASK)[on.depth[ASK] - 1].price <= bid:
            self.pull(on, ASK)
        elif on.depth[BID] and self.side_of(on, BID)[on.depth[BID] - 1].price >= ask:
            self.pull(on, BID)
        elif depth < 3:
            self.add(on, side)
        elif roll < 45:
            self.cancel(on, side)
        elif roll < 135:
            self.replace(on, side, below(&self.chance, depth))
        elif roll < 200 and on.state == c"T":
            if roll < 178:
                self.aggress(on, side, self.shares() * (1 + (roll & 1)))
            elif roll < 186:
                self.execute_at(on, side)
            else:
                self.hidden(on)
        else:
            # as many come as go at the depth that its activity aims at
            lean = 400 * depth // on.target
            if depth < DEPTH and below(&self.chance, 1000) + lean < 945:
                self.add(on, side)
            else:
                self.delete(on, side, below(&self.chance, depth))

    cdef void pull(self, Instrument* on, int side) noexcept nogil:
        """The front of `side` has become too good for its owner: taken, replaced or deleted."""
        cdef uint32_t roll = below(&self.chance, 100)
        if roll < 8 and on.state == c"T":
            self.aggress(on, side, self.shares())
        elif roll < 30:
            self.replace(on, side, on.depth[side] - 1)
        else:
            self.delete(on, side, on.depth[side] - 1)

    # Orders

    cdef Resting* side_of(self, const Instrument* on, int side) noexcept nogil:
        check(1 <= on.locate <= self.count)
        return self.resting + (2 * <size_t>(on.locate - 1) + side) * DEPTH

    cdef uint32_t shares(self) noexcept nogil:
        return LOTS[draw(&self.chance) >> 60]

    cdef uint32_t quote(self, Instrument* on, int side) noexcept nogil:
        """A price for a new order of `side`: most at the touch, never crossing."""
        cdef uint32_t roll = below(&self.chance, 64)
        cdef int64_t away = 0
        cdef int64_t bid = <int64_t>((on.fair - (on.spread - 1) * (TICK // 2)) / TICK)
        cdef int64_t price, limit
        if roll >= 22:
            away = 1 if roll < 36 else (2 if roll < 46 else 3 + (roll & 15))
        if side == BID:
            price = bid - away
            if on.depth[ASK]:
                limit = self.side_of(on, ASK)[on.depth[ASK] - 1].price // TICK - 1
                price = min(price, limit)
        else:
            price = bid + on.spread + away
            if on.depth[BID]:
                limit = self.side_of(on, BID)[on.depth[BID] - 1].price // TICK + 1
                price = max(price, limit)
        check(price > 0)
        return <uint32_t>price * TICK

    cdef void add(self, Instrument* on, int side) noexcept nogil:
        cdef uint32_t price = self.quote(on, side)
        cdef uint32_t shares = self.shares()
        cdef uint32_t roll = below(&self.chance, 256)
        put_in(
            self.side_of(on, side), on.depth[side], side, self.next_reference, shares, price,
            on.visits,
        )
        on.depth[side] += 1
        self.speaker.add(
            on, self.next_reference, side, shares, price, self.mpid(roll) if roll < 8 else NULL
        )
        self.next_reference += 1

    cdef void delete(self, Instrument* on, int side, uint32_t index) noexcept nogil:
        cdef Resting* orders = self.side_of(on, side)
        self.speaker.delete(on, orders[index].reference)
        take_out(orders, on.depth[side], index)
        on.depth[side] -= 1

    cdef void replace(self, Instrument* on, int side, uint32_t index) noexcept nogil:
        cdef Resting* orders = self.side_of(on, side)
        cdef uint64_t old = orders[index].reference
        cdef uint64_t new = old
        cdef uint16_t born = orders[index].born
        cdef uint32_t price, shares = self.shares()
        take_out(orders, on.depth[side], index)
        price = self.quote(on, side)
        if not self.speaker.keeps_references:
            new = self.next_reference
            self.next_reference += 1
        put_in(orders, on.depth[side] - 1, side, new, shares, price, born)
        self.speaker.replace(on, old, new, shares, price)

    cdef void cancel(self, Instrument* on, int side) noexcept nogil:
        """Take off part of an order; all of it where it is a single share."""
        cdef uint32_t index = below(&self.chance, on.depth[side])
        cdef Resting* order = &self.side_of(on, side)[index]
        cdef uint32_t shares
        if order.shares < 2:
            self.delete(on, side, index)
            return
        shares = 1 + below(&self.chance, order.shares - 1)
        order.shares -= <uint16_t>shares
        self.speaker.cancel(on, order.reference, shares)

    cdef void aggress(self, Instrument* on, int side, uint32_t shares) noexcept nogil:
        """An order of the other side takes the front of `side`; what is left, in later steps."""
        cdef Resting* orders = self.side_of(on, side)
        cdef Resting* front = &orders[on.depth[side] - 1]
        cdef uint32_t taken = min(shares, <uint32_t>front.shares)
        cdef int64_t beyond
        check(on.depth[side] > 0)
        self.speaker.execute(on, front.reference, taken, self.matched(on))
        front.shares -= <uint16_t>taken
        self.sweep_shares = shares - taken
        if front.shares:
            return
        on.depth[side] -= 1
        self.sweep_instrument = on.locate - 1
        self.sweep_side = side
        if not on.depth[side]:
            self.sweep_shares = 0
            return
        beyond = <int64_t>orders[on.depth[side] - 1].price - <int64_t>on.fair
        if (-beyond if side == BID else beyond) > SWEEP_TICKS * TICK:
            self.sweep_shares = 0

    cdef void execute_at(self, Instrument* on, int side) noexcept nogil:
        """The front of `side` trades at a price of its own, improved towards the middle."""
        cdef Resting* front = &self.side_of(on, side)[on.depth[side] - 1]
        cdef uint32_t taken = 1 + below(&self.chance, front.shares)
        cdef bint printable = below(&self.chance, 4) != 0
        cdef uint32_t price = front.price
        if printable:
            price = self.middle(on)
        self.speaker.execute_at(
            on, front.reference, taken, front.shares - taken, self.matched(on), printable, price,
        )
        front.shares -= <uint16_t>taken
        if not front.shares:
            on.depth[side] -= 1

    cdef void hidden(self, Instrument* on) noexcept nogil:
        cdef uint32_t price = self.middle(on)
        self.speaker.trade(on, self.shares(), price, self.matched(on))

    cdef const char* mpid(self, uint32_t index) noexcept nogil:
        """A market participant, of eight."""
        return MPIDS[index & 7]

    cdef uint32_t middle(self, const Instrument* on) noexcept nogil:
        """Half way between best bid and ask, to half a cent; the fair price without them."""
        cdef uint32_t bid, ask
        if not on.depth[BID] or not on.depth[ASK]:
            return <uint32_t>(on.fair / TICK) * TICK
        bid = self.side_of(on, BID)[on.depth[BID] - 1].price
        ask = self.side_of(on, ASK)[on.depth[ASK] - 1].price
        return (bid + ask) // 2

    cdef uint64_t matched(self, const Instrument* on) noexcept nogil:
        """The next match number, remembered for a while in case the trade is broken."""
        cdef Match* match = &self.recent[self.next_match % RECENT]
        match.number = self.next_match
        match.instrument = on.locate - 1
        self.next_match += 1
        return match.number
