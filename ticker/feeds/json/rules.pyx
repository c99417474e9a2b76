"""A mapping into flat arrays: see rules.pxd. Nothing here is called for a text."""

from libc.stdint cimport INT64_MAX, int32_t, uint8_t, uint32_t
from libc.stdlib cimport calloc, free

from ticker.feeds.json.scalars cimport EXACT, ROUND
from ticker.feeds.json.times cimport TimeZone
from ticker.feeds.market.conditions cimport (
    CODING_CTA,
    CODING_UTP,
    UNKNOWN_CONDITION,
    Coding,
    taken_by_letters,
)
from ticker.feeds.market.market cimport (
    ASK,
    BID,
    TRADE_COUNTS_VOLUME,
    TRADE_LAST_IF_ONLY,
    TRADE_SETS_LAST,
    TRADE_SETS_OPEN,
    TRADE_SETS_RANGE,
)
from ticker.shm.layout cimport STATUS_UNKNOWN

from datetime import datetime
from zoneinfo import ZoneInfo

from ticker.feeds.json.paths import EACH, EACH_OR_SELF, KEY, MEMBERS, read_path
from ticker.feeds.json.tables import TIME_UNITS, Mapping, Present, paths, scale_decimals
from ticker.feeds.market.conditions import taken_by_text
from ticker.shm.layout import TRADING_STATUSES, names_of

KINDS = names_of(RecordKind, "KIND_")
FIELDS = tuple([
    name.removesuffix("_price") for name in names_of(Field, "", end="FIELD_COUNT")
])
FORMS = {
    "cta": CODES_LETTERS, "utp": CODES_LETTERS, "polygon": CODES_NUMBERS, "fix": CODES_WORDS,
    "iex": CODES_BITS, None: CODES_WORDS,
}
SECOND = 1_000_000_000

if (KEY, EACH, EACH_OR_SELF, MEMBERS) != (
    STEP_KEY, STEP_EACH, STEP_EACH_OR_SELF, STEP_MEMBERS
):
    raise ImportError("paths.py numbers the steps of a path otherwise than rules.pxd")


