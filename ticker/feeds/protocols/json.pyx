"""JSON by mapping: whatever a vendor's texts look like, a mapping says where things are.

One message is one JSON text: a WebSocket message, a line, a body of HTTP. A text that is no
JSON changes nothing and is counted; of one that is, every record that a rule of the mapping
matches is taken, and one whose fields cannot be read is skipped, counted by rule and field, and
the last of each kept as an example. Numbers become integers digit by digit (scalars.pyx).
"""

from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from ticker.feeds.checks cimport check
from ticker.feeds.conditions cimport flags_without
from ticker.feeds.jsontape cimport (
    JSON_ARRAY,
    JSON_NULL,
    JSON_NUMBER,
    JSON_OBJECT,
    JSON_STRING,
    NO_NODE,
    Node,
    Tape,
)
from ticker.feeds.market cimport (
    ASK,
    BID,
    TRADE_COUNTS_VOLUME,
    TRADE_LAST_IF_ONLY,
    TRADE_SETS_LAST,
    TRADE_SETS_RANGE,
    TRADE_TOLD,
    Market,
    Side,
)
from ticker.feeds.protocol cimport Protocol
from ticker.feeds.scalars cimport read_decimal, read_rfc3339, read_uint
from ticker.shm.counters cimport (
    FEED_BAD_RECORDS,
    FEED_BAD_TEXTS,
    FEED_DUPLICATE_MESSAGES,
    FEED_GAP_MESSAGES,
    FEED_GAPS,
    FEED_LOST_MESSAGES,
    FEED_UNKNOWN_TYPES,
    count,
)
from ticker.shm.layout cimport (
    STATUS_CLOSED,
    STATUS_HALTED,
    STATUS_PAUSED,
    STATUS_QUOTE_ONLY,
    STATUS_TRADING,
    SYMBOL_BYTES,
    Values,
)

from typing import NamedTuple

from ticker.errors import FeedError
from ticker.feeds import mapping as mappings
from ticker.feeds.conditions import taken_by_text

cdef enum StepKind:
    STEP_KEY = 0                 # in the order of mapping.py
    STEP_EACH
    STEP_EACH_OR_SELF
    STEP_MEMBERS

cdef enum RecordKind:
    KIND_TRADE = 0               # in the order of KINDS
    KIND_LAST
    KIND_QUOTE
    KIND_LEVEL
    KIND_CLEAR
    KIND_STATUS
    KIND_BREAK
    KIND_CORRECT
    KIND_CLOSE

cdef enum Field:
    SYMBOL = 0                   # in the order of FIELDS
    PRICE
    SIZE
    TIME
    ID
    VENUE
    SEQUENCE
    BID_PRICE
    BID_SIZE
    ASK_PRICE
    ASK_SIZE
    FIELD_COUNT

cdef enum Reason:
    # A Field that cannot be read, or one of:
    REASON_SIDE = <int>FIELD_COUNT
    REASON_STATUS
    REASON_REPEATED              # it was there before
    REASON_NO_ROOM               # for another symbol in the table
    REASON_COUNT

cdef enum:
    STEPS = 8
    SCOPES = 8                   # the top, five spreads, the record
    EXAMPLE = 160
    PLAIN = 128                  # of an escaped string: no field that counts is longer
    ISO = -1

KINDS = ("trade", "last", "quote", "level", "clear", "status", "break", "correct", "close")
FIELDS = (
    "symbol", "price", "size", "time", "id", "venue", "sequence", "bid", "bid_size", "ask",
    "ask_size",
)
REASONS = (
    *(f"no usable {field}" for field in FIELDS), "side unknown", "status unknown", "repeated",
    "table full",
)
STATES = {
    "trading": STATUS_TRADING, "halted": STATUS_HALTED, "paused": STATUS_PAUSED,
    "quote_only": STATUS_QUOTE_ONLY, "closed": STATUS_CLOSED,
}

cdef struct Step:
    const char* name
    uint32_t length
    int32_t index                # of an array's element, -1: none
    uint8_t kind                 # StepKind

