"""What a simulated market says, in no protocol's words yet.

A market calls exactly one of these per message; a speaker encodes it at `out`, framed as its
protocol's captures are, and moves `out` past it. Prices are in 1e-4 dollars, sizes in shares.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t


cdef struct Instrument:
    char[8] stock
    uint32_t locate
    char category            # listing market
    char fund                # Y or N
    char state               # T, H, P, Q as in messages; h halted on this market only
    uint32_t spread          # ticks
    uint32_t target          # orders per side that its activity aims at
    uint32_t[2] depth
    double base, fair        # 1e-4 dollars
    double volatility        # a multiple of the usual, returns to 1
    int64_t walked           # when `fair` last moved
    uint16_t visits          # so far, modulo 2^16


cdef class Speaker:
    cdef uint8_t* out        # where the next message goes; the caller keeps LONGEST bytes free
    cdef int64_t time        # ns since midnight US/Eastern, said with every message
    cdef uint64_t messages   # so far; who says one counts it (ITCH: the day does)
    cdef bint keeps_references   # an order that is replaced keeps its own

    cdef void system(self, char code) noexcept nogil
    cdef void directory(self, const Instrument* on) noexcept nogil
    cdef void status(self, const Instrument* on, char state, const char* reason) noexcept nogil
    cdef void operational_halt(self, const Instrument* on, char action) noexcept nogil
    cdef void add(
        self, const Instrument* on, uint64_t reference, int side, uint32_t shares,
        uint32_t price, const char* mpid,
    ) noexcept nogil
    cdef void execute(
        self, const Instrument* on, uint64_t reference, uint32_t shares, uint64_t match
    ) noexcept nogil
    cdef void execute_at(
        self, const Instrument* on, uint64_t reference, uint32_t shares, uint32_t remaining,
        uint64_t match, bint printable, uint32_t price,
    ) noexcept nogil
    cdef void cancel(self, const Instrument* on, uint64_t reference, uint32_t shares) noexcept nogil
    cdef void delete(self, const Instrument* on, uint64_t reference) noexcept nogil
    cdef void replace(
        self, const Instrument* on, uint64_t reference, uint64_t new_reference, uint32_t shares,
        uint32_t price,
    ) noexcept nogil
    cdef void trade(
        self, const Instrument* on, uint32_t shares, uint32_t price, uint64_t match
    ) noexcept nogil
    cdef void cross(
        self, const Instrument* on, uint64_t shares, uint32_t price, uint64_t match, char kind
    ) noexcept nogil
    cdef void broken(self, const Instrument* on, uint64_t match) noexcept nogil
    cdef void imbalance(
        self, const Instrument* on, uint64_t paired, uint64_t shares, char direction,
        uint32_t price, char cross,
    ) noexcept nogil
    cdef void collar(self, const Instrument* on, uint32_t price) noexcept nogil
    cdef void short_sale(self, const Instrument* on, char action) noexcept nogil
    cdef void market_maker(self, const Instrument* on, const char* mpid, char state) noexcept nogil
    cdef void retail_interest(self, const Instrument* on, char interest) noexcept nogil
    cdef void offering(self, const Instrument* on, uint32_t second, uint32_t price) noexcept nogil
    cdef void direct_listing(self, const Instrument* on, uint32_t price) noexcept nogil
    cdef void breaker_levels(self, uint64_t price) noexcept nogil
    cdef void breaker_breached(self, char level) noexcept nogil


cdef inline uint32_t round_lot(const Instrument* on) noexcept nogil:
    """Shares of a round lot at the price that the day began with: Regulation NMS, Rule 600(b)(93)."""
    if on.base <= 2500000:
        return 100
    if on.base <= 10000000:
        return 40
    return 10 if on.base <= 100000000 else 1
