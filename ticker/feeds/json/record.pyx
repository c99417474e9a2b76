"""Reads the fields of one record of a JSON text: see record.pxd.

Law: nothing is rounded and nothing is guessed. A field is there and usable, absent, or unusable.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy

from ticker.checks cimport check
from ticker.feeds.json.rules cimport (
    ID,
    ISO,
    OF_KEY,
    OF_REQUEST,
    SYMBOL,
    TIME,
    VENUE,
    Field,
    Route,
    Rule,
    Rules,
    Span,
    Test,
)
from ticker.feeds.json.tape cimport (
    JSON_ARRAY,
    JSON_NULL,
    JSON_NUMBER,
    JSON_OBJECT,
    JSON_STRING,
    NO_NODE,
    Node,
    Tape,
)
from ticker.feeds.json.scalars cimport read_decimal, read_rfc3339, read_uint
from ticker.shm.layout cimport SYMBOL_BYTES


cdef class Record:
    """The record at hand of the text that `tape` has read."""

    def __init__(self, Rules rules not None, Tape tape not None) -> None:
        self.rules = rules
        self.tape = tape

    cdef bint passes(self, Span tests) noexcept nogil:
        cdef const Test* test
        cdef int32_t i, j, node
        cdef bint passed
        for i in range(tests.first, tests.first + tests.count):
            test = &self.rules.tests[i]
            node = self.node_of(&self.rules.routes[test.route])
            if test.present >= 0:
                if (node != NO_NODE) != test.present:
                    return False
                continue
            if node == NO_NODE or self.tape.nodes[node].kind in (JSON_OBJECT, JSON_ARRAY):
                return False
            passed = False
            for j in range(test.texts.first, test.texts.first + test.texts.count):
                if self.tape.equals(node, self.rules.texts[j].text, self.rules.texts[j].length):
                    passed = True
                    break
            if not passed:
                return False
        return True

    cdef int32_t node_of(self, const Route* route) noexcept nogil:
        cdef int32_t node = self.scopes[0 if route.up < 0 else self.depth - route.up]
        cdef int i
        check(route.up <= self.depth)
        if route.source == OF_KEY:
            return self.keys[self.depth - route.up]
        for i in range(route.steps):
            node = step_from(self.tape, &route.step[i], node)
            if node == NO_NODE:
                return NO_NODE
        return NO_NODE if self.tape.nodes[node].kind == JSON_NULL else node

    cdef bint text_of(self, int32_t node, const char** text, uint32_t* length) noexcept nogil:
        cdef Node* found = &self.tape.nodes[node]
        cdef int written
        if found.kind != JSON_STRING and found.kind != JSON_NUMBER:
            return False
        if not found.escaped:
            text[0] = <const char*>self.tape.text + found.start
            length[0] = found.length
            return True
        written = self.tape.write(node, self.plain, sizeof(self.plain))
        text[0] = self.plain
        length[0] = <uint32_t>written if written > 0 else 0
        return written >= 0

    cdef uint32_t meaning(self, Span texts, int32_t node, uint32_t other) noexcept nogil:
        cdef int32_t i
        if self.tape.nodes[node].kind not in (JSON_STRING, JSON_NUMBER):
            return other
        for i in range(texts.first, texts.first + texts.count):
            if self.tape.equals(node, self.rules.texts[i].text, self.rules.texts[i].length):
                return self.rules.texts[i].meaning
        return other

    cdef uint32_t taken_away(self, const Rule* rule) noexcept nogil:
        cdef uint32_t flags = 0
        cdef int32_t node, end
        if not rule.conditions.count:
            return 0
        node = self.node_of(&self.rules.routes[rule.conditions.first])
        if node == NO_NODE:
            return 0
        if self.tape.nodes[node].kind != JSON_ARRAY:
            return self.meaning(rule.condition_texts, node, 0)
        end = self.tape.nodes[node].next
        node += 1
        while node < end:
            flags |= self.meaning(rule.condition_texts, node, 0)
            node = self.tape.nodes[node].next
        return flags

    # Fields

    cdef Found read_text(
        self, const Rule* rule, Field field, const char** text, uint32_t* length
    ) noexcept nogil:
        cdef int32_t i, node
        cdef const Route* route
        for i in range(rule.fields[<int>field].first,
                       rule.fields[<int>field].first + rule.fields[<int>field].count):
            route = &self.rules.routes[i]
            if route.source == OF_REQUEST:
                text[0] = self.asked
                length[0] = self.asked_length
                return FOUND if self.asked_length else ABSENT
            node = self.node_of(route)
            if node != NO_NODE:
                return FOUND if self.text_of(node, text, length) else UNUSABLE
        return ABSENT

    cdef bint read_symbol(self, const Rule* rule) noexcept nogil:
        cdef const char* text
        cdef uint32_t length, i
        if self.read_text(rule, SYMBOL, &text, &length) != FOUND or not 0 < length <= SYMBOL_BYTES:
            return False
        for i in range(length):
            if not 0x20 < text[i] < 0x7F:
                return False
        # It must outlive the next `text_of`.
        self.symbol = text
        if text == self.plain:
            memcpy(self.symbol_text, text, length)
            self.symbol = self.symbol_text
        self.symbol_length = length
        return True

    cdef Found read_price(self, const Rule* rule, Field field, int64_t* out) noexcept nogil:
        cdef const char* text
        cdef uint32_t length
        cdef Found found = self.read_text(rule, field, &text, &length)
        if found != FOUND:
            return found
        return FOUND if read_decimal(text, length, 9, False, out) else UNUSABLE

    cdef Found read_size(self, const Rule* rule, Field field, uint64_t* out) noexcept nogil:
        """A size, finer digits than the rows have cut."""
        cdef const char* text
        cdef uint32_t length
        cdef int64_t size = 0
        cdef Found found = self.read_text(rule, field, &text, &length)
        if found != FOUND:
            return found
        if not read_decimal(text, length, self.rules.size_decimals, True, &size) or size < 0:
            return UNUSABLE
        if <uint64_t>size > (<uint64_t>1 << 62) // rule.size_factor:
            return UNUSABLE
        out[0] = <uint64_t>size * rule.size_factor
        return FOUND

    cdef Found read_time(self, const Rule* rule, int64_t* out) noexcept nogil:
        cdef const char* text
        cdef uint32_t length
        cdef bint good
        cdef Found found = self.read_text(rule, TIME, &text, &length)
        if found != FOUND:
            return found
        if rule.time_digits == ISO:
            good = read_rfc3339(text, length, out)
        else:
            good = read_decimal(text, length, 9 - rule.time_digits, True, out)
        return FOUND if good else UNUSABLE

    cdef Found read_id(self, const Rule* rule, uint64_t* out) noexcept nogil:
        """A trade's number; venues number by themselves, so theirs is part of it."""
        cdef const char* text
        cdef uint32_t length
        cdef Found found = self.read_text(rule, ID, &text, &length)
        if found != FOUND or not length:
            return ABSENT if found == ABSENT else UNUSABLE
        if not read_uint(text, length, out):
            out[0] = hash_of(text, length)
        if self.read_text(rule, VENUE, &text, &length) == FOUND:
            out[0] = (out[0] + 1) * <uint64_t>0x9E3779B97F4A7C15ULL ^ hash_of(text, length)
        out[0] = out[0] if out[0] else 1
        return FOUND

    cdef Found read_number(self, const Rule* rule, Field field, uint64_t* out) noexcept nogil:
        cdef const char* text
        cdef uint32_t length
        cdef Found found = self.read_text(rule, field, &text, &length)
        if found != FOUND:
            return found
        return FOUND if read_uint(text, length, out) else UNUSABLE
