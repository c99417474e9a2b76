"""One record of a JSON text: its fields, by the routes of a rule, read where the bytes are."""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from ticker.checks cimport check
from ticker.feeds.json.rules cimport Codes, Field, Route, Rule, Rules, Span, Step
from ticker.feeds.json.tape cimport JSON_ARRAY, NO_NODE, Tape
from ticker.shm.layout cimport SYMBOL_BYTES


cdef enum:
    SCOPES = 8                   # the top, five spreads, the record
    PLAIN = 128                  # of an escaped string: no field that counts is longer

cdef enum Found:
    ABSENT = 0                   # not there, or null
    FOUND
    UNUSABLE                     # there, and not what it must be
    TOO_LONG                     # a symbol that no row has room for
    TOO_FINE                     # a price with more decimals than rows have
    NO_ZONE                      # a time without an offset, and its zone is not known


@cython.final
cdef class Record:
    cdef Rules rules
    cdef Tape tape
    cdef int32_t[SCOPES] scopes  # node of each level, the record's own last
    cdef int32_t[SCOPES] keys    # node of its name in its object, or NO_NODE
    cdef int depth
    cdef char[PLAIN] plain
    cdef const char* symbol      # of the record, once `read_symbol` has found it
    cdef uint32_t symbol_length
    cdef char[SYMBOL_BYTES] symbol_text
    cdef char[SYMBOL_BYTES] asked        # the symbol that the text was asked for
    cdef uint32_t asked_length
    cdef bint blanks             # a symbol may have some inside: its symbology reads them

    # Whether the record passes these tests of its rule.
    cdef bint passes(self, Span tests) noexcept nogil
    # The value at the end of a path; null is NO_NODE too.
    cdef int32_t node_of(self, const Route* route) noexcept nogil
    # The text of a string or number, good until the next call, or of neither: False.
    cdef bint text_of(self, int32_t node, const char** text, uint32_t* length) noexcept nogil
    # What a text stands for, or `other`.
    cdef uint32_t meaning(self, Span texts, int32_t node, uint32_t other) noexcept nogil
    # The TradeFlags that the record's sale conditions take away.
    cdef uint32_t taken_away(self, const Rule* rule) noexcept nogil
    cdef uint32_t _codes_at(self, const Codes* codes, int32_t node) noexcept nogil
    cdef uint32_t _words(
        self, const Codes* codes, const char* text, uint32_t length
    ) noexcept nogil

    # Fields, each at the first of its paths where something is; `out` is as it was if not FOUND.
    cdef Found read_text(
        self, const Rule* rule, Field field, const char** text, uint32_t* length
    ) noexcept nogil
    cdef Found read_symbol(self, const Rule* rule) noexcept nogil
    cdef Found read_price(self, const Rule* rule, Field field, int64_t* out) noexcept nogil
    # In a record of this time, on which it may depend whether it is in round lots.
    cdef Found read_size(
        self, const Rule* rule, Field field, int64_t time, uint64_t* out
    ) noexcept nogil
    cdef Found read_time(self, const Rule* rule, int64_t* out) noexcept nogil
    cdef Found read_id(self, const Rule* rule, Field field, uint64_t* out) noexcept nogil
    cdef Found read_number(self, const Rule* rule, Field field, uint64_t* out) noexcept nogil


cdef inline void enter(Record record, int32_t node, int32_t key) noexcept nogil:
    """A node becomes the scope of the level at hand."""
    record.scopes[record.depth] = node
    record.keys[record.depth] = key


cdef inline int32_t step_from(Tape tape, const Step* step, int32_t node) noexcept nogil:
    if step.index >= 0 and tape.nodes[node].kind == JSON_ARRAY:
        return tape.element(node, <uint32_t>step.index)
    return tape.member(node, step.name, step.length)


cdef inline uint64_t with_part(uint64_t id, uint64_t part) noexcept nogil:
    """An id and what further makes it one, in 64 bits."""
    return (id + 1) * <uint64_t>0x9E3779B97F4A7C15ULL ^ part


cdef inline uint64_t hash_of(const char* text, uint32_t length) noexcept nogil:
    """FNV-1a."""
    cdef uint64_t value = 14695981039346656037ULL
    cdef uint32_t i
    for i in range(length):
        value = (value ^ <uint8_t>text[i]) * <uint64_t>1099511628211ULL
    return value