cdef class Rules:
    """The rules of one mapping (mapping.py), those with the same path next to each other."""

    def __init__(self, mapping: Mapping) -> None:
        if self.rules != NULL:
            raise ValueError("rules are made once")
        self.mapping = mapping
        self.size_decimals = mapping.size_decimals
        self.kept = []
        self.route_list = []
        self.text_list = []
        self.test_list = []
        self.codes_list = []
        self.sequence_route = -1
        if mapping.sequence is not None:
            self.sequence_route = self._routes((mapping.sequence,)).first
        order = list(dict.fromkeys(record.path for record in mapping.records))
        records = sorted(mapping.records, key=lambda record: order.index(record.path))
        self.names = [record.name for record in records]
        self.has_levels = any(record.kind == "level" for record in records)
        self._compile(records)

    def __dealloc__(self) -> None:
        free(self.routes)
        free(self.texts)
        free(self.tests)
        free(self.rules)
        free(self.groups)
        free(self.codes)

    cdef int _compile(self, list records) except -1:
        cdef Group* group = NULL
        self.rules = <Rule*>calloc(len(records), sizeof(Rule))
        self.groups = <Group*>calloc(len(records), sizeof(Group))
        if not (self.rules and self.groups):
            raise MemoryError("no memory for the mapping")
        path = None
        for record in records:
            if record.path != path:
                path = record.path
                group = &self.groups[self.group_count]
                self.group_count += 1
                group.rules.first = self.rule_count
                self._fill_route(&group.records, read_path(path, many=True))
            group.rules.count += 1
            self._fill_rule(&self.rules[self.rule_count], record)
            self.rule_count += 1
        return self._fill()

    cdef int _fill(self) except -1:
        """The lists into arrays."""
        cdef int i
        cdef bytes kept
        self.routes = <Route*>calloc(len(self.route_list) + 1, sizeof(Route))
        self.texts = <Text*>calloc(len(self.text_list) + 1, sizeof(Text))
        self.tests = <Test*>calloc(len(self.test_list) + 1, sizeof(Test))
        if not (self.routes and self.texts and self.tests):
            raise MemoryError("no memory for the mapping")
        for i, read in enumerate(self.route_list):
            self._fill_route(&self.routes[i], read)
        for i, (text, meaning) in enumerate(self.text_list):
            kept = self._keep(text)
            self.texts[i].text = kept
            self.texts[i].length = len(kept)
            self.texts[i].meaning = meaning
        for i, (route, present, first, count) in enumerate(self.test_list):
            self.tests[i] = Test(route, present, Span(first, count))
        self._fill_codes()
        self.route_list = self.text_list = self.test_list = self.codes_list = None
        return 0

    cdef int _fill_codes(self) except -1:
        """What each letter or number takes away; what is longer stays a text."""
        cdef Codes* codes
        cdef int i, code
        self.codes_count = len(self.codes_list)
        self.codes = <Codes*>calloc(self.codes_count + 1, sizeof(Codes))
        if self.codes == NULL:
            raise MemoryError("no memory for the mapping")
        for i, (form, away, texts, other) in enumerate(self.codes_list):
            codes = &self.codes[i]
            codes.form = <CodeForm><int>form
            codes.other = <uint32_t><int>other
            codes.texts = texts
            for code, flags in away.items():
                codes.away[code] = <uint32_t><int>flags
        return 0

    cdef int _fill_rule(self, Rule* rule, object record) except -1:
        cdef int field
        rule.kind = <RecordKind><int>KINDS.index(record.kind)
        top = [each for each in record.where.items() if each[0].startswith("$")]
        rule.top_tests = self._tests(top)
        rule.tests = self._tests([each for each in record.where.items() if each not in top])
        for field in range(<int>FIELD_COUNT):
            rule.fields[field] = self._routes(paths(getattr(record, FIELDS[field])))
        rule.id_parts = self._routes(record.id_parts)
        if record.conditions is not None:
            self._fill_conditions(rule, record.conditions)
        self._choose(rule, record)
        self._fill_prices(rule, record)
        self._fill_times(rule, record)
        rule.sequence_gaps = record.sequence_gaps
        rule.depth = record.depth or 0
        if record.checksum is not None:
            rule.checksum = self._routes((record.checksum.path,))
        return 0

    cdef int _fill_prices(self, Rule* rule, object record) except -1:
        """How prices are written: by the record's own keys, or those of the mapping."""
        own = record.price_decimals is not None or record.price_scale is not None
        table = record if own else self.mapping
        none = self.mapping.price_none if record.price_none is None else record.price_none
        rule.price_digits = 9
        rule.price_finer = EXACT
        rule.price_factor = 1
        if table.price_scale is not None:
            rule.price_digits = 9 - <int>scale_decimals(table.price_scale)
        elif table.price_decimals is not None:
            rule.price_digits = table.price_decimals
            rule.price_finer = ROUND
            factor = 10 ** (9 - table.price_decimals)
            rule.price_factor = factor
        rule.price_none = self._texts([(as_written(value), 0) for value in none])
        return 0

    cdef int _fill_times(self, Rule* rule, object record) except -1:
        cdef TimeZone zone
        cdef bytes pattern
        name = record.time_zone or self.mapping.time_zone
        if name is not None:
            zone = TimeZone(name)
            self.kept.append(zone)
            rule.zone = &zone.zone
        rule.time_digits = TIME_UNITS.get(record.time_unit, ISO)
        if record.time_format is not None:
            pattern = self._keep(record.time_format)
            rule.time_digits = PATTERN
            rule.time_pattern = pattern
        rule.size_factor = record.size_factor
        rule.size_factor_until = INT64_MAX
        if record.size_factor_until is not None:
            day = record.size_factor_until
            midnight = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(name or "UTC"))
            rule.size_factor_until = int(midnight.timestamp()) * SECOND
        return 0

    cdef int _fill_conditions(self, Rule* rule, object conditions) except -1:
        rule.conditions = self._routes((conditions.path,))
        rule.codes = self._codes(conditions.table, conditions)
        if conditions.tape is not None:
            rule.tape = self._routes((conditions.tape,))
            rule.tape_texts = self._texts([
                (tape, self._codes(table, conditions)) for tape, table in conditions.tapes.items()
            ])
        return 0

    cdef int32_t _codes(self, object table, object conditions) except -1:
        """The codes of one table, with what a record's conditions say besides; their place."""
        form = FORMS[table]
        taken = taken_by_text(table) if table else {}
        away, words = {}, []
        if form == CODES_LETTERS:
            taken = {**by_letters(table), **taken}
        elif form == CODES_BITS:
            away = by_bits(taken)
            taken = {}
        elif form == CODES_NUMBERS:
            away = {number: UNKNOWN_CONDITION for number in range(CODES)}
        for text, flags in said_besides(conditions).items():
            taken[text] = taken.get(text, 0) & ~UNKNOWN_CONDITION | flags
        for text, flags in taken.items():
            code = code_of(form, text)
            if code is None:
                words.append((text, flags))
            else:
                away[code] = flags
        # Codes of a record's own that no table has are all that the mapping says of them.
        other = UNKNOWN_CONDITION if table else 0
        self.codes_list.append((form, away, self._texts(words), other))
        return len(self.codes_list) - 1

    cdef int _choose(self, Rule* rule, object record) except -1:
        """The side or the status: said by the mapping, or found in the text."""
        if isinstance(record.side, str):
            rule.side = BID if record.side == "bid" else ASK
        elif record.side is not None:
            rule.choice = self._routes((record.side.path,))
            rule.choice_texts = self._texts(
                [(text, <int>BID) for text in record.side.bid]
                + [(text, <int>ASK) for text in record.side.ask]
            )
        if record.status is not None:
            rule.choice = self._routes((record.status.path,))
            rule.choice_texts = self._texts([
                (text, status) for status, name in enumerate(TRADING_STATUSES)
                if status != STATUS_UNKNOWN
                for text in getattr(record.status, name)
            ])
        return 0

    cdef Span _routes(self, tuple where) except *:
        cdef Span span = Span(len(self.route_list), len(where))
        self.route_list += [read_path(path) for path in where]
        return span

    cdef Span _texts(self, list texts) except *:
        cdef Span span = Span(len(self.text_list), len(texts))
        self.text_list += texts
        return span

    cdef Span _tests(self, list tests) except *:
        cdef Span span = Span(len(self.test_list), len(tests))
        cdef Span route, texts
        for path, wanted in tests:
            route = self._routes((path,))
            if isinstance(wanted, Present):
                self.test_list.append((route.first, int(wanted.present), 0, 0))
            else:
                values = wanted if isinstance(wanted, tuple) else (wanted,)
                texts = self._texts([(as_written(value), 0) for value in values])
                self.test_list.append((route.first, -1, texts.first, texts.count))
        return span

    cdef int _fill_route(self, Route* route, object read) except -1:
        cdef Step* step
        cdef bytes kept
        route.up = read.up
        route.source = OF_REQUEST if read.request else OF_KEY if read.key else OF_VALUE
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
        """A text as bytes that live as long as the rules do."""
        kept = text.encode()
        self.kept.append(kept)
        return kept


