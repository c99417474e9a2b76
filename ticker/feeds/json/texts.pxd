"""The records of JSON texts, one after another."""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

from ticker.feeds.json.events cimport Events
from ticker.feeds.json.record cimport Record
from ticker.feeds.json.rules cimport Group, Rule, Rules
from ticker.feeds.json.skips cimport Skips
from ticker.feeds.json.taker cimport Taker
from ticker.feeds.json.tape cimport Tape
from ticker.feeds.json.use cimport Use


@cython.final
cdef class JsonTexts:
    cdef Rules rules
    cdef Tape tape
    cdef Record record           # the one at hand
    cdef Taker taker             # what records become
    cdef Skips skips             # and those that become nothing
    cdef Events events
    cdef uint64_t* counters      # the taker's market keeps them alive
    cdef uint64_t next_sequence
    cdef bint joined             # next_sequence is known
    cdef readonly bint broken    # texts of this connection are lost, and with them levels
    cdef Use use                 # of the text at hand
    cdef readonly uint64_t useful        # texts with something of use
    cdef readonly uint64_t alive         # records by which the vendor says that it is well
    cdef readonly int useless            # StaleReason (layout.pxd): why the last one was of none

    # One text.
    cdef void read(self, const uint8_t* data, size_t length, int64_t receive_time) noexcept nogil

    cdef bint _is_next(self) noexcept nogil
    cdef bint _any_counts(self, const Group* group) noexcept nogil
    cdef void _descend(self, Group* group, int at, int32_t node, int64_t receive_time) noexcept nogil
    cdef void _see(self, Rule* rule, int64_t receive_time) noexcept nogil
    cdef void _record_at(self, Group* group, int32_t node, int64_t receive_time) noexcept nogil
