"""The records of JSON texts, one after another, and what is counted of those not taken."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

from ticker.feeds.json.record cimport Found, Record
from ticker.feeds.json.rules cimport Field, Group, Rule, Rules, Skip
from ticker.feeds.json.tape cimport Tape
from ticker.feeds.protocol cimport Protocol


cdef class JsonTexts(Protocol):
    cdef Rules rules
    cdef Tape tape
    cdef Record record           # the one at hand
    cdef uint64_t next_sequence
    cdef bint joined             # next_sequence is known
    cdef readonly bint broken    # texts of this connection are lost, and with them levels
    cdef Skip bad, unmatched
    cdef bint matched            # some rule has a record of the text at hand
    cdef readonly bint told      # there are events that nobody has taken
    cdef list _events

    # One record of a rule, whose tests it passes.
    cdef void take(self, Rule* rule, int64_t receive_time) noexcept nogil
    cdef void skip(self, Rule* rule, int reason) noexcept nogil
    # A field that is not usable.
    cdef void refuse(self, Rule* rule, Field field, Found found) noexcept nogil
    # Every record of the text at hand is taken.
    cdef void text_ends(self) noexcept nogil
    cdef void tell(self, Rule* rule) noexcept nogil
    cdef void tell_symbol(self, const char* symbol) noexcept nogil
    cdef int _remember(self, str kind, str rule, bytes text) except -1
    cdef void lose(self, uint64_t numbers) noexcept nogil

    cdef bint _is_next(self) noexcept nogil
    cdef bint _any_counts(self, const Group* group) noexcept nogil
    cdef void _descend(self, Group* group, int at, int32_t node, int64_t receive_time) noexcept nogil
    cdef void _record_at(self, Group* group, int32_t node, int64_t receive_time) noexcept nogil