cdef dict by_letters(str table):
    """What each letter takes away, those too that the tape's plan does not list."""
    cdef Coding coding = CODING_UTP if table == "utp" else CODING_CTA
    cdef uint8_t letter
    return {chr(letter): taken_by_letters(coding, &letter, 1) for letter in range(0x21, 0x7F)}


cdef dict by_bits(dict taken):
    """What each number takes away whose bits are conditions."""
    found = {}
    for number in range(CODES):
        found[number] = 0
        for bit, flags in taken.items():
            found[number] |= flags if number & int(bit) else 0
    return found


cdef object code_of(int form, str text):
    """The place of a condition in `Codes.away`; None: it is a text."""
    if form == CODES_LETTERS and len(text) == 1:
        return ord(text)
    if form == CODES_NUMBERS and text.isascii() and text.isdigit() and int(text) < CODES:
        return int(text)
    return None


cdef dict said_besides(object conditions):
    """What the mapping itself says of a condition: TradeFlags that it takes away."""
    taken = {}
    for texts, flag in (
        (conditions.not_last, TRADE_SETS_LAST | TRADE_LAST_IF_ONLY),
        (conditions.not_range, TRADE_SETS_RANGE | TRADE_SETS_OPEN),
        (conditions.not_volume, TRADE_COUNTS_VOLUME),
    ):
        for text in texts:
            taken[text] = taken.get(text, 0) | <int>flag
    return taken


cdef str as_written(object value):
    """A value of `where` as JSON writes it, a string without its quotes."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
