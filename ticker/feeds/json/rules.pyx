"""A mapping into flat arrays: see rules.pxd. Nothing here is called for a text."""

from libc.stdlib cimport calloc, free

from ticker.feeds.market.market cimport (
    ASK,
    BID,
    TRADE_COUNTS_VOLUME,
    TRADE_LAST_IF_ONLY,
    TRADE_SETS_LAST,
    TRADE_SETS_RANGE,
)
from ticker.shm.layout cimport STATUS_UNKNOWN
from ticker.feeds.json import mapping as mappings
from ticker.feeds.market.conditions import taken_by_text
from ticker.shm.layout import TRADING_STATUSES, names_of

KINDS = names_of(RecordKind, "KIND_")
FIELDS = tuple([
    name.removesuffix("_price") for name in names_of(Field, "", end="FIELD_COUNT")
])

if (mappings.KEY, mappings.EACH, mappings.EACH_OR_SELF, mappings.MEMBERS) != (
    STEP_KEY, STEP_EACH, STEP_EACH_OR_SELF, STEP_MEMBERS
):
    raise ImportError("mapping.py numbers the steps of a path otherwise than rules.pxd")


cdef class Rules:
    """The rules of one mapping (mapping.py), those with the same path next to each other."""

    def __init__(self, mapping: mappings.Mapping) -> None:
        if self.rules != NULL:
            raise ValueError("rules are made once")
        self.size_decimals = mapping.size_decimals
        self.kept = []
        self.route_list = []
        self.text_list = []
        self.test_list = []
        self.sequence_route = -1
        if mapping.sequence is not None:
            self.sequence_route = self._routes((mapping.sequence,)).first
        paths = list(dict.fromkeys(record.path for record in mapping.records))
        records = sorted(mapping.records, key=lambda record: paths.index(record.path))
        self.names = [record.name for record in records]
        self.has_levels = any(record.kind == "level" for record in records)
        self._compile(records)

    def __dealloc__(self) -> None:
        free(self.routes)
        free(self.texts)
        free(self.tests)
        free(self.rules)
        free(self.groups)

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
                self._fill_route(&group.records, mappings.read_path(path, many=True))
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
        self.route_list = self.text_list = self.test_list = None
        return 0

    cdef int _fill_rule(self, Rule* rule, object record) except -1:
        cdef int field
        rule.kind = <RecordKind><int>KINDS.index(record.kind)
        top = [each for each in record.where.items() if each[0].startswith("$")]
        rule.top_tests = self._tests(top)
        rule.tests = self._tests([each for each in record.where.items() if each not in top])
        for field in range(<int>FIELD_COUNT):
            rule.fields[field] = self._routes(mappings.paths(getattr(record, FIELDS[field])))
        if record.conditions is not None:
            rule.conditions = self._routes((record.conditions.path,))
            rule.condition_texts = self._texts(list(taken_away(record.conditions).items()))
        self._choose(rule, record)
        rule.time_digits = mappings.TIME_UNITS.get(record.time_unit, ISO)
        rule.size_factor = record.size_factor
        rule.sequence_gaps = record.sequence_gaps
        return 0

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

    cdef Span _routes(self, tuple paths) except *:
        cdef Span span = Span(len(self.route_list), len(paths))
        self.route_list += [mappings.read_path(path) for path in paths]
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
            if isinstance(wanted, mappings.Present):
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


cdef dict taken_away(object conditions):
    """Each condition once, with all the TradeFlags that it takes away."""
    taken = taken_by_text(conditions.table) if conditions.table else {}
    for texts, flag in (
        (conditions.not_last, TRADE_SETS_LAST | TRADE_LAST_IF_ONLY),
        (conditions.not_range, TRADE_SETS_RANGE),
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
