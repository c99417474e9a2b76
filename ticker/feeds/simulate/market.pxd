"""A simulated market: instruments with resting orders around a wandering fair price."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from ticker.feeds.simulate.chance cimport Chance
from ticker.feeds.simulate.resting cimport Resting
from ticker.feeds.simulate.speaker cimport Instrument, Speaker


cdef enum:
    TICK = 100               # a cent, in 1e-4 dollars
    RECENT = 64              # trades that a break may still hit
    RUNNING_HALTS = 16


cdef enum Stage:
    START_MESSAGES, DIRECTORY, STATUS, SHORT_SALE, MAKERS, BREAKER_LEVELS, OFFERING
    DIRECT_LISTING, RETAIL, START_SYSTEM, IMBALANCE, MARKET_OPEN, OPENING_CROSS
    TRADING
    BREACH, BREACH_HALT, BREACH_RESUME
    CLOSING_CROSS, MARKET_CLOSE, END_SYSTEM, END_MESSAGES
    OVER


cdef struct Match:
    uint64_t number
    uint32_t instrument


cdef struct Halt:
    uint32_t instrument
    const char* script
    uint32_t stage
    int64_t due


cdef class Market:
    cdef Speaker speaker
    cdef Chance chance
    cdef Instrument* instruments
    cdef Resting* resting
    cdef uint32_t* alias_share
    cdef uint32_t* alias_other
    cdef readonly uint32_t count
    cdef readonly uint64_t said          # messages so far
    cdef readonly uint64_t opening       # messages up to the opening cross
    cdef readonly Stage stage
    cdef uint32_t cursor                 # of the stage
    cdef int64_t time
    cdef int64_t slot                    # ns from message to message while trading
    cdef int64_t slot_start
    cdef bint planned                    # a day with an end, on a clock of its own
    cdef uint64_t breach_at
    cdef uint64_t close_at
    cdef uint64_t next_reference
    cdef uint64_t next_match
    cdef Match[RECENT] recent
    cdef Halt[RUNNING_HALTS] halts
    cdef int64_t next_halt
    cdef uint32_t halt_turn
    cdef uint32_t rare_turn
    cdef uint64_t next_rare
    cdef uint64_t next_visit
    cdef uint64_t visit_interval
    cdef uint32_t visit_turn
    cdef int64_t visiting                # instrument, or -1
    cdef uint32_t visit_stage
    cdef uint32_t sweep_shares           # what is left of an aggressive order
    cdef uint32_t sweep_instrument
    cdef int sweep_side

    cdef void step(self) noexcept nogil
    cdef Resting* side_of(self, const Instrument* on, int side) noexcept nogil
    cdef Instrument* pick(self) noexcept nogil
    cdef void advance(self) noexcept nogil
    cdef uint64_t stage_size(self, int stage) noexcept nogil
    cdef void enter(self, int stage) noexcept nogil
    cdef void ceremony(self) noexcept nogil
    cdef void say_stage(self, Instrument* on) noexcept nogil
    cdef void trading(self) noexcept nogil
    cdef void walk(self, Instrument* on) noexcept nogil
    cdef void act(self, Instrument* on) noexcept nogil
    cdef void pull(self, Instrument* on, int side) noexcept nogil
    cdef uint32_t quote(self, Instrument* on, int side) noexcept nogil
    cdef uint32_t shares(self) noexcept nogil
    cdef void add(self, Instrument* on, int side) noexcept nogil
    cdef void delete(self, Instrument* on, int side, uint32_t index) noexcept nogil
    cdef void replace(self, Instrument* on, int side, uint32_t index) noexcept nogil
    cdef void cancel(self, Instrument* on, int side) noexcept nogil
    cdef void aggress(self, Instrument* on, int side, uint32_t shares) noexcept nogil
    cdef void execute_at(self, Instrument* on, int side) noexcept nogil
    cdef void hidden(self, Instrument* on) noexcept nogil
    cdef uint32_t middle(self, const Instrument* on) noexcept nogil
    cdef uint64_t matched(self, const Instrument* on) noexcept nogil
    cdef void rare(self) noexcept nogil
    cdef void notice(self, char kind, Instrument* on) noexcept nogil
    cdef void break_trade(self) noexcept nogil
    cdef void start_halt(self, Instrument* on) noexcept nogil
    cdef bint continue_halt(self) noexcept nogil
    cdef void say_halt(self, Instrument* on, char what) noexcept nogil
    cdef bint visit(self) noexcept nogil
    cdef list_instruments(self, list listings)
    cdef spread_activity(self)
    cdef plan(self, messages, rate, start)
