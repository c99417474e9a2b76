"""What of JSON texts was not taken, and why."""

from libc.stdint cimport int64_t, uint8_t, uint64_t

from ticker.feeds.json.record cimport Found, Record
from ticker.feeds.json.rules cimport Field, Rule, Rules, Skip
from ticker.shm.gaps cimport GapLedger
from ticker.shm.header cimport Mapping


cdef class Skips:
    cdef Record record           # the one at hand
    cdef Rules rules
    cdef Mapping mapping         # keeps `counters` alive
    cdef uint64_t* counters
    cdef GapLedger ledger
    cdef int64_t now_ns          # when the text came
    cdef Skip bad, unmatched
    cdef uint64_t lacking        # records that were skipped, those left out that only came again

    # A text that is no JSON; one that has no record for any rule.
    cdef void bad_text(self, const uint8_t* data, size_t length) noexcept nogil
    cdef void unmatched_text(self, const uint8_t* data, size_t length) noexcept nogil
    # The record at hand, for a reason, or for a field that is not usable.
    cdef void skip(self, Rule* rule, int reason) noexcept nogil
    cdef void refuse(self, Rule* rule, Field field, Found found) noexcept nogil
    # So many texts or records are missing in their sequence.
    # Numbers [start, end) did not come, and nobody is asked for them.
    cdef void lose(self, uint64_t start, uint64_t end) noexcept nogil
