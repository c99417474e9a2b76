"""Reads the fields of one record of a JSON text: see record.pxd.

Law: nothing is rounded and nothing is guessed. A field is there and usable, absent, or unusable.
"""

from libc.stdint cimport INT64_MAX, INT64_MIN, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

from ticker.checks cimport check
from ticker.feeds.json.rules cimport (
    CODES,
    CODES_BITS,
    CODES_LETTERS,
    CODES_NUMBERS,
    ISO,
    OF_KEY,
    OF_REQUEST,
    PATTERN,
    SYMBOL,
    TIME,
    VENUE,
    Codes,
    Field,
    Route,
    Rule,
    Rules,
    Span,
    Test,
    Text,
)
from ticker.feeds.json.tape cimport (
    JSON_ARRAY,
    JSON_BAD,
    JSON_NULL,
    JSON_NUMBER,
    JSON_OBJECT,
    JSON_STRING,
    NO_NODE,
    Node,
    Tape,
)
from ticker.feeds.json.scalars cimport CUT, EXACT, digit, read_decimal, read_uint
from ticker.feeds.json.times cimport NO_OFFSET, TIME_FOUND, TimeFound, read_iso, read_pattern
from ticker.shm.layout cimport SYMBOL_BYTES
from ticker.shm.trade_ids cimport KEY_PARTS, fits_key, key_of, plain_key

