"""A simulated day: the ceremonies, rare messages and halts around a market's trading."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from ticker.simulate.market.market cimport Market
from ticker.simulate.market.speaker cimport Instrument, Speaker


cdef enum:
    RUNNING_HALTS = 16


cdef enum Stage:
    START_MESSAGES, DIRECTORY, STATUS, SHORT_SALE, MAKERS, BREAKER_LEVELS, OFFERING
    DIRECT_LISTING, RETAIL, START_SYSTEM, IMBALANCE, MARKET_OPEN, OPENING_CROSS
    TRADING
    BREACH, BREACH_HALT, BREACH_RESUME
    CLOSING_CROSS, MARKET_CLOSE, END_SYSTEM, END_MESSAGES
    OVER


cdef struct Halt:
    uint32_t instrument
    const char* script
    uint32_t stage
    int64_t due


cdef class Day:
    cdef Speaker speaker
    cdef Market market                   # that trades while the day does
    cdef readonly uint64_t said          # messages so far
    cdef readonly uint64_t opening       # messages up to the opening cross
    cdef readonly Stage stage
    cdef uint32_t cursor                 # instrument of the stage
    cdef int64_t slot                    # ns from message to message while trading
    cdef int64_t slot_start
    cdef bint planned                    # with an end, on a clock of its own
    cdef uint64_t breach_at              # `said` at which the market-wide halt begins
    cdef uint64_t close_at
    cdef Halt[RUNNING_HALTS] halts
    cdef int64_t next_halt
    cdef uint32_t halt_turn
    cdef uint32_t rares                  # rare messages so far
    cdef uint64_t next_rare
    cdef uint64_t next_visit
    cdef uint64_t visit_interval
    cdef uint32_t visit_turn
    cdef int64_t visiting                # instrument, or -1
    cdef uint32_t visit_stage

    cdef void step(self) noexcept nogil
    cdef void advance(self) noexcept nogil
    cdef uint64_t stage_size(self, int stage) noexcept nogil
    cdef void enter(self, int stage) noexcept nogil
    cdef void ceremony(self) noexcept nogil
    cdef void say_stage(self, Instrument* on) noexcept nogil
    cdef void trading(self) noexcept nogil
    cdef void rare(self) noexcept nogil
    cdef void notice(self, char kind, Instrument* on) noexcept nogil
    cdef void break_trade(self) noexcept nogil
    cdef void start_halt(self, Instrument* on) noexcept nogil
    cdef bint continue_halt(self) noexcept nogil
    cdef void say_halt(self, Instrument* on, char what) noexcept nogil
    cdef bint visit(self) noexcept nogil
    cdef plan(self, messages, rate, start)