cdef struct Route:
    int8_t up                    # levels above the record where it starts, -1: the top
    uint8_t key                  # the name of what is there, not the value
    uint8_t steps
    Step[STEPS] step

cdef struct Span:
    int32_t first                # in `routes`, `texts` or `tests`
    int32_t count

cdef struct Text:
    const char* text
    uint32_t length
    uint32_t meaning             # a Side, a TradingStatus, TradeFlags that it takes away

cdef struct Test:
    int32_t route
    int32_t present              # 1, 0: it must be there, or not; -1: one of `texts`
    Span texts

cdef struct Skip:
    uint64_t count
    uint32_t length
    char[EXAMPLE] example        # the start of the last one

cdef struct Rule:
    RecordKind kind
    Route records
    Span tests
    Span[<int>FIELD_COUNT] fields
    Span conditions              # one route, or none
    Span condition_texts
    Span choice                  # one route to the side or status, or none
    Span choice_texts
    Side side                    # where there is no route to it
    int32_t time_digits          # of a second, ISO: RFC 3339
    uint64_t size_factor
    bint sequence_gaps
    uint64_t matched
    uint64_t skipped
    Skip[<int>REASON_COUNT] skips


class Skipped(NamedTuple):
    """What was not taken how many times, by rule and reason; the start of the last example."""

    rule: str
    reason: str
    times: int
    example: str


