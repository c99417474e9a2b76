"""A simulated market: one message per step, from start of messages to end of messages.

Prices follow a random walk whose volatility itself wanders and returns to its mean; orders
gather around the fair price and never cross; executions take the front of a queue and never
more than rests there. One seed gives one stream, whatever portions it is asked for in.

A market is planned (a day of so many messages, on a clock of its own from 09:30 to 16:00) or
endless (`close` ends it); an endless one's clock ticks evenly, and its sender puts the real time
into the messages.

So that whoever joins late, and gets only part of the past, still ends up with a whole book:
every `visit_interval` messages the next instrument in turn is visited. Its directory and status
are said again, and orders that were there at its last visit already are deleted. Hence what
rests was added in the last 2 * count * visit_interval messages, in which every instrument was
also defined.
"""

from libc.math cimport sqrt
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from ticker.feeds.simulate.chance cimport below, bell, draw
from ticker.feeds.simulate.resting cimport ASK, BID, DEPTH, Resting, put_in, take_out, within
from ticker.feeds.simulate.speaker cimport Instrument, Speaker

cdef enum:
    RARE_INTERVAL = 500      # messages from one rare message to the next
    SWEEP_TICKS = 3          # how far beyond fair an aggressive order still takes

cdef int64_t SECOND = 1000000000
cdef int64_t HALT_INTERVAL = 40 * SECOND
cdef int64_t OPEN_TIME = 34200 * SECOND
cdef int64_t CLOSE_TIME = 57600 * SECOND
cdef double DAILY = 0.015 / 153.0            # 1.5 % in 6.5 hours, per root second

ctypedef const char* Text
cdef Text RARE = "IHYLINIJHIKOIB"     # kinds of rare messages, taken in turn
# Halts, one message a letter: for news, by the price band (LULD), and of this market alone.
cdef Text[3] SCRIPTS = ["HqIQT", "PJqIQT", "ht"]
cdef Text[8] MPIDS = ["GSCO", "MSCO", "JPMS", "CDRG", "NITE", "ETMM", "UBSS", "SUFI"]
cdef Text FIRST_NOTICES = "KON"
cdef Text SHORT_SALE_ACTIONS = "0122"
cdef Text INTERESTS = "BSAN"
cdef Text DIRECTIONS = "NBSB"
cdef uint32_t[16] LOTS = [
    100, 100, 100, 100, 100, 100, 100, 200, 200, 300, 400, 500, 1000, 50, 25, 7
]


