"""JSON texts into records, by the paths of a mapping; whoever derives from it takes them.

A text that is no JSON changes nothing and is counted. Of one that is, every record that a rule
matches is taken; rules with the same path see each record in turn, so that the order is the
text's own. What is skipped is counted by rule and reason, the last of each kept as an example.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from ticker.checks cimport check
from ticker.feeds.json.record cimport (
    FOUND,
    NO_ZONE,
    SCOPES,
    TOO_FINE,
    TOO_LONG,
    Found,
    Record,
    enter,
    step_from,
)
from ticker.feeds.json.rules cimport (
    EXAMPLE,
    FIELD_COUNT,
    KIND_ERROR,
    KIND_PING,
    REASON_COUNT,
    REASON_FINE_PRICE,
    REASON_LONG_SYMBOL,
    REASON_NO_OFFSET,
    REASON_NO_ROOM,
    REASON_REPEATED,
    REASON_SIDE,
    REASON_STATUS,
    STEP_EACH_OR_SELF,
    STEP_KEY,
    STEP_MEMBERS,
    TEXT,
    Field,
    Group,
    Rule,
    Rules,
    Skip,
    Step,
)
from ticker.feeds.json.tape cimport JSON_ARRAY, JSON_NULL, JSON_OBJECT, NO_NODE, Node, Tape
from ticker.feeds.market.market cimport Market
from ticker.feeds.protocol cimport Protocol
from ticker.feeds.json.scalars cimport read_uint
from ticker.shm.counters cimport (
    FEED_BAD_RECORDS,
    FEED_BAD_TEXTS,
    FEED_DUPLICATE_MESSAGES,
    FEED_GAP_MESSAGES,
    FEED_GAPS,
    FEED_LONG_SYMBOLS,
    FEED_LOST_MESSAGES,
    FEED_REFUSALS,
    FEED_UNKNOWN_TYPES,
    count,
)
from ticker.shm.layout cimport SYMBOL_BYTES

from typing import NamedTuple

from ticker.errors import FeedError
from ticker.feeds.json.rules import FIELDS
from ticker.feeds.json.tables import Mapping
from ticker.feeds.market.symbology import spelled

_OTHER_REASONS = {
    REASON_SIDE: "side unknown",
    REASON_STATUS: "status unknown",
    REASON_REPEATED: "repeated",
    REASON_NO_ROOM: "table full",
    REASON_LONG_SYMBOL: f"a symbol of more than {SYMBOL_BYTES - 1} characters",
    REASON_FINE_PRICE:
        "a price finer than 1e-9 (with price_decimals the mapping says how to round it)",
    REASON_NO_OFFSET: "a time without an offset (with time_zone the mapping says whose it is)",
}
REASONS = (
    *[f"no usable {field}" for field in FIELDS],
    *[_OTHER_REASONS[reason] for reason in range(<int>FIELD_COUNT, <int>REASON_COUNT)],
)
MOST_EVENTS = 64
"""Events that are kept until they are taken; of more, the oldest are forgotten."""


cdef extern from "<string.h>" nogil:
    size_t strnlen(const char* text, size_t most)

cdef enum:
    LONGEST_EVENT = 1 << 16


class Skipped(NamedTuple):
    """What was not taken how many times, by rule and reason; the start of the last example."""

    rule: str
    reason: str
    times: int
    example: str

    def said(self) -> str:
        """For people, a line."""
        of = f"{self.rule}: " if self.rule else ""
        return f"skipped: {self.times} {of}{self.reason}, like {self.example!r}"


class Event(NamedTuple):
    """A record that is for the connection, not for the market."""

    kind: str
    """`error`: the server refuses something. `ping`: it wants an answer. `book`: a book is not what
    its checksum says."""
    rule: str
    text: str
    """Of an error: what the server says. Of a ping: the record, and whatever is behind it. Of a
    book: its symbol, as the feed writes it."""


cdef class JsonTexts(Protocol):
    """Reads the texts of one mapping (mapping.py).

    Raises:
        FeedError: no mapping is given.
    """

    def __init__(
        self, Market market not None, *, midnight_ns: int = 0, mapping: Mapping = None
    ) -> None:
        super().__init__(market, midnight_ns=midnight_ns)
        if mapping is None:
            raise FeedError(
                "protocol json needs a mapping: name a shipped one or a .toml file "
                "(docs/json-mappings.md)"
            )
        self.rules = Rules(mapping)
        self.tape = Tape()
        self.record = Record(self.rules, self.tape)
        self.record.blanks = market.rows.symbology == "cms"
        self._events = []

    cdef void take(self, Rule* rule, int64_t receive_time) noexcept nogil:
        pass

    cdef void text_ends(self) noexcept nogil:
        pass

    # Texts

    cdef void message(self, const uint8_t* data, size_t length, int64_t receive_time) noexcept nogil:
        cdef int32_t i
        self.market.rows.received = receive_time
        if not self.tape.read(data, length):
            count(self.market.counters, FEED_BAD_TEXTS, 1)
            keep(&self.bad, data, length)
            return
        self.record.depth = 0
        enter(self.record, 0, NO_NODE)
        if self.rules.sequence_route >= 0 and not self._is_next():
            return
        self.matched = False
        for i in range(self.rules.group_count):
            if self._any_counts(&self.rules.groups[i]):
                self._descend(&self.rules.groups[i], 0, 0, receive_time)
        self.text_ends()
        if not self.matched:
            count(self.market.counters, FEED_UNKNOWN_TYPES, 1)
            keep(&self.unmatched, data, length)

    cdef bint _is_next(self) noexcept nogil:
        """Whether the text is new; what is missing before it is counted as lost."""
        cdef uint64_t number = 0
        cdef const char* text
        cdef uint32_t length
        cdef int32_t node = self.record.node_of(&self.rules.routes[self.rules.sequence_route])
        if node == NO_NODE or not self.record.text_of(node, &text, &length):
            return True
        if not read_uint(text, length, &number):
            return True
        if self.joined and number < self.next_sequence:
            count(self.market.counters, FEED_DUPLICATE_MESSAGES, 1)
            return False
        if self.joined and number > self.next_sequence:
            self.lose(number - self.next_sequence)
            self.broken = self.rules.has_levels
        self.joined = True
        self.next_sequence = number + 1
        return True

    cdef void lose(self, uint64_t numbers) noexcept nogil:
        count(self.market.counters, FEED_GAPS, 1)
        count(self.market.counters, FEED_GAP_MESSAGES, numbers)
        count(self.market.counters, FEED_LOST_MESSAGES, numbers)

    def connected(self) -> None:
        """A new connection: the numbers of its texts start over."""
        self.joined = self.broken = False
        self.take_events()

    def asked_for(self, symbol: str) -> None:
        """The next texts are the answer to a request for this symbol (`@request` in a mapping)."""
        cdef bytes text = symbol.encode()
        if len(text) > SYMBOL_BYTES:
            raise FeedError(f"symbol {symbol!r}: longer than {SYMBOL_BYTES} bytes")
        memcpy(self.record.asked, <const char*>text, len(text))
        self.record.asked_length = len(text)

    # Records

    cdef bint _any_counts(self, const Group* group) noexcept nogil:
        """Look at the text's top, once for all records: which rules of the group may count."""
        cdef Rule* rule
        cdef bint found = False
        cdef int32_t i
        for i in range(group.rules.first, group.rules.first + group.rules.count):
            rule = &self.rules.rules[i]
            rule.counts = not rule.top_tests.count or self.record.passes(rule.top_tests)
            found = found or rule.counts
        return found

    cdef void _descend(self, Group* group, int at, int32_t node, int64_t receive_time) noexcept nogil:
        """Every record that is to be found from this node and step of the group's path on."""
        cdef Node* nodes = self.tape.nodes
        cdef const Step* step
        cdef int32_t child, end
        while at < group.records.steps and group.records.step[at].kind == STEP_KEY:
            node = step_from(self.tape, &group.records.step[at], node)
            at += 1
            if node == NO_NODE:
                return
        if at == group.records.steps:
            self._record_at(group, node, receive_time)
            return
        step = &group.records.step[at]
        child = node + 1
        end = nodes[node].next
        self.record.depth += 1
        check(self.record.depth < SCOPES)
        if step.kind == STEP_MEMBERS:
            if nodes[node].kind == JSON_OBJECT:
                while child < end:
                    enter(self.record, child + 1, child)
                    self._descend(group, at + 1, child + 1, receive_time)
                    child = nodes[child + 1].next
        elif nodes[node].kind == JSON_ARRAY:
            while child < end:
                enter(self.record, child, NO_NODE)
                self._descend(group, at + 1, child, receive_time)
                child = nodes[child].next
        elif step.kind == STEP_EACH_OR_SELF:
            enter(self.record, node, NO_NODE)
            self._descend(group, at + 1, node, receive_time)
        self.record.depth -= 1

    cdef void _record_at(self, Group* group, int32_t node, int64_t receive_time) noexcept nogil:
        """The end of a path: a level of its own, unless the last step made one."""
        cdef bint deeper = (
            group.records.steps and group.records.step[group.records.steps - 1].kind == STEP_KEY
        )
        cdef Rule* rule
        cdef int32_t i
        if self.tape.nodes[node].kind == JSON_NULL:
            return
        if deeper:
            self.record.depth += 1
            enter(self.record, node, NO_NODE)
        for i in range(group.rules.first, group.rules.first + group.rules.count):
            rule = &self.rules.rules[i]
            if rule.counts and self.record.passes(rule.tests):
                self.matched = True
                rule.matched += 1
                if rule.kind < KIND_ERROR:
                    self.take(rule, receive_time)
                else:
                    self.tell(rule)
        if deeper:
            self.record.depth -= 1

    cdef void skip(self, Rule* rule, int reason) noexcept nogil:
        cdef Node* node = &self.tape.nodes[self.record.scopes[self.record.depth]]
        cdef size_t end = self.tape.length
        if node.next < self.tape.used:
            end = self.tape.nodes[node.next].start
        rule.skipped += 1
        if reason != REASON_REPEATED:
            count(self.market.counters, FEED_BAD_RECORDS, 1)
        keep(&rule.skips[reason], self.tape.text + node.start, end - node.start)

    cdef void refuse(self, Rule* rule, Field field, Found found) noexcept nogil:
        if found == TOO_LONG:
            count(self.market.counters, FEED_LONG_SYMBOLS, 1)
        self.skip(
            rule,
            <int>REASON_LONG_SYMBOL if found == TOO_LONG
            else <int>REASON_FINE_PRICE if found == TOO_FINE
            else <int>REASON_NO_OFFSET if found == NO_ZONE
            else <int>field,
        )

    cdef void tell(self, Rule* rule) noexcept nogil:
        """An event for the connection. They are rare, and whoever has the connection is Python."""
        cdef Node* node = &self.tape.nodes[self.record.scopes[self.record.depth]]
        cdef const char* text = <const char*>self.tape.text + node.start
        cdef uint32_t length = <uint32_t>self.tape.length - node.start
        if node.next < self.tape.used:
            length = self.tape.nodes[node.next].start - node.start
        if rule.kind == KIND_ERROR:
            count(self.market.counters, FEED_REFUSALS, 1)
            if self.record.read_text(rule, TEXT, &text, &length) != FOUND:
                length = min(length, <uint32_t>EXAMPLE)
        with gil:
            kind = "ping" if rule.kind == KIND_PING else "error"
            name = self.rules.names[rule - self.rules.rules]
            self._remember(kind, name, text[:min(length, <uint32_t>LONGEST_EVENT)])

    cdef void tell_symbol(self, const char* symbol) noexcept nogil:
        """The book of this symbol is wrong."""
        with gil:
            name = symbol[:strnlen(symbol, SYMBOL_BYTES)].decode()
            self._remember("book", "", spelled(name, self.market.rows.symbology).encode())

    cdef int _remember(self, str kind, str rule, bytes text) except -1:
        self._events.append(Event(kind, rule, text.decode(errors="replace")))
        del self._events[:-MOST_EVENTS]
        self.told = True
        return 0

    # What Python sees

    def take_events(self) -> list[Event]:
        """What the server said to us since the last call, oldest first."""
        found = self._events
        self._events = []
        self.told = False
        return found

    @property
    def taken(self) -> dict[str, int]:
        """Records that became calls on the market, by rule."""
        cdef int32_t i
        return {
            self.rules.names[i]: self.rules.rules[i].matched - self.rules.rules[i].skipped
            for i in range(self.rules.rule_count)
        }

    def skipped(self) -> list[Skipped]:
        """What was not taken: texts that are no JSON or that no rule matches, then records."""
        cdef int32_t i
        cdef int reason
        found = [
            skipped_of(&self.bad, "", "no JSON"), skipped_of(&self.unmatched, "", "no rule for it")
        ]
        for i in range(self.rules.rule_count):
            for reason in range(<int>REASON_COUNT):
                found.append(skipped_of(
                    &self.rules.rules[i].skips[reason], self.rules.names[i], REASONS[reason]
                ))
        return [each for each in found if each.times]


cdef object skipped_of(Skip* skip, str rule, str reason):
    return Skipped(rule, reason, skip.count, skip.example[:skip.length].decode(errors="replace"))


cdef void keep(Skip* skip, const uint8_t* data, size_t length) noexcept nogil:
    """Count one more, and keep its start."""
    skip.count += 1
    skip.length = <uint32_t>min(length, <size_t>EXAMPLE)
    memcpy(skip.example, data, skip.length)