cdef class Json(Protocol):
    """Decodes the texts of one mapping (mapping.py).

    Raises:
        FeedError: no mapping is given.
    """

    session = "jsonstream"

    cdef Tape tape
    cdef list names              # of the rules
    cdef list kept               # the bytes that `text` and `name` pointers point into
    cdef Route* routes
    cdef Text* texts
    cdef Test* tests
    cdef Rule* rules
    cdef int32_t route_count, text_count, test_count, rule_count
    cdef int32_t sequence_route  # of a text's number in its connection, -1: none
    cdef uint64_t next_sequence
    cdef bint joined             # next_sequence is known
    cdef uint64_t* next_numbers  # by row: the next record's number within its symbol, 0: unknown
    cdef size_t rows
    cdef int size_decimals
    cdef Skip bad, unmatched
    # of the record at hand
    cdef int32_t[SCOPES] scopes  # node of each level, the record's own last
    cdef int32_t[SCOPES] keys    # node of its name in its object, or NO_NODE
    cdef int depth
    cdef bint matched
    cdef char[PLAIN] plain
    cdef const char* symbol
    cdef char[SYMBOL_BYTES] symbol_text
    cdef uint32_t symbol_length

    def __init__(
        self, Market market not None, *, midnight_ns: int = 0, mapping: mappings.Mapping = None
    ) -> None:
        super().__init__(market, midnight_ns=midnight_ns)
        if mapping is None:
            known = ", ".join(mappings.shipped())
            raise FeedError(f"protocol json needs a mapping: a .toml file, or one of {known}")
        self.tape = Tape()
        self.size_decimals = mapping.size_decimals
        self.rows = market.mapping.row_capacity
        self.next_numbers = <uint64_t*>calloc(self.rows, sizeof(uint64_t))
        if self.next_numbers == NULL:
            raise MemoryError("no memory for sequence numbers")
        self._compile(mapping)

    def __dealloc__(self) -> None:
        free(self.routes)
        free(self.texts)
        free(self.tests)
        free(self.rules)
        free(self.next_numbers)

    # A mapping into flat arrays

    cdef int _compile(self, object mapping) except -1:
        records = mapping.records
        # As many as there can be: every value counts once, every path once.
        most = 2 + sum(64 + sum(
            1 if isinstance(test, (str, int, mappings.Present)) else len(test)
            for test in record.where.values()
        ) + len(record.where) + sum(
            len(values) for table in (record.conditions, record.side, record.status)
            if table is not None and not isinstance(table, str)
            for values in (getattr(table, name) for name in table.__struct_fields__)
        ) for record in records)
        self.routes = <Route*>calloc(most, sizeof(Route))
        self.texts = <Text*>calloc(most, sizeof(Text))
        self.tests = <Test*>calloc(most, sizeof(Test))
        self.rules = <Rule*>calloc(len(records), sizeof(Rule))
        if not (self.routes and self.texts and self.tests and self.rules):
            raise MemoryError("no memory for the mapping")
        self.kept = []
        self.names = [record.name for record in records]
        self.sequence_route = -1
        if mapping.sequence is not None:
            self.sequence_route = self._add_routes((mapping.sequence,)).first
        for record in records:
            self._add_rule(record)
        return 0

    cdef int _add_rule(self, object record) except -1:
        cdef Rule* rule = &self.rules[self.rule_count]
        cdef int field
        self.rule_count += 1
        rule.kind = <RecordKind><int>KINDS.index(record.kind)
        self._fill_route(&rule.records, mappings.read_path(record.path, many=True))
        rule.tests = self._add_tests(record.where)
        for field in range(<int>FIELD_COUNT):
            rule.fields[field] = self._add_routes(mappings.paths(getattr(record, FIELDS[field])))
        if record.conditions is not None:
            rule.conditions = self._add_routes((record.conditions.path,))
            rule.condition_texts = self._add_conditions(record.conditions)
        if isinstance(record.side, str):
            rule.side = BID if record.side == "bid" else ASK
        elif record.side is not None:
            rule.choice = self._add_routes((record.side.path,))
            rule.choice_texts = self._add_texts(
                [(text, <int>BID) for text in record.side.bid]
                + [(text, <int>ASK) for text in record.side.ask]
            )
        if record.status is not None:
            rule.choice = self._add_routes((record.status.path,))
            rule.choice_texts = self._add_texts([
                (text, state) for name, state in STATES.items()
                for text in getattr(record.status, name)
            ])
        rule.time_digits = mappings.TIME_UNITS.get(record.time_unit, ISO)
        rule.size_factor = record.size_factor
        rule.sequence_gaps = record.sequence_gaps
        return 0

    cdef Span _add_conditions(self, object conditions) except *:
        """Each condition once, with all the TradeFlags that it takes away."""
        taken = taken_by_text(conditions.table) if conditions.table else {}
        for texts, flag in (
            (conditions.not_last, TRADE_SETS_LAST | TRADE_LAST_IF_ONLY),
            (conditions.not_range, TRADE_SETS_RANGE),
            (conditions.not_volume, TRADE_COUNTS_VOLUME),
        ):
            for text in texts:
                taken[text] = taken.get(text, 0) | <int>flag
        return self._add_texts(list(taken.items()))

    cdef Span _add_tests(self, dict where) except *:
        cdef Span span = Span(self.test_count, len(where))
        cdef Test* test
        for path, wanted in where.items():
            test = &self.tests[self.test_count]
            self.test_count += 1
            test.route = self._add_routes((path,)).first
            test.present = -1
            if isinstance(wanted, mappings.Present):
                test.present = 1 if wanted.present else 0
            else:
                values = wanted if isinstance(wanted, tuple) else (wanted,)
                test.texts = self._add_texts([(as_written(value), 0) for value in values])
        return span

    cdef Span _add_texts(self, list texts) except *:
        cdef Span span = Span(self.text_count, len(texts))
        cdef Text* text
        cdef bytes kept
        for value, meaning in texts:
            text = &self.texts[self.text_count]
            self.text_count += 1
            kept = self._keep(value)
            text.text = kept
            text.length = len(kept)
            text.meaning = meaning
        return span

    cdef Span _add_routes(self, tuple paths) except *:
        cdef Span span = Span(self.route_count, len(paths))
        for path in paths:
            self._fill_route(&self.routes[self.route_count], mappings.read_path(path))
            self.route_count += 1
        return span

    cdef int _fill_route(self, Route* route, object read) except -1:
        cdef Step* step
        cdef bytes kept
        route.up = read.up
        route.key = read.key
        for each in read.steps:
            step = &route.step[route.steps]
            route.steps += 1
            step.kind = each.kind
            step.index = each.index
            kept = self._keep(each.name)
            step.name = kept
            step.length = len(kept)
        return 0

    cdef bytes _keep(self, str text):
        """A text as bytes that live as long as the decoder does."""
        kept = text.encode()
        self.kept.append(kept)
        return kept

    # Texts

    cdef void message(self, const uint8_t* data, size_t length, int64_t receive_time) noexcept nogil:
        cdef int32_t i
        self.market.received = receive_time
        if not self.tape.read(data, length):
            count(self.market.counters, FEED_BAD_TEXTS, 1)
            keep(&self.bad, data, length)
            return
        self.depth = 0
        self.scopes[0] = 0
        self.keys[0] = NO_NODE
        if self.sequence_route >= 0 and not self._is_next(&self.routes[self.sequence_route]):
            return
        self.matched = False
        for i in range(self.rule_count):
            self._descend(&self.rules[i], 0, 0, receive_time)
        if not self.matched:
            count(self.market.counters, FEED_UNKNOWN_TYPES, 1)
            keep(&self.unmatched, data, length)

    cdef void restart(self) noexcept nogil:
        """A new session of the feed: volumes start over."""
        memset(self.next_numbers, 0, self.rows * sizeof(uint64_t))
        self.market.start_session(self.midnight_ns)

    def begin_session(self) -> None:
        """`restart` from Python."""
        self.restart()

    def connected(self) -> None:
        """A new connection: the numbers of its texts start over."""
        self.joined = False

    cdef bint _is_next(self, const Route* route) noexcept nogil:
        """Whether the text is new; what is missing before it is counted as lost."""
        cdef uint64_t number = 0
        cdef const char* text
        cdef uint32_t length
        cdef int32_t node = self._node(route)
        if node == NO_NODE or not self._text(node, &text, &length):
            return True
        if not read_uint(text, length, &number):
            return True
        if self.joined and number < self.next_sequence:
            count(self.market.counters, FEED_DUPLICATE_MESSAGES, 1)
            return False
        if self.joined and number > self.next_sequence:
            self._lost(number - self.next_sequence)
        self.joined = True
        self.next_sequence = number + 1
        return True

    cdef void _lost(self, uint64_t numbers) noexcept nogil:
        count(self.market.counters, FEED_GAPS, 1)
        count(self.market.counters, FEED_GAP_MESSAGES, numbers)
        count(self.market.counters, FEED_LOST_MESSAGES, numbers)

    # Records

    cdef void _descend(self, Rule* rule, int at, int32_t node, int64_t receive_time) noexcept nogil:
        """Every record that is to be found from this node and step of the rule's path on."""
        cdef Node* nodes = self.tape.nodes
        cdef const Step* step
        cdef int32_t child, end
        while at < rule.records.steps and rule.records.step[at].kind == STEP_KEY:
            node = self._step(&rule.records.step[at], node)
            at += 1
            if node == NO_NODE:
                return
        if at == rule.records.steps:
            self._record_at(rule, node, receive_time)
            return
        step = &rule.records.step[at]
        child = node + 1
        end = nodes[node].next
        self.depth += 1
        check(self.depth < SCOPES)
        if step.kind == STEP_MEMBERS:
            if nodes[node].kind == JSON_OBJECT:
                while child < end:
                    self._enter(child + 1, child)
                    self._descend(rule, at + 1, child + 1, receive_time)
                    child = nodes[child + 1].next
        elif nodes[node].kind == JSON_ARRAY:
            while child < end:
                self._enter(child, NO_NODE)
                self._descend(rule, at + 1, child, receive_time)
                child = nodes[child].next
        elif step.kind == STEP_EACH_OR_SELF:
            self._enter(node, NO_NODE)
            self._descend(rule, at + 1, node, receive_time)
        self.depth -= 1

    cdef void _enter(self, int32_t node, int32_t key) noexcept nogil:
        self.scopes[self.depth] = node
        self.keys[self.depth] = key

    cdef void _record_at(self, Rule* rule, int32_t node, int64_t receive_time) noexcept nogil:
        """The end of a rule's path: a level of its own, unless the last step made one."""
        cdef bint deeper = (
            rule.records.steps and rule.records.step[rule.records.steps - 1].kind == STEP_KEY
        )
        if self.tape.nodes[node].kind == JSON_NULL:
            return
        if deeper:
            self.depth += 1
            self._enter(node, NO_NODE)
        if self._applies(rule):
            self.matched = True
            rule.matched += 1
            self._record(rule, receive_time)
        if deeper:
            self.depth -= 1

    cdef bint _applies(self, const Rule* rule) noexcept nogil:
        """Whether the record passes all tests of `where`."""
        cdef const Test* test
        cdef int32_t i, j, node
        cdef bint passed
        for i in range(rule.tests.first, rule.tests.first + rule.tests.count):
            test = &self.tests[i]
            node = self._node(&self.routes[test.route])
            if test.present >= 0:
                if (node != NO_NODE) != test.present:
                    return False
                continue
            if node == NO_NODE or self.tape.nodes[node].kind in (JSON_OBJECT, JSON_ARRAY):
                return False
            passed = False
            for j in range(test.texts.first, test.texts.first + test.texts.count):
                if self.tape.equals(node, self.texts[j].text, self.texts[j].length):
                    passed = True
                    break
            if not passed:
                return False
        return True

    cdef void _record(self, Rule* rule, int64_t receive_time) noexcept nogil:
        """One record into one call on the market, or skipped with its reason."""
        cdef int64_t time = receive_time
        if not self._symbol(rule):
            self._skip(rule, SYMBOL)
        elif rule.fields[<int>TIME].count and not self._time(rule, &time):
            self._skip(rule, TIME)
        elif rule.kind == KIND_TRADE or rule.kind == KIND_LAST or rule.kind == KIND_CORRECT:
            self._trade(rule, time, receive_time)
        elif rule.kind == KIND_QUOTE:
            self._quote(rule, time)
        elif rule.kind == KIND_LEVEL:
            self._level(rule, time)
        else:
            self._rare(rule, time)

    cdef void _trade(self, Rule* rule, int64_t time, int64_t receive_time) noexcept nogil:
        cdef int64_t price = 0
        cdef uint64_t size = 0
        cdef uint64_t match = 0
        cdef uint32_t taken = 0
        cdef int32_t instrument
        cdef const Values* values
        if not self._price(rule, PRICE, &price):
            self._skip(rule, PRICE)
            return
        if rule.fields[<int>SIZE].count:
            if not self._size(rule, SIZE, &size):
                self._skip(rule, SIZE)
                return
        else:
            taken = TRADE_COUNTS_VOLUME
        if rule.fields[<int>ID].count and not self._id(rule, ID, &match):
            self._skip(rule, ID)
            return
        if rule.kind == KIND_CORRECT:
            self.market.correct_trade(self._known(), match, price, size, time)
            return
        instrument = self._instrument(rule)
        if instrument < 0:
            return
        if rule.fields[<int>SEQUENCE].count and not self._in_sequence(rule, instrument, &match):
            return
        taken |= self._taken_away(rule)
        if rule.kind == KIND_LAST:
            # A snapshot tells of the same sale again and again.
            values = &self.market.publisher.entries[instrument].values
            if values.price == price and values.exchange_time == time:
                self._skip(rule, REASON_REPEATED)
                return
            self.market.trade(
                instrument, price, size, match,
                flags_without(taken | TRADE_COUNTS_VOLUME) | TRADE_TOLD, time, receive_time,
            )
            return
        self.market.trade(
            instrument, price, size, match, flags_without(taken), time, receive_time
        )

    cdef uint32_t _taken_away(self, const Rule* rule) noexcept nogil:
        """The TradeFlags that the record's sale conditions take away."""
        cdef uint32_t flags = 0
        cdef int32_t node, end
        if not rule.conditions.count:
            return 0
        node = self._node(&self.routes[rule.conditions.first])
        if node == NO_NODE:
            return 0
        if self.tape.nodes[node].kind != JSON_ARRAY:
            return self._meaning(rule.condition_texts, node, 0)
        end = self.tape.nodes[node].next
        node += 1
        while node < end:
            flags |= self._meaning(rule.condition_texts, node, 0)
            node = self.tape.nodes[node].next
        return flags

    cdef void _quote(self, Rule* rule, int64_t time) noexcept nogil:
        cdef int64_t bid = 0
        cdef int64_t ask = 0
        cdef uint64_t bid_size = 0
        cdef uint64_t ask_size = 0
        cdef int32_t instrument
        if self._there(rule, BID_PRICE) and not self._price(rule, BID_PRICE, &bid):
            self._skip(rule, BID_PRICE)
        elif self._there(rule, ASK_PRICE) and not self._price(rule, ASK_PRICE, &ask):
            self._skip(rule, ASK_PRICE)
        elif self._there(rule, BID_SIZE) and not self._size(rule, BID_SIZE, &bid_size):
            self._skip(rule, BID_SIZE)
        elif self._there(rule, ASK_SIZE) and not self._size(rule, ASK_SIZE, &ask_size):
            self._skip(rule, ASK_SIZE)
        elif bid < 0 or ask < 0:
            self._skip(rule, BID_PRICE if bid < 0 else ASK_PRICE)
        else:
            instrument = self._instrument(rule)
            if instrument >= 0 and self._quote_in_sequence(rule, instrument):
                self.market.set_quote(instrument, bid, bid_size, ask, ask_size, time)

    cdef void _level(self, Rule* rule, int64_t time) noexcept nogil:
        cdef int64_t price = 0
        cdef uint64_t size = 0
        cdef uint32_t side = rule.side
        cdef int32_t node, instrument
        if rule.choice.count:
            node = self._node(&self.routes[rule.choice.first])
            side = self._meaning(rule.choice_texts, node, 2) if node != NO_NODE else 2
        if side > ASK:
            self._skip(rule, REASON_SIDE)
        elif not self._price(rule, PRICE, &price) or price <= 0:
            self._skip(rule, PRICE)
        elif not self._size(rule, SIZE, &size):
            self._skip(rule, SIZE)
        else:
            instrument = self._instrument(rule)
            if instrument >= 0:
                self.market.set_level(instrument, <Side>side, price, size, time)

    cdef void _rare(self, Rule* rule, int64_t time) noexcept nogil:
        cdef int64_t price = 0
        cdef uint64_t match = 0
        cdef uint32_t status = 0
        cdef int32_t node, instrument
        if rule.kind == KIND_STATUS:
            node = self._node(&self.routes[rule.choice.first])
            status = self._meaning(rule.choice_texts, node, 0) if node != NO_NODE else 0
            if not status:
                self._skip(rule, REASON_STATUS)
                return
        elif rule.kind == KIND_BREAK and not self._id(rule, ID, &match):
            self._skip(rule, ID)
            return
        elif rule.kind == KIND_CLOSE and (not self._price(rule, PRICE, &price) or price <= 0):
            self._skip(rule, PRICE)
            return
        if rule.kind == KIND_BREAK:
            self.market.break_trade(self._known(), match, time)
        elif rule.kind == KIND_CLEAR:
            instrument = self._known()
            if instrument >= 0:
                self.market.clear_instrument(instrument, time)
        else:
            instrument = self._instrument(rule)
            if instrument < 0:
                return
            if rule.kind == KIND_STATUS:
                self.market.set_status(instrument, status, time)
            else:
                self.market.set_previous_close(instrument, price)

    cdef bint _in_sequence(self, Rule* rule, int32_t instrument, uint64_t* match) noexcept nogil:
        """Whether the record is new within its symbol. Numbers with holes only tell records
        apart: they are the match number of a trade that has no other."""
        cdef uint64_t number = 0
        cdef uint64_t expected = self.next_numbers[instrument]
        cdef const char* text
        cdef uint32_t length
        if not self._field(rule, SEQUENCE, &text, &length) or not read_uint(text, length, &number):
            self._skip(rule, SEQUENCE)
            return False
        if not rule.sequence_gaps:
            match[0] = match[0] if match[0] else number
            return True
        if expected and number < expected:
            count(self.market.counters, FEED_DUPLICATE_MESSAGES, 1)
            self._skip(rule, REASON_REPEATED)
            return False
        if expected and number > expected:
            self._lost(number - expected)
        self.next_numbers[instrument] = number + 1
        return True

    cdef bint _quote_in_sequence(self, Rule* rule, int32_t instrument) noexcept nogil:
        cdef uint64_t unused = 0
        return not rule.fields[<int>SEQUENCE].count or self._in_sequence(rule, instrument, &unused)

    cdef int32_t _known(self) noexcept nogil:
        """The row of the record's symbol, -1: it has none."""
        cdef int32_t row = self.market.directory.row_of_symbol(self.symbol, self.symbol_length)
        return row if row >= 0 else -1

    cdef int32_t _instrument(self, Rule* rule) noexcept nogil:
        """The row of the record's symbol, a new one if it has none. Its number is its hash."""
        cdef int32_t row = self._known()
        if row < 0:
            row = self.market.define(
                hash_of(self.symbol, self.symbol_length) | <uint64_t>1 << 63,
                self.symbol, self.symbol_length,
            )
        if row < 0:
            self._skip(rule, REASON_NO_ROOM)
        return row

    cdef void _skip(self, Rule* rule, int reason) noexcept nogil:
        cdef Node* node = &self.tape.nodes[self.scopes[self.depth]]
        cdef size_t end = self.tape.length
        if node.next < self.tape.used:
            end = self.tape.nodes[node.next].start
        rule.skipped += 1
        if reason != REASON_REPEATED:
            count(self.market.counters, FEED_BAD_RECORDS, 1)
        keep(&rule.skips[reason], self.tape.text + node.start, end - node.start)

    # Fields

    cdef int32_t _step(self, const Step* step, int32_t node) noexcept nogil:
        if step.index >= 0 and self.tape.nodes[node].kind == JSON_ARRAY:
            return self.tape.element(node, <uint32_t>step.index)
        return self.tape.member(node, step.name, step.length)

    cdef int32_t _node(self, const Route* route) noexcept nogil:
        """The value at the end of a path, from the record at hand; null is NO_NODE too."""
        cdef int32_t node = self.scopes[0 if route.up < 0 else self.depth - route.up]
        cdef int i
        check(route.up <= self.depth)
        if route.key:
            return self.keys[self.depth - route.up]
        for i in range(route.steps):
            node = self._step(&route.step[i], node)
            if node == NO_NODE:
                return NO_NODE
        return NO_NODE if self.tape.nodes[node].kind == JSON_NULL else node

    cdef bint _text(self, int32_t node, const char** text, uint32_t* length) noexcept nogil:
        """The text of a string or number, good until the next call, or of neither: False."""
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

    cdef bint _field(
        self, const Rule* rule, Field field, const char** text, uint32_t* length
    ) noexcept nogil:
        """The text of a field, at the first of its paths where one is."""
        cdef int32_t i, node
        for i in range(rule.fields[<int>field].first,
                       rule.fields[<int>field].first + rule.fields[<int>field].count):
            node = self._node(&self.routes[i])
            if node != NO_NODE:
                return self._text(node, text, length)
        return False

    cdef bint _there(self, const Rule* rule, Field field) noexcept nogil:
        cdef int32_t i
        for i in range(rule.fields[<int>field].first,
                       rule.fields[<int>field].first + rule.fields[<int>field].count):
            if self._node(&self.routes[i]) != NO_NODE:
                return True
        return False

    cdef bint _symbol(self, const Rule* rule) noexcept nogil:
        cdef const char* text
        cdef uint32_t length, i
        if not self._field(rule, SYMBOL, &text, &length) or not 0 < length <= SYMBOL_BYTES:
            return False
        for i in range(length):
            if not 0x20 < text[i] < 0x7F:
                return False
        # It must outlive the next `_text`.
        self.symbol = text
        if text == self.plain:
            memcpy(self.symbol_text, text, length)
            self.symbol = self.symbol_text
        self.symbol_length = length
        return True

    cdef bint _price(self, const Rule* rule, Field field, int64_t* out) noexcept nogil:
        cdef const char* text
        cdef uint32_t length
        return self._field(rule, field, &text, &length) and read_decimal(
            text, length, 9, False, out
        )

    cdef bint _size(self, const Rule* rule, Field field, uint64_t* out) noexcept nogil:
        """A size, finer digits than the rows have cut."""
        cdef const char* text
        cdef uint32_t length
        cdef int64_t size = 0
        if not self._field(rule, field, &text, &length):
            return False
        if not read_decimal(text, length, self.size_decimals, True, &size) or size < 0:
            return False
        if <uint64_t>size > (<uint64_t>1 << 62) // rule.size_factor:
            return False
        out[0] = <uint64_t>size * rule.size_factor
        return True

    cdef bint _time(self, const Rule* rule, int64_t* out) noexcept nogil:
        cdef const char* text
        cdef uint32_t length
        if not self._field(rule, TIME, &text, &length):
            return False
        if rule.time_digits == ISO:
            return read_rfc3339(text, length, out)
        return read_decimal(text, length, 9 - rule.time_digits, True, out)

    cdef bint _id(self, const Rule* rule, Field field, uint64_t* out) noexcept nogil:
        """A trade's number; venues number by themselves, so theirs is part of it."""
        cdef const char* text
        cdef uint32_t length
        if not self._field(rule, field, &text, &length) or not length:
            return False
        if not read_uint(text, length, out):
            out[0] = hash_of(text, length)
        if self._there(rule, VENUE) and self._field(rule, VENUE, &text, &length):
            out[0] = (out[0] + 1) * <uint64_t>0x9E3779B97F4A7C15ULL ^ hash_of(text, length)
        out[0] = out[0] if out[0] else 1
        return True

    cdef uint32_t _meaning(self, Span texts, int32_t node, uint32_t other) noexcept nogil:
        """What a text stands for, or `other`."""
        cdef int32_t i
        if self.tape.nodes[node].kind not in (JSON_STRING, JSON_NUMBER):
            return other
        for i in range(texts.first, texts.first + texts.count):
            if self.tape.equals(node, self.texts[i].text, self.texts[i].length):
                return self.texts[i].meaning
        return other

    # What Python sees

    @property
    def taken(self) -> dict[str, int]:
        """Records that became calls on the market, by rule."""
        cdef int32_t i
        return {
            self.names[i]: self.rules[i].matched - self.rules[i].skipped
            for i in range(self.rule_count)
        }

    def skipped(self) -> list[Skipped]:
        """What was not taken: texts that are no JSON or that no rule matches, then records."""
        cdef int32_t i
        cdef int reason
        found = [
            skipped_of(&self.bad, "", "no JSON"), skipped_of(&self.unmatched, "", "no rule for it")
        ]
        for i in range(self.rule_count):
            for reason in range(<int>REASON_COUNT):
                found.append(
                    skipped_of(&self.rules[i].skips[reason], self.names[i], REASONS[reason])
                )
        return [each for each in found if each.times]


cdef str as_written(object value):
    """A value of `where` as JSON writes it, a string without its quotes."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


cdef object skipped_of(Skip* skip, str rule, str reason):
    return Skipped(rule, reason, skip.count, skip.example[:skip.length].decode(errors="replace"))


cdef void keep(Skip* skip, const uint8_t* data, size_t length) noexcept nogil:
    """Count one more, and keep its start."""
    skip.count += 1
    skip.length = <uint32_t>min(length, <size_t>EXAMPLE)
    memcpy(skip.example, data, skip.length)


cdef uint64_t hash_of(const char* text, uint32_t length) noexcept nogil:
    """FNV-1a."""
    cdef uint64_t value = 14695981039346656037ULL
    cdef uint32_t i
    for i in range(length):
        value = (value ^ <uint8_t>text[i]) * <uint64_t>1099511628211ULL
    return value
