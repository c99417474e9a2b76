"""One price out of the rows that several venues have for a symbol: what is kept while adding."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from ticker.shm.layout cimport Values


cdef extern from *:
    # Cython takes it for a shorter one: only C calculates with it.
    ctypedef unsigned long long uint128_t "unsigned __int128"

cdef enum:
    NO_ROW = 0xFFFFFFFF


cdef struct Consolidated:
    Values values                # sizes in 10^-size_exponent units
    uint64_t size_exponent       # the finest of the rows
    uint32_t number              # of the row that is being added
    uint32_t first               # number of the row that each is of, NO_ROW: there is none
    uint32_t last
    int64_t sold_at              # of that row: by what last sales are compared
    uint32_t bid
    uint32_t ask
    uint32_t close
    uint32_t official            # of the official close
    uint128_t bid_largest        # size of that row alone, exact: it is compared, not shown
    uint128_t ask_largest
    bint fresh                   # a row that is not stale was added
    bint fresh_sale              # ... and it has sold
    bint fresh_quote             # ... and it speaks for its venue
    bint listed_status
    bint official_open           # `open` is the official one of the venue that lists the symbol
    bint listed_close            # the official close is


cdef void begin(Consolidated* into) noexcept nogil
cdef void add(
    Consolidated* into, const Values* row, uint64_t size_exponent, uint32_t number, bint speaks
) noexcept nogil
cdef void finish(Consolidated* into) noexcept nogil
cdef uint64_t power_of_ten(uint64_t exponent) noexcept nogil
cdef uint64_t times(uint64_t size, uint64_t scale) noexcept nogil
cdef uint64_t plus(uint64_t a, uint64_t b) noexcept nogil
