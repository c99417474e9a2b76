"""What JSON texts have for the connection: a refusal, a ping, a book in doubt."""

from libc.stdint cimport uint64_t

from ticker.feeds.json.record cimport Record
from ticker.feeds.json.rules cimport Rule
from ticker.feeds.market.market cimport Market


cdef class Events:
    cdef Record record           # the one at hand
    cdef Market market
    cdef uint64_t* counters
    cdef readonly bint told      # there are events that nobody has taken
    cdef list _untaken

    # The record at hand, by a rule that is for the connection.
    cdef void tell(self, Rule* rule) noexcept nogil
    # The book of this symbol is wrong.
    cdef void tell_symbol(self, const char* symbol) noexcept nogil
    cdef int _remember(self, str kind, str rule, bytes text) except -1