cdef class Market:
    """`listings`: (symbol, category, price in 1e-4 dollars, is_fund), busiest first.

    Args:
        messages: how many the day has, everything included; 0 for an endless one.
        rate: messages per second that an endless market's clock assumes.
        start: ns since midnight at which an endless one starts.
        visit_round: messages in which every instrument is visited once.

    Raises:
        ValueError: `messages` are too few to open and close that many instruments.
    """

    def __init__(
        self, Speaker speaker not None, list listings not None, seed: int, messages: int = 0,
        rate: float = 1000.0, start: int = 0, visit_round: int = 2_000_000,
    ) -> None:
        self.count = len(listings)
        self.speaker = speaker
        self.chance.state = <uint64_t>(seed & 0xFFFFFFFFFFFFFFFF)
        draw(&self.chance)
        self.next_reference = self.next_match = 1
        self.visiting = -1
        self.instruments = <Instrument*>calloc(self.count, sizeof(Instrument))
        self.resting = <Resting*>calloc(2 * DEPTH * <size_t>self.count, sizeof(Resting))
        self.alias_share = <uint32_t*>calloc(self.count, sizeof(uint32_t))
        self.alias_other = <uint32_t*>calloc(self.count, sizeof(uint32_t))
        if not (self.instruments and self.resting and self.alias_share and self.alias_other):
            raise MemoryError(f"{self.count} simulated instruments")
        self.list_instruments(listings)
        self.spread_activity()
        self.visit_interval = max(16, visit_round // self.count)
        self.plan(messages, rate, start)

    def __dealloc__(self) -> None:
        free(self.instruments)
        free(self.resting)
        free(self.alias_share)
        free(self.alias_other)

    cdef list_instruments(self, list listings):
        cdef Instrument* on
        cdef uint32_t index = 0
        cdef bytes stock
        for symbol, category, price, fund in listings:
            on = &self.instruments[index]
            stock = symbol.encode("ascii").ljust(8)
            memcpy(on.stock, <const char*>stock, 8)
            on.locate = index + 1
            on.category = ord(category)
            on.fund = c"Y" if fund else c"N"
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

    cdef plan(self, messages, rate, start):
        cdef int stage
        cdef uint64_t opening
        for stage in range(START_MESSAGES, OPENING_CROSS + 1):
            self.opening += self.stage_size(stage)
        opening = self.opening
        self.slot_start = self.time = start
        self.close_at = self.breach_at = <uint64_t>-1
        self.next_visit = opening + self.visit_interval
        self.next_rare = opening + RARE_INTERVAL
        if not messages:
            self.slot = max(1, int(1e9 / rate))
            return
        self.planned = True
        if messages < opening + 2 * self.count + 10:
            raise ValueError(
                f"{messages} messages: {self.count} symbols need at least "
                f"{opening + 2 * self.count + 10} to open and close; give more, or fewer symbols"
            )
        self.close_at = messages - self.count - 3
        self.slot = (CLOSE_TIME - OPEN_TIME) // (messages - opening)
        if messages >= 20 * self.count + 1000:
            self.breach_at = opening + (self.close_at - opening) * 3 // 4

    cdef void step(self) noexcept nogil:
        """Say the next message; nothing once the stage is OVER."""
        self.advance()
        self.speaker.time = self.time
        if self.stage == TRADING:
            self.trading()
        elif self.stage != OVER:
            self.ceremony()
        self.said += 1

    def close(self) -> None:
        """End the day of an endless market: its next messages are its last ones."""
        self.sweep_shares = 0
        self.visiting = -1
        self.enter(MARKET_CLOSE)

    # The day

    cdef void advance(self) noexcept nogil:
        if not self.planned:
            self.time += self.slot
        elif OPENING_CROSS <= self.stage <= CLOSING_CROSS:
            self.time = self.slot_start + <int64_t>(draw(&self.chance) % <uint64_t>self.slot)
            self.slot_start += self.slot
        else:
            self.time += 1000

    cdef uint64_t stage_size(self, int stage) noexcept nogil:
        if (
            DIRECTORY <= stage <= MAKERS or stage == IMBALANCE or stage == OPENING_CROSS
            or stage == BREACH_HALT or stage == BREACH_RESUME or stage == CLOSING_CROSS
        ):
            return self.count
        return 1

    cdef void enter(self, int stage) noexcept nogil:
        cdef int64_t starts = 0
        self.stage = <Stage>stage
        self.cursor = 0
        if not self.planned:
            return
        if stage == DIRECTORY:
            starts = 11100 * SECOND          # 03:05
        elif stage == START_SYSTEM:
            starts = 14400 * SECOND
        elif stage == IMBALANCE:
            starts = 34080 * SECOND          # 09:28
        elif stage == MARKET_OPEN:
            starts = self.slot_start = OPEN_TIME
        elif stage == MARKET_CLOSE:
            starts = CLOSE_TIME
        elif stage == END_SYSTEM:
            starts = 72000 * SECOND
        elif stage == END_MESSAGES:
            starts = 72300 * SECOND
        if starts > self.time:
            self.time = starts

    cdef void ceremony(self) noexcept nogil:
        """The message of the stage's instrument in turn, then the next instrument or stage."""
        cdef int stage = self.stage
        self.say_stage(&self.instruments[self.cursor])
        self.cursor += 1
        if self.cursor >= self.stage_size(stage):
            self.enter(TRADING if stage == BREACH_RESUME else stage + 1)

    cdef void say_stage(self, Instrument* on) noexcept nogil:
        cdef int stage = self.stage
        if stage == START_MESSAGES:
            self.speaker.system(c"O")
        elif stage == DIRECTORY:
            self.speaker.directory(on)
        elif stage == STATUS:
            self.speaker.status(on, c"T", "    ")
        elif stage == SHORT_SALE:
            self.speaker.short_sale(on, c"0")
        elif stage == MAKERS:
            self.speaker.market_maker(on, MPIDS[below(&self.chance, 8)], c"A")
        elif stage == BREAKER_LEVELS:
            self.speaker.breaker_levels(58520000)
        elif stage == OFFERING or stage == DIRECT_LISTING or stage == RETAIL:
            self.notice(FIRST_NOTICES[stage - OFFERING], &self.instruments[self.count - 1])
        elif stage == START_SYSTEM:
            self.speaker.system(c"S")
        elif stage == IMBALANCE:
            self.notice(c"I", on)
        elif stage == MARKET_OPEN:
            self.speaker.system(c"Q")
        elif stage == OPENING_CROSS:
            # the quietest have no opening cross: zero shares
            self.speaker.cross(
                on, self.shares() * (0 if on.locate & 7 == 0 else 40), self.middle(on),
                self.matched(on), c"O",
            )
        elif stage == BREACH:
            self.speaker.breaker_breached(c"1")
        elif stage == BREACH_HALT:
            self.speaker.status(on, c"H", "MWC1")
        elif stage == BREACH_RESUME:
            on.state = c"T"
            self.speaker.status(on, c"T", "MWCQ")
        elif stage == CLOSING_CROSS:
            self.speaker.cross(on, self.shares() * 60, self.middle(on), self.matched(on), c"C")
        elif stage == MARKET_CLOSE:
            self.speaker.system(c"M")
        elif stage == END_SYSTEM:
            self.speaker.system(c"E")
        elif stage == END_MESSAGES:
            self.speaker.system(c"C")

    # One message of trading

    cdef void trading(self) noexcept nogil:
        cdef Instrument* on
        if self.said >= self.close_at:
            self.enter(CLOSING_CROSS)
            self.ceremony()
        elif self.said >= self.breach_at:
            self.breach_at = <uint64_t>-1
            memset(self.halts, 0, sizeof(self.halts))
            self.visiting = -1
            self.sweep_shares = 0
            self.enter(BREACH)
            self.ceremony()
        elif self.sweep_shares:
            on = &self.instruments[self.sweep_instrument]
            self.aggress(on, self.sweep_side, self.sweep_shares)
        elif self.visit():
            pass
        elif self.said >= self.next_rare:
            self.next_rare = self.said + RARE_INTERVAL
            self.rare()
        else:
            on = self.pick()
            self.walk(on)
            self.act(on)

    cdef Instrument* pick(self) noexcept nogil:
        cdef uint64_t bits = draw(&self.chance)
        cdef uint32_t index = <uint32_t>(((bits >> 32) * self.count) >> 32)
        if <uint32_t>bits > self.alias_share[index]:
            index = self.alias_other[index]
        within(index, self.count)
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
        cdef int64_t lean
        if on.depth[ASK] and self.side_of(on, ASK)[on.depth[ASK] - 1].price <= bid:
            self.pull(on, ASK)
        elif on.depth[BID] and self.side_of(on, BID)[on.depth[BID] - 1].price >= ask:
            self.pull(on, BID)
        elif depth < 3:
            self.add(on, side)
        elif roll < 30:
            self.cancel(on, side)
        elif roll < 125:
            self.replace(on, side, below(&self.chance, depth))
        elif roll < 210 and on.state == c"T":
            if roll < 190:
                self.aggress(on, side, self.shares() * (1 + (roll & 3)))
            elif roll < 198:
                self.execute_at(on, side)
            else:
                self.hidden(on)
        else:
            # as many come as go at the depth that its activity aims at
            lean = (<int64_t>on.target - <int64_t>depth) * 400 // <int64_t>on.target
            if depth < DEPTH and <int64_t>below(&self.chance, 1000) < 545 + lean:
                self.add(on, side)
            else:
                self.delete(on, side, below(&self.chance, depth))

    cdef void pull(self, Instrument* on, int side) noexcept nogil:
        """The front of `side` has become too good for its owner: taken, replaced or deleted."""
        cdef uint32_t roll = below(&self.chance, 100)
        if roll < 10 and on.state == c"T":
            self.aggress(on, side, self.shares())
        elif roll < 30:
            self.replace(on, side, on.depth[side] - 1)
        else:
            self.delete(on, side, on.depth[side] - 1)

    # Orders

    cdef Resting* side_of(self, const Instrument* on, int side) noexcept nogil:
        within(on.locate - 1, self.count)
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
        assert price > 0
        return <uint32_t>price * TICK

    cdef void add(self, Instrument* on, int side) noexcept nogil:
        cdef uint32_t price = self.quote(on, side)
        cdef uint32_t shares = self.shares()
        cdef uint32_t roll = below(&self.chance, 256)
        put_in(self.side_of(on, side), on.depth[side], side, self.next_reference, shares, price)
        on.depth[side] += 1
        self.speaker.add(
            on, self.next_reference, side, shares, price, MPIDS[roll] if roll < 8 else NULL
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
        cdef uint32_t price, shares = self.shares()
        take_out(orders, on.depth[side], index)
        price = self.quote(on, side)
        put_in(orders, on.depth[side] - 1, side, self.next_reference, shares, price)
        self.speaker.replace(on, old, self.next_reference, shares, price)
        self.next_reference += 1

    cdef void cancel(self, Instrument* on, int side) noexcept nogil:
        """Take off part of an order; all of it where it is a single share."""
        cdef uint32_t index = below(&self.chance, on.depth[side])
        cdef Resting* order = &self.side_of(on, side)[index]
        cdef uint32_t shares
        if order.shares < 2:
            self.delete(on, side, index)
            return
        shares = 1 + below(&self.chance, order.shares - 1)
        order.shares -= shares
        self.speaker.cancel(on, order.reference, shares)

    cdef void aggress(self, Instrument* on, int side, uint32_t shares) noexcept nogil:
        """An order of the other side takes the front of `side`; what is left, in later steps."""
        cdef Resting* orders = self.side_of(on, side)
        cdef Resting* front = &orders[on.depth[side] - 1]
        cdef uint32_t taken = min(shares, front.shares)
        cdef int64_t beyond
        assert on.depth[side] > 0
        self.speaker.execute(on, front.reference, taken, self.matched(on))
        front.shares -= taken
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
            on, front.reference, taken, self.matched(on), printable, price
        )
        front.shares -= taken
        if not front.shares:
            on.depth[side] -= 1

    cdef void hidden(self, Instrument* on) noexcept nogil:
        cdef uint32_t price = self.middle(on)
        self.speaker.trade(on, self.shares(), price, self.matched(on))

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

    # Rare messages, halts and visits

    cdef void rare(self) noexcept nogil:
        cdef Instrument* on = self.pick()
        cdef char kind = RARE[self.rare_turn]
        if self.continue_halt():
            return
        self.rare_turn = (self.rare_turn + 1) % 14
        if kind == c"B":
            self.break_trade()
        elif kind == c"H" and self.time >= self.next_halt and on.state == c"T":
            self.start_halt(on)
        else:
            self.notice(c"I" if kind == c"H" else kind, on)

    cdef void notice(self, char kind, Instrument* on) noexcept nogil:
        """A message that moves no order and no price."""
        cdef uint32_t fair = <uint32_t>(on.fair / TICK) * TICK
        cdef uint32_t roll = below(&self.chance, 4)
        if kind == c"Y":
            self.speaker.short_sale(on, SHORT_SALE_ACTIONS[roll])
        elif kind == c"L":
            self.speaker.market_maker(on, MPIDS[2 * roll], c"A")
        elif kind == c"N":
            self.speaker.retail_interest(on, INTERESTS[roll])
        elif kind == c"J":
            self.speaker.collar(on, fair)
        elif kind == c"K":
            self.speaker.offering(on, <uint32_t>(self.time // SECOND) + 600, fair)
        elif kind == c"O":
            self.speaker.direct_listing(on, fair)
        else:
            self.speaker.imbalance(
                on, 100 * below(&self.chance, 5000), 100 * roll, DIRECTIONS[roll], fair,
                c"O" if self.stage == IMBALANCE else (c"C" if on.state == c"T" else c"H"),
            )

    cdef void break_trade(self) noexcept nogil:
        cdef Match* match = &self.recent[below(&self.chance, RECENT)]
        if match.number:
            self.speaker.broken(&self.instruments[match.instrument], match.number)
            match.number = 0
        else:
            self.notice(c"I", &self.instruments[match.instrument])

    cdef void start_halt(self, Instrument* on) noexcept nogil:
        cdef Halt* halt
        cdef uint32_t index
        for index in range(<uint32_t>RUNNING_HALTS):
            halt = &self.halts[index]
            if halt.script == NULL:
                halt.script = SCRIPTS[self.halt_turn]
                self.halt_turn = (self.halt_turn + 1) % 3
                halt.instrument = on.locate - 1
                halt.stage = 1
                halt.due = self.time + (10 + below(&self.chance, 20)) * SECOND
                self.next_halt = self.time + HALT_INTERVAL
                self.say_halt(on, halt.script[0])
                return
        self.notice(c"I", on)

    cdef bint continue_halt(self) noexcept nogil:
        """The next message of a halt that is due; False if none is."""
        cdef Halt* halt
        cdef uint32_t index
        for index in range(<uint32_t>RUNNING_HALTS):
            halt = &self.halts[index]
            if halt.script != NULL and self.time >= halt.due:
                self.say_halt(&self.instruments[halt.instrument], halt.script[halt.stage])
                halt.stage += 1
                halt.due = self.time + SECOND
                if not halt.script[halt.stage]:
                    halt.script = NULL
                return True
        return False

    cdef void say_halt(self, Instrument* on, char what) noexcept nogil:
        if what == c"H":
            on.state = what
            self.speaker.status(on, what, "T1  ")
        elif what == c"P":
            on.state = what
            self.speaker.status(on, what, "LUDP")
        elif what == c"q":
            on.state = c"Q"
            self.speaker.status(on, c"Q", "T3  ")
        elif what == c"T":
            on.state = what
            self.speaker.status(on, what, "    ")
        elif what == c"h":
            on.state = what
            self.speaker.operational_halt(on, c"H")
        elif what == c"t":
            on.state = c"T"
            self.speaker.operational_halt(on, c"T")
        elif what == c"Q":
            self.speaker.cross(on, self.shares() * 20, self.middle(on), self.matched(on), c"H")
        else:
            self.notice(what, on)

    cdef bint visit(self) noexcept nogil:
        """The next message of the visit that is due or running; False if there is none."""
        cdef Instrument* on
        cdef int side
        cdef uint32_t index
        if self.visiting < 0:
            if self.said < self.next_visit:
                return False
            self.next_visit = self.said + self.visit_interval
            self.visiting = self.visit_turn
            self.visit_turn = (self.visit_turn + 1) % self.count
            self.visit_stage = 0
        on = &self.instruments[self.visiting]
        self.visit_stage += 1
        if self.visit_stage == 1:
            self.speaker.directory(on)
            return True
        if self.visit_stage == 2 and on.state != c"h":
            self.speaker.status(on, on.state, "    ")
            return True
        for side in range(2):
            for index in range(on.depth[side]):
                if self.side_of(on, side)[index].reference < on.mark:
                    self.delete(on, side, index)
                    return True
        on.mark = self.next_reference
        self.visiting = -1
        return False
