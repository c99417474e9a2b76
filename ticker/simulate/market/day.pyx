"""A simulated day: what happens to a market from start of messages to end of messages.

One message per step: the ceremonies before the open and after the close, ordinary trading
(market.pyx) between them, and now and then a rare message, a halt in its stages, or the visit
of an instrument. One seed gives one stream, in portions of any size.

A day is planned (so many messages, on a clock of its own from 09:30 to 16:00) or endless
(`close` ends it); an endless one's clock ticks evenly, and its sender puts the real time into
the messages.

A client that joins late, and gets only part of the past, still ends up with a whole book:
every `visit_interval` messages the next instrument in turn is visited. Its directory and status
are said again, and orders that were there at its last visit already are deleted, be it under
another reference that they were replaced from. Hence what rests was added in the last
2 * count * visit_interval messages, in which every instrument was also defined.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memset

from ticker.simulate.market.chance cimport below, draw
from ticker.simulate.market.market cimport RECENT, TICK, Market, Match
from ticker.simulate.market.speaker cimport Instrument, Speaker

cdef enum:
    RARE_INTERVAL = 500      # messages from one rare message to the next
    RARES = 14               # kinds in RARE
    BREAK_TURNS = 4 * RARES  # a trade is broken in one turn of four

cdef int64_t SECOND = 1000000000
cdef int64_t HALT_INTERVAL = 40 * SECOND
cdef int64_t OPEN_TIME = 34200 * SECOND
cdef int64_t CLOSE_TIME = 57600 * SECOND

ctypedef const char* Text
cdef Text RARE = "IHYLINIJHIKOIB"            # kinds of rare messages, taken in turn
# Halts, one message a letter: for news, by the price band (LULD), and of this market alone.
cdef Text[3] SCRIPTS = ["HqIQT", "PJqIQT", "ht"]
cdef Text FIRST_NOTICES = "KON"
cdef Text SHORT_SALE_ACTIONS = "0122"
cdef Text INTERESTS = "BSAN"
cdef Text DIRECTIONS = "NBSB"


cdef class Day:
    """The day of a market with these listings.

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
        self.speaker = speaker
        self.market = Market(speaker, listings, seed)
        self.visiting = -1
        self.visit_interval = max(16, visit_round // self.market.count)
        self.plan(messages, rate, start)

    cdef plan(self, messages, rate, start):
        cdef int stage
        cdef uint64_t opening
        for stage in range(START_MESSAGES, OPENING_CROSS + 1):
            self.opening += self.stage_size(stage)
        opening = self.opening
        self.slot_start = self.market.time = start
        self.close_at = self.breach_at = <uint64_t>-1
        self.next_visit = opening + self.visit_interval
        self.next_rare = opening + RARE_INTERVAL
        if not messages:
            self.slot = max(1, int(1e9 / rate))
            return
        self.planned = True
        if messages < opening + 2 * self.market.count + 10:
            raise ValueError(
                f"{messages} messages: {self.market.count} symbols need at least "
                f"{opening + 2 * self.market.count + 10} to open and close; give more, or "
                "fewer symbols"
            )
        self.close_at = messages - self.market.count - 3
        self.slot = (CLOSE_TIME - OPEN_TIME) // (messages - opening + self.market.count)
        if messages >= 20 * self.market.count + 1000:
            self.breach_at = opening + (self.close_at - opening) * 3 // 4

    cdef void step(self) noexcept nogil:
        """Say the next message; nothing once the stage is OVER."""
        self.advance()
        self.speaker.time = self.market.time
        if self.stage == TRADING:
            self.trading()
        elif self.stage != OVER:
            self.ceremony()
        self.said += 1

    def close(self) -> None:
        """End the day of an endless market: its next messages are its last ones."""
        self.market.sweep_shares = 0
        self.visiting = -1
        self.enter(MARKET_CLOSE)

    # The day

    cdef void advance(self) noexcept nogil:
        cdef int64_t late
        if not self.planned:
            self.market.time += self.slot
        elif OPENING_CROSS <= self.stage <= CLOSING_CROSS:
            late = <int64_t>(draw(&self.market.chance) % <uint64_t>self.slot)
            self.market.time = self.slot_start + late
            self.slot_start += self.slot
        else:
            self.market.time += 1000

    cdef uint64_t stage_size(self, int stage) noexcept nogil:
        if (
            DIRECTORY <= stage <= MAKERS or stage == IMBALANCE or stage == OPENING_CROSS
            or stage == BREACH_HALT or stage == BREACH_RESUME or stage == CLOSING_CROSS
        ):
            return self.market.count
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
        if starts > self.market.time:
            self.market.time = starts

    cdef void ceremony(self) noexcept nogil:
        """The message of the stage's instrument in turn, then the next instrument or stage."""
        cdef int stage = self.stage
        self.say_stage(&self.market.instruments[self.cursor])
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
            self.speaker.market_maker(on, self.market.mpid(below(&self.market.chance, 8)), c"A")
        elif stage == BREAKER_LEVELS:
            self.speaker.breaker_levels(58520000)
        elif stage == OFFERING or stage == DIRECT_LISTING or stage == RETAIL:
            self.notice(
                FIRST_NOTICES[stage - OFFERING], &self.market.instruments[self.market.count - 1]
            )
        elif stage == START_SYSTEM:
            self.speaker.system(c"S")
        elif stage == IMBALANCE:
            self.notice(c"I", on)
        elif stage == MARKET_OPEN:
            self.speaker.system(c"Q")
        elif stage == OPENING_CROSS:
            # the quietest have no opening cross: zero shares
            self.speaker.cross(
                on, self.market.shares() * (0 if on.locate & 7 == 0 else 40),
                self.market.middle(on), self.market.matched(on), c"O",
            )
        elif stage == BREACH:
            self.speaker.breaker_breached(c"1")
        elif stage == BREACH_HALT:
            self.speaker.status(on, c"H", "MWC1")
        elif stage == BREACH_RESUME:
            on.state = c"T"
            self.speaker.status(on, c"T", "MWCQ")
        elif stage == CLOSING_CROSS:
            self.speaker.cross(
                on, self.market.shares() * 60, self.market.middle(on), self.market.matched(on), c"C"
            )
        elif stage == MARKET_CLOSE:
            self.speaker.system(c"M")
        elif stage == END_SYSTEM:
            self.speaker.system(c"E")
        elif stage == END_MESSAGES:
            self.speaker.system(c"C")

    cdef void trading(self) noexcept nogil:
        if self.said >= self.close_at:
            self.enter(CLOSING_CROSS)
            self.ceremony()
        elif self.said >= self.breach_at:
            self.breach_at = <uint64_t>-1
            memset(self.halts, 0, sizeof(self.halts))
            self.visiting = -1
            self.market.sweep_shares = 0
            self.enter(BREACH)
            self.ceremony()
        elif self.market.sweep_shares:
            self.market.trade()
        elif self.visit():
            pass
        elif self.said >= self.next_rare:
            self.next_rare = self.said + RARE_INTERVAL
            self.rare()
        else:
            self.market.trade()

    # Rare messages, halts and visits

    cdef void rare(self) noexcept nogil:
        cdef Instrument* on = self.market.pick()
        cdef char kind = RARE[self.rares % RARES]
        if self.continue_halt():
            return
        self.rares += 1
        if kind == c"B" and self.rares % BREAK_TURNS < RARES:
            self.break_trade()
        elif kind == c"H" and self.market.time >= self.next_halt and on.state == c"T":
            self.start_halt(on)
        else:
            self.notice(kind, on)

    cdef void notice(self, char kind, Instrument* on) noexcept nogil:
        """A message that moves no order and no price."""
        cdef uint32_t fair = <uint32_t>(on.fair / TICK) * TICK
        cdef uint32_t roll = below(&self.market.chance, 4)
        if kind == c"Y":
            self.speaker.short_sale(on, SHORT_SALE_ACTIONS[roll])
        elif kind == c"L":
            self.speaker.market_maker(on, self.market.mpid(2 * roll), c"A")
        elif kind == c"N":
            self.speaker.retail_interest(on, INTERESTS[roll])
        elif kind == c"J":
            self.speaker.collar(on, fair)
        elif kind == c"K":
            self.speaker.offering(on, <uint32_t>(self.market.time // SECOND) + 600, fair)
        elif kind == c"O":
            self.speaker.direct_listing(on, fair)
        else:
            self.speaker.imbalance(
                on, 100 * below(&self.market.chance, 5000), 100 * roll, DIRECTIONS[roll], fair,
                c"O" if self.stage == IMBALANCE else (c"C" if on.state == c"T" else c"H"),
            )

    cdef void break_trade(self) noexcept nogil:
        cdef Match* match = &self.market.recent[below(&self.market.chance, RECENT)]
        if match.number:
            self.speaker.broken(&self.market.instruments[match.instrument], match.number)
            match.number = 0
        else:
            self.notice(c"I", &self.market.instruments[match.instrument])

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
                halt.due = self.market.time + (10 + below(&self.market.chance, 20)) * SECOND
                self.next_halt = self.market.time + HALT_INTERVAL
                self.say_halt(on, halt.script[0])
                return
        self.notice(c"I", on)

    cdef bint continue_halt(self) noexcept nogil:
        """The next message of a halt that is due; False if none is."""
        cdef Halt* halt
        cdef uint32_t index
        for index in range(<uint32_t>RUNNING_HALTS):
            halt = &self.halts[index]
            if halt.script != NULL and self.market.time >= halt.due:
                self.say_halt(&self.market.instruments[halt.instrument], halt.script[halt.stage])
                halt.stage += 1
                halt.due = self.market.time + SECOND
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
            self.speaker.cross(
                on, self.market.shares() * 20, self.market.middle(on), self.market.matched(on), c"H"
            )
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
            self.visit_turn = (self.visit_turn + 1) % self.market.count
            self.visit_stage = 0
        on = &self.market.instruments[self.visiting]
        self.visit_stage += 1
        if self.visit_stage == 1:
            self.speaker.directory(on)
            return True
        if self.visit_stage == 2 and on.state != c"h":
            self.speaker.status(on, on.state, "    ")
            return True
        for side in range(2):
            for index in range(on.depth[side]):
                if self.market.side_of(on, side)[index].born != on.visits:
                    self.market.delete(on, side, index)
                    return True
        on.visits += 1
        self.visiting = -1
        return False