cdef enum:
    NO_PARTS = 1 << KEY_PARTS    # parts of an id that fit into no key


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
            if node == NO_NODE or self.tape.nodes[node].kind in (
                JSON_OBJECT, JSON_ARRAY, JSON_BAD
            ):
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
        """The codes are an array or one value; a text may have several of them."""
        cdef uint32_t flags = 0
        cdef int32_t place = rule.codes
        cdef int32_t node, end
        cdef const Codes* codes
        if not rule.conditions.count:
            return 0
        node = self.node_of(&self.rules.routes[rule.conditions.first])
        if node == NO_NODE:
            return 0
        if rule.tape.count:
            end = self.node_of(&self.rules.routes[rule.tape.first])
            if end != NO_NODE:
                place = <int32_t>self.meaning(rule.tape_texts, end, <uint32_t>place)
        codes = &self.rules.codes[place]
        if self.tape.nodes[node].kind != JSON_ARRAY:
            return self._codes_at(codes, node)
        end = self.tape.nodes[node].next
        node += 1
        while node < end:
            flags |= self._codes_at(codes, node)
            node = self.tape.nodes[node].next
        return flags

    cdef uint32_t _codes_at(self, const Codes* codes, int32_t node) noexcept nogil:
        cdef const char* text
        cdef uint32_t length
        cdef int32_t i
        cdef uint64_t bits = 0
        cdef const Text* word
        if not self.text_of(node, &text, &length):
            return 0
        for i in range(codes.texts.first, codes.texts.first + codes.texts.count):
            word = &self.rules.texts[i]
            if word.length == length and not memcmp(word.text, text, length):
                return word.meaning
        if codes.form == CODES_LETTERS:
            return letters(codes, text, length)
        if codes.form == CODES_NUMBERS:
            return numbers(codes, text, length)
        if codes.form == CODES_BITS:
            return codes.away[bits % CODES] if read_uint(text, length, &bits) else 0
        return self._words(codes, text, length)

    cdef uint32_t _words(
        self, const Codes* codes, const char* text, uint32_t length
    ) noexcept nogil:
        """Words with blanks or commas between."""
        cdef uint32_t flags = 0
        cdef uint32_t found
        cdef uint32_t start = 0
        cdef uint32_t end
        cdef int32_t i
        cdef const Text* word
        while start < length:
            end = start
            while end < length and text[end] != c" " and text[end] != c",":
                end += 1
            found = 0 if end == start else codes.other
            for i in range(codes.texts.first, codes.texts.first + codes.texts.count):
                word = &self.rules.texts[i]
                if word.length == end - start and not memcmp(word.text, text + start, end - start):
                    found = word.meaning
            flags |= found
            start = end + 1
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

    cdef Found read_symbol(self, const Rule* rule) noexcept nogil:
        cdef const char* text
        cdef uint32_t length, i
        cdef Found found = self.read_text(rule, SYMBOL, &text, &length)
        if found != FOUND or not length:
            return UNUSABLE
        for i in range(length):
            if not 0x20 < text[i] < 0x7F and not (
                self.blanks and text[i] == c" " and 0 < i < length - 1
            ):
                return UNUSABLE
        if length >= SYMBOL_BYTES:
            return TOO_LONG
        # It must outlive the next `text_of`.
        self.symbol = text
        if text == self.plain:
            memcpy(self.symbol_text, text, length)
            self.symbol = self.symbol_text
        self.symbol_length = length
        return FOUND

    cdef Found read_price(self, const Rule* rule, Field field, int64_t* out) noexcept nogil:
        cdef const char* text
        cdef uint32_t length
        cdef int64_t price = 0
        cdef int32_t i
        cdef Found found = self.read_text(rule, field, &text, &length)
        if found != FOUND:
            return found
        for i in range(rule.price_none.first, rule.price_none.first + rule.price_none.count):
            if self.rules.texts[i].length == length and not memcmp(
                self.rules.texts[i].text, text, length
            ):
                return ABSENT
        if read_decimal(text, length, rule.price_digits, rule.price_finer, &price):
            if rule.price_factor > 1:
                if not INT64_MIN // rule.price_factor < price < INT64_MAX // rule.price_factor:
                    return UNUSABLE
                price *= rule.price_factor
            if price == INT64_MAX:
                # What stands for "undefined" where prices are integers of 1e-9 (Databento).
                return ABSENT
            out[0] = price
            return FOUND
        if rule.price_digits < 9 or rule.price_finer != EXACT:
            return UNUSABLE
        return TOO_FINE if read_decimal(text, length, 9, CUT, &price) else UNUSABLE

    cdef Found read_size(
        self, const Rule* rule, Field field, int64_t time, uint64_t* out
    ) noexcept nogil:
        """A size, finer digits than the rows have cut."""
        cdef const char* text
        cdef uint32_t length
        cdef int64_t size = 0
        cdef uint64_t factor = rule.size_factor if time < rule.size_factor_until else 1
        cdef Found found = self.read_text(rule, field, &text, &length)
        if found != FOUND:
            return found
        if not read_decimal(text, length, self.rules.size_decimals, CUT, &size) or size < 0:
            return UNUSABLE
        if <uint64_t>size > (<uint64_t>1 << 62) // factor:
            return UNUSABLE
        out[0] = <uint64_t>size * factor
        return FOUND

    cdef Found read_time(self, const Rule* rule, int64_t* out) noexcept nogil:
        cdef const char* text
        cdef uint32_t length
        cdef TimeFound time
        cdef Found found = self.read_text(rule, TIME, &text, &length)
        if found != FOUND:
            return found
        if rule.time_digits == ISO:
            time = read_iso(text, length, rule.zone, out)
        elif rule.time_digits == PATTERN:
            time = read_pattern(rule.time_pattern, text, length, rule.zone, out)
        else:
            return FOUND if read_decimal(
                text, length, 9 - rule.time_digits, CUT, out
            ) else UNUSABLE
        return FOUND if time == TIME_FOUND else NO_ZONE if time == NO_OFFSET else UNUSABLE

    cdef Found read_id(self, const Rule* rule, Field field, uint64_t* out) noexcept nogil:
        """A trade's number; venues number by themselves, so theirs is part of it."""
        cdef const char* text
        cdef uint32_t length
        cdef int32_t i, node
        cdef Found found = self.read_text(rule, field, &text, &length)
        if found != FOUND or not length:
            return ABSENT if found == ABSENT else UNUSABLE
        cdef uint64_t number, mixed
        cdef uint64_t parts = 0
        cdef bint is_number = read_uint(text, length, &number)
        if not is_number:
            number = hash_of(text, length)
        mixed = number
        if self.read_text(rule, VENUE, &text, &length) == FOUND:
            parts = small_part(text, length, True)
            mixed = with_part(mixed, hash_of(text, length))
        for i in range(rule.id_parts.count):
            node = self.node_of(&self.rules.routes[rule.id_parts.first + i])
            parts = parts << 8 if parts >> KEY_PARTS == 0 else NO_PARTS
            if node != NO_NODE and self.text_of(node, &text, &length):
                # Its place counts, so that one part is not taken for another.
                parts |= small_part(text, length, False)
                mixed = with_part(mixed, hash_of(text, length) + <uint64_t>(i + 1))
        out[0] = (
            key_of(number, parts) if is_number and mixed != number and fits_key(number, parts)
            else plain_key(mixed)
        )
        out[0] = out[0] if out[0] else key_of(0, 0)  # 0 says that there is no id
        return FOUND

    cdef Found read_number(self, const Rule* rule, Field field, uint64_t* out) noexcept nogil:
        cdef const char* text
        cdef uint32_t length
        cdef Found found = self.read_text(rule, field, &text, &length)
        if found != FOUND:
            return found
        return FOUND if read_uint(text, length, out) else UNUSABLE


cdef uint64_t small_part(const char* text, uint32_t length, bint venue) noexcept nogil:
    """A part of an id in 8 bits: a small number, 0 for one that is not there. In 9, a venue's
    letter. NO_PARTS: it is neither."""
    cdef uint64_t number
    if read_uint(text, length, &number):
        return number if 0 < number < 256 else NO_PARTS
    return 256 | <uint8_t>text[0] & 0x7F if venue and length == 1 else NO_PARTS


cdef uint32_t letters(const Codes* codes, const char* text, uint32_t length) noexcept nogil:
    """A character each, as the tapes' own field has them: blanks pad it."""
    cdef uint32_t flags = 0
    cdef uint32_t i
    for i in range(length):
        flags |= codes.away[<uint8_t>text[i]]
    return flags


cdef uint32_t numbers(const Codes* codes, const char* text, uint32_t length) noexcept nogil:
    """Numbers with anything else between."""
    cdef uint32_t flags = 0
    cdef uint32_t number
    cdef uint32_t i = 0
    while i < length:
        if not digit(text[i]):
            i += 1
            continue
        number = 0
        while i < length and digit(text[i]):
            number = min(number * 10 + <uint32_t>(text[i] - c"0"), <uint32_t>CODES)
            i += 1
        flags |= codes.away[number] if number < CODES else codes.other
    return flags
