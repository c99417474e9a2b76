"""Reads a JSON text into a flat list of its values: see tape.pxd.

Law: any bytes are either one JSON text by the grammar of RFC 8259, or refused whole. Two
leniencies: that strings are UTF-8 is not checked (symbols must be ASCII anyway), and inside of an
object or array a value that is none becomes JSON_BAD and is counted in `bad`. The grammar of what
is around it holds all the same, so a text that is cut off is refused whole.
"""

from libc.stdint cimport int32_t, uint8_t, uint32_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcmp, memcpy, memset

from ticker.checks cimport check
from ticker.feeds.json.escapes cimport hex4, is_digit, unescaped, write_unicode

from ticker.errors import DecodeError

cdef enum Class:
    # of a byte inside a string
    PLAIN = 0
    QUOTE
    BACKSLASH
    CONTROL

cdef uint8_t[256] IN_STRING
memset(IN_STRING, PLAIN, 256)
memset(IN_STRING, CONTROL, 32)
IN_STRING[0x22] = QUOTE
IN_STRING[0x5C] = BACKSLASH

cdef enum Expect:
    EXPECT_VALUE
    EXPECT_VALUE_OR_END          # after [
    EXPECT_NAME
    EXPECT_NAME_OR_END           # after {
    EXPECT_COMMA_OR_END


cdef inline bint is_space(uint8_t byte) noexcept nogil:
    return byte == 0x20 or byte == 0x0A or byte == 0x0D or byte == 0x09


cdef enum:
    BROKEN = 2                   # beside `escaped`: a string that none can be


cdef const uint8_t* skip_string(
    const uint8_t* at, const uint8_t* end, uint8_t* escaped
) noexcept nogil:
    """`at` is after the opening quote; the closing quote, or NULL: it has none. `escaped` becomes
    1, or BROKEN."""
    cdef uint8_t kind
    while at < end:
        kind = IN_STRING[at[0]]
        if kind == PLAIN:
            at += 1
        elif kind == QUOTE:
            return at
        elif kind == CONTROL:
            escaped[0] |= BROKEN
            at += 1
        elif end - at < 2:
            return NULL
        elif at[1] == c"u" and end - at >= 6 and hex4(at + 2) >= 0:
            escaped[0] |= 1
            at += 6
        else:
            if at[1] not in (c'"', c"\\", c"/", c"b", c"f", c"n", c"r", c"t"):
                escaped[0] |= BROKEN
            escaped[0] |= 1
            at += 2
    return NULL


cdef const uint8_t* skip_digits(const uint8_t* at, const uint8_t* end) noexcept nogil:
    """After one or more digits, or NULL: there are none."""
    if at == end or not is_digit(at[0]):
        return NULL
    while at < end and is_digit(at[0]):
        at += 1
    return at


cdef const uint8_t* skip_number(const uint8_t* at, const uint8_t* end) noexcept nogil:
    """After the number at `at` (RFC 8259, section 6), or NULL: no number."""
    if at < end and at[0] == c"-":
        at += 1
    if at < end and at[0] == c"0":
        at += 1
    else:
        at = skip_digits(at, end)
    if at != NULL and at < end and at[0] == c".":
        at = skip_digits(at + 1, end)
    if at != NULL and at < end and (at[0] == c"e" or at[0] == c"E"):
        at += 1
        if at < end and (at[0] == c"+" or at[0] == c"-"):
            at += 1
        at = skip_digits(at, end)
    return at


cdef const uint8_t* skip_token(const uint8_t* at, const uint8_t* end) noexcept nogil:
    """After what cannot be a value: up to a space, a comma, a colon, a quote or a bracket."""
    while at < end and not is_space(at[0]) and at[0] not in (
        c",", c":", c'"', c"{", c"}", c"[", c"]"
    ):
        at += 1
    return at


