"""JSON texts into records, by the paths of a mapping.

A text that is no JSON changes nothing and is counted. Of one that is, every record that a rule
matches is taken (taker.pyx); rules with the same path see each record in turn, so that the order is
the text's own.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from ticker.checks cimport check
from ticker.feeds.json.events cimport Events
from ticker.feeds.json.record cimport SCOPES, Record, enter, step_from
from ticker.feeds.json.rules cimport (
    KIND_ALIVE,
    KIND_ERROR,
    STEP_EACH_OR_SELF,
    STEP_KEY,
    STEP_MEMBERS,
    Group,
    Rule,
    Rules,
    Step,
)
from ticker.feeds.json.scalars cimport read_uint
from ticker.feeds.json.skips cimport Skips
from ticker.feeds.json.taker cimport Taker
from ticker.feeds.json.tape cimport JSON_ARRAY, JSON_NULL, JSON_OBJECT, NO_NODE, Node, Tape
from ticker.feeds.json.use cimport begin_text, why_useless
from ticker.feeds.market.market cimport Market
from ticker.shm.counters cimport FEED_DUPLICATE_MESSAGES, FEED_HEARTBEATS, count
from ticker.shm.layout cimport SYMBOL_BYTES, WHY_NO_JSON, WHY_NONE

from ticker.errors import FeedError
from ticker.feeds.json.tables import Mapping


cdef class JsonTexts:
    """Reads the texts of one mapping (mapping.py), and gives each record to its taker."""

    def __init__(self, Market market not None, mapping: Mapping) -> None:
        self.rules = Rules(mapping)
        self.tape = Tape()
        self.record = Record(self.rules, self.tape)
        self.record.blanks = market.rows.symbology == "cms"
        self.skips = Skips(self.record, market.rows.mapping)
        self.events = Events(self.record, market)
        self.taker = Taker(market, mapping, self.record, self.skips, self.events)
        self.counters = market.counters

    cdef void read(self, const uint8_t* data, size_t length, int64_t receive_time) noexcept nogil:
        cdef int32_t i
        self.skips.now_ns = receive_time
        if not self.tape.read(data, length):
            self.skips.bad_text(data, length)
            self.useless = WHY_NO_JSON
            return
        self.record.depth = 0
        enter(self.record, 0, NO_NODE)
        if self.rules.sequence_route >= 0 and not self._is_next():
            return
        begin_text(&self.use, self.counters)
        for i in range(self.rules.group_count):
            if self._any_counts(&self.rules.groups[i]):
                self._descend(&self.rules.groups[i], 0, 0, receive_time)
        self.taker.text_ends()
        if not self.use.matched:
            self.skips.unmatched_text(data, length)
        self.useless = why_useless(&self.use, self.counters)
        self.useful += self.useless == WHY_NONE

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
            count(self.counters, FEED_DUPLICATE_MESSAGES, 1)
            return False
        if self.joined and number > self.next_sequence:
            self.skips.lose(self.next_sequence, number)
            self.broken = self.rules.has_levels
        self.joined = True
        self.next_sequence = number + 1
        return True

    def connected(self) -> None:
        """A new connection: the numbers of its texts start over."""
        self.joined = self.broken = False
        self.events.take()

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
                self.use.matched = True
                rule.matched += 1
                self._see(rule, receive_time)
        if deeper:
            self.record.depth -= 1

    cdef void _see(self, Rule* rule, int64_t receive_time) noexcept nogil:
        """A record that a rule is for: to the market, to the connection, or as a sign of life."""
        cdef uint64_t lacking = self.skips.lacking
        if rule.kind < KIND_ERROR:
            self.taker.take(rule, receive_time)
            if self.skips.lacking == lacking:
                self.use.taken += 1
            else:
                self.use.skipped += 1
        elif rule.kind == KIND_ALIVE:
            count(self.counters, FEED_HEARTBEATS, 1)
            self.alive += 1
        else:
            self.use.told_no = self.use.told_no or rule.kind == KIND_ERROR
            self.events.tell(rule)