cdef class Tape:
    """Reads texts of at most `most` bytes; keeps room for the largest one that it met."""

    def __cinit__(self, most: int = 1 << 24) -> None:
        if not 0 < most <= 1 << 30:
            raise ValueError(f"JSON texts of up to {most} bytes: 1 to 2^30 are possible")
        self.most = most
        self.capacity = 256
        self.nodes = <Node*>malloc(self.capacity * sizeof(Node))
        if self.nodes == NULL:
            raise MemoryError("no memory for JSON texts")

    def __dealloc__(self) -> None:
        free(self.nodes)

    cdef bint _grow(self) noexcept nogil:
        cdef Node* larger = <Node*>realloc(self.nodes, 2 * <size_t>self.capacity * sizeof(Node))
        if larger == NULL:
            return False
        self.nodes = larger
        self.capacity *= 2
        return True

    cdef bint read(self, const uint8_t* text, size_t length) noexcept nogil:
        cdef const uint8_t* at = text
        cdef const uint8_t* end = text + length
        cdef const uint8_t* stop
        cdef int32_t[JSON_DEPTH] open_nodes
        cdef int depth = 0
        cdef int expect = EXPECT_VALUE
        cdef Node* node
        cdef uint8_t byte
        self.text = text
        self.length = length
        self.used = 0
        self.bad = 0
        if length > self.most:
            return False
        while True:
            while at < end and is_space(at[0]):
                at += 1
            if at == end:
                return False
            byte = at[0]
            if expect == EXPECT_COMMA_OR_END and byte == c",":
                expect = (
                    EXPECT_NAME if self.nodes[open_nodes[depth - 1]].kind == JSON_OBJECT
                    else EXPECT_VALUE
                )
                at += 1
                continue
            if byte == c"}" or byte == c"]":
                node = &self.nodes[open_nodes[depth - 1]] if depth else NULL
                if (node == NULL or expect == EXPECT_VALUE or expect == EXPECT_NAME
                        or (byte == c"}") != (node.kind == JSON_OBJECT)):
                    if node == NULL or byte == c"]" or expect != EXPECT_VALUE or not self._lack(at):
                        return False
                    node = &self.nodes[open_nodes[depth - 1]]
                    if node.kind != JSON_OBJECT:
                        return False
                node.next = self.used
                depth -= 1
                at += 1
                if not depth:
                    break
                expect = EXPECT_COMMA_OR_END
                continue
            if expect == EXPECT_COMMA_OR_END:
                at = self._spoil(&self.nodes[self.used - 1], at)
                if at == NULL:
                    return False
                continue
            if self.used == self.capacity and not self._grow():
                return False
            node = &self.nodes[self.used]
            node.start = <uint32_t>(at - text)
            node.length = 0
            node.escaped = 0
            self.used += 1
            node.next = self.used
            if byte == c'"':
                node.kind = JSON_STRING
                node.start += 1
                stop = skip_string(at + 1, end, &node.escaped)
                if stop == NULL:
                    return False
                node.length = <uint32_t>(stop - at) - 1
                at = stop + 1
                if node.escaped & BROKEN:
                    node.kind = JSON_BAD
                    node.escaped = 0
                    self.bad += 1
                if expect == EXPECT_NAME or expect == EXPECT_NAME_OR_END:
                    while at < end and is_space(at[0]):
                        at += 1
                    if at == end or at[0] != c":":
                        return False
                    at += 1
                    expect = EXPECT_VALUE
                    continue
            elif expect == EXPECT_NAME or expect == EXPECT_NAME_OR_END:
                return False
            elif byte == c"{" or byte == c"[":
                if depth == JSON_DEPTH:
                    return False
                node.kind = JSON_OBJECT if byte == c"{" else JSON_ARRAY
                open_nodes[depth] = self.used - 1
                depth += 1
                at += 1
                expect = EXPECT_NAME_OR_END if byte == c"{" else EXPECT_VALUE_OR_END
                continue
            elif byte == c"-" or is_digit(byte):
                node.kind = JSON_NUMBER
                stop = skip_number(at, end)
                if stop == NULL:
                    at = self._spoil(node, at)
                    if at == NULL:
                        return False
                else:
                    node.length = <uint32_t>(stop - at)
                    at = stop
            elif end - at >= 4 and not memcmp(at, b"true", 4):
                node.kind = JSON_TRUE
                node.length = 4
                at += 4
            elif end - at >= 5 and not memcmp(at, b"false", 5):
                node.kind = JSON_FALSE
                node.length = 5
                at += 5
            elif end - at >= 4 and not memcmp(at, b"null", 4):
                node.kind = JSON_NULL
                node.length = 4
                at += 4
            else:
                node.kind = JSON_NULL
                stop = self._spoil(node, at)
                if stop == NULL:
                    # Where a comma follows the name of a member, nothing is its value.
                    if not depth or byte != c",":
                        return False
                    if self.nodes[open_nodes[depth - 1]].kind != JSON_OBJECT:
                        return False
                    stop = at
                at = stop
            if not depth:
                break
            expect = EXPECT_COMMA_OR_END
        while at < end and is_space(at[0]):
            at += 1
        return at == end and self.nodes[0].kind != JSON_BAD

    cdef const uint8_t* _spoil(self, Node* node, const uint8_t* after) noexcept nogil:
        """A node, whose value cannot be read beyond `after`, becomes JSON_BAD, with all that is
        written without a space; where that ends, or NULL: nothing more is."""
        cdef const uint8_t* start = self.text + node.start
        cdef const uint8_t* stop = skip_token(start, self.text + self.length)
        if node.kind == JSON_STRING or node.kind == JSON_ARRAY or node.kind == JSON_OBJECT:
            return NULL
        self.bad += node.kind != JSON_BAD
        node.kind = JSON_BAD
        node.length = <uint32_t>(stop - start)
        return stop if stop > after else NULL

    cdef bint _lack(self, const uint8_t* at) noexcept nogil:
        """Nothing is where a value must be: a JSON_BAD of no bytes."""
        if self.used == self.capacity and not self._grow():
            return False
        self.nodes[self.used] = Node(<uint32_t>(at - self.text), 0, self.used + 1, JSON_BAD, 0)
        self.used += 1
        self.bad += 1
        return True

    cdef int32_t member(self, int32_t node, const char* name, uint32_t length) noexcept nogil:
        cdef int32_t at = node + 1
        cdef int32_t end = self.nodes[node].next
        cdef Node* found
        check(0 <= node < self.used)
        if self.nodes[node].kind != JSON_OBJECT:
            return NO_NODE
        while at < end:
            found = &self.nodes[at]
            if found.length == length and not found.escaped:
                if not memcmp(self.text + found.start, name, length):
                    return at + 1
            elif found.escaped and self.equals(at, name, length):
                return at + 1
            at = self.nodes[at + 1].next
        return NO_NODE

    cdef int32_t element(self, int32_t node, uint32_t index) noexcept nogil:
        cdef int32_t at = node + 1
        cdef int32_t end = self.nodes[node].next
        check(0 <= node < self.used)
        if self.nodes[node].kind != JSON_ARRAY:
            return NO_NODE
        while at < end and index:
            at = self.nodes[at].next
            index -= 1
        return at if at < end else NO_NODE

    cdef bint equals(self, int32_t node, const char* text, uint32_t length) noexcept nogil:
        cdef Node* found = &self.nodes[node]
        cdef char[256] plain
        check(0 <= node < self.used)
        if not found.escaped:
            return found.length == length and not memcmp(self.text + found.start, text, length)
        return (
            self.write(node, plain, sizeof(plain)) == <int>length
            and not memcmp(plain, text, length)
        )

    cdef int write(self, int32_t node, char* out, int room) noexcept nogil:
        cdef Node* found = &self.nodes[node]
        cdef const uint8_t* at = self.text + found.start
        cdef const uint8_t* end = at + found.length
        cdef int length = 0
        check(0 <= node < self.used)
        if not found.escaped:
            if found.length > <uint32_t>room:
                return -1
            memcpy(out, at, found.length)
            return <int>found.length
        while at < end:
            if length + 4 > room:
                return -1
            if at[0] != c"\\":
                out[length] = <char>at[0]
                length += 1
                at += 1
            elif at[1] == c"u":
                length += write_unicode(out + length, &at, end)
            else:
                out[length] = unescaped(at[1])
                length += 1
                at += 2
        return length


def values_of(
    text: bytes, most: int = 1 << 24, bad: bool = False
) -> list[tuple[str, bytes, int]]:
    """The values of a JSON text, in its order: (kind, bytes, node after it). To look into it.

    Raises:
        DecodeError: it is no JSON text, longer than `most`, nested deeper than 64, or has a value
            that is none, unless `bad` ones may be.
    """
    names = ("", "object", "array", "string", "number", "true", "false", "null", "bad")
    tape = Tape(most)
    if not tape.read(text, len(text)) or (tape.bad and not bad):
        raise DecodeError(f"{text[:40]!r}: no JSON text")
    found = []
    plain = bytearray(len(text) + 4)
    cdef char* out = plain
    cdef int32_t node
    for node in range(tape.used):
        length = tape.write(node, out, len(plain))
        found.append((names[tape.nodes[node].kind], bytes(plain[:length]), tape.nodes[node].next))
    return found
