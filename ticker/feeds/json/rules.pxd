"""A mapping (mapping.py) as flat arrays: what the decoder of JSON reads for each record.

    Group   rules whose records are in the same place of a text, which is walked once for them all
    Rule    one table of [[records]]: when it counts, where its fields are
    Route   a path: where it starts, and its steps
    Codes   what each sale condition of one coding takes away from a trade
"""

from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t

from ticker.feeds.json.scalars cimport Finer
from ticker.feeds.json.times cimport Zone
from ticker.feeds.market.market cimport Side


cdef enum StepKind:
    STEP_KEY = 0                 # rules.pyx holds paths.py's to these
    STEP_EACH
    STEP_EACH_OR_SELF
    STEP_MEMBERS

# A mapping's `kind`: the name without its prefix.
cpdef enum RecordKind:
    KIND_TRADE = 0
    KIND_LAST
    KIND_QUOTE
    KIND_LEVEL
    KIND_CLEAR
    KIND_STATUS
    KIND_BREAK
    KIND_CORRECT
    KIND_CLOSE
    KIND_ERROR
    KIND_PING
    KIND_ALIVE                   # the vendor says that it is well, and that there is nothing new

# A mapping's fields by their names; that of BID_PRICE is `bid`, that of ASK_PRICE `ask`.
cpdef enum Field:
    SYMBOL = 0
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
    NEW_ID
    TEXT
    FIELD_COUNT

cdef enum Reason:
    # A Field that cannot be read, or one of:
    REASON_SIDE = <int>FIELD_COUNT
    REASON_STATUS
    REASON_REPEATED              # it was there before
    REASON_NO_ROOM               # for another symbol in the table
    REASON_LONG_SYMBOL
    REASON_FINE_PRICE            # finer than rows have it
    REASON_NO_OFFSET             # of a time whose zone is not known
    REASON_COUNT

cdef enum Source:
    OF_VALUE = 0                 # what is there
    OF_KEY                       # the name of what is there
    OF_REQUEST                   # the symbol that was asked for

cdef enum:
    STEPS = 8
    EXAMPLE = 160
    ISO = -1                     # instead of decimals of a second
    PATTERN = -2
    UNKNOWN_SIDE = 2
    CODES = 256

cdef enum CodeForm:
    CODES_WORDS = 0              # of any length, blanks or commas between
    CODES_LETTERS                # a character each, blanks are none
    CODES_NUMBERS                # below CODES, anything else between
    CODES_BITS                   # a number; each of its bits is one

cdef struct Step:
    const char* name
    uint32_t length
    int32_t index                # of an array's element, -1: none
    uint8_t kind                 # StepKind

cdef struct Route:
    int8_t up                    # levels above the record where it starts, -1: the top
    uint8_t source               # Source
    uint8_t steps
    Step[STEPS] step

cdef struct Span:
    int32_t first                # in `routes`, `texts`, `tests` or `rules`
    int32_t count

cdef struct Text:
    const char* text
    uint32_t length
    uint32_t meaning             # a Side, a TradingStatus, TradeFlags that it takes away

cdef struct Test:
    int32_t route
    int32_t present              # 1, 0: it must be there, or not; -1: one of `texts`
    Span texts

cdef struct Codes:
    CodeForm form
    uint32_t[<int>CODES] away    # TradeFlags, by letter or number
    uint32_t other               # the same of a code that is neither there nor in `texts`
    Span texts                   # words, and what the mapping names itself

cdef struct Skip:
    uint64_t count
    uint32_t length
    char[EXAMPLE] example        # the start of the last one

cdef struct Rule:
    RecordKind kind
    Span top_tests               # of the text's own top: the same for all its records
    Span tests
    Span[<int>FIELD_COUNT] fields
    Span id_parts                # further routes, each a part of the id
    Span conditions              # one route, or none
    Span tape                    # one route to the tape whose codes they are, or none
    Span tape_texts              # each means a place in `codes`
    int32_t codes                # of any other tape
    Span choice                  # one route to the side or status, or none
    Span choice_texts
    Side side                    # where there is no route to it
    int32_t time_digits          # of a second, or ISO, or PATTERN
    const char* time_pattern
    const Zone* zone             # of times without an offset, NULL: not known
    int32_t price_digits         # decimals that are read
    Finer price_finer            # what becomes of finer ones
    int64_t price_factor         # from those to 1e-9
    Span price_none              # what is written where there is no price
    uint64_t size_factor
    int64_t size_factor_until    # ns, of records before it
    int32_t depth                # levels of a side that the vendor keeps up to date, 0: all
    Span checksum                # one route to that of the book, or none
    bint sequence_gaps
    bint counts                  # for the text at hand: it passed `top_tests`
    uint64_t matched
    uint64_t skipped
    Skip[<int>REASON_COUNT] skips

cdef struct Group:
    Route records
    Span rules


cdef class Rules:
    cdef list names              # of the rules
    cdef list kept               # what `text`, `name` and `zone` pointers point into
    cdef Route* routes
    cdef Text* texts
    cdef Test* tests
    cdef Rule* rules
    cdef Group* groups
    cdef Codes* codes
    cdef int32_t rule_count, group_count, codes_count
    cdef int32_t sequence_route  # of a text's number in its connection, -1: none
    cdef int size_decimals
    cdef bint has_levels         # some rule makes books
    # while it is compiled, what the arrays are made of
    cdef object mapping
    cdef list route_list, text_list, test_list, codes_list

    cdef int _compile(self, list records) except -1
    cdef int _fill(self) except -1
    cdef int _fill_codes(self) except -1
    cdef int _fill_rule(self, Rule* rule, object record) except -1
    cdef int _fill_prices(self, Rule* rule, object record) except -1
    cdef int _fill_times(self, Rule* rule, object record) except -1
    cdef int _fill_conditions(self, Rule* rule, object conditions) except -1
    cdef int _choose(self, Rule* rule, object record) except -1
    cdef int32_t _codes(self, object table, object conditions) except -1
    cdef Span _routes(self, tuple paths) except *
    cdef Span _texts(self, list texts) except *
    cdef Span _tests(self, list tests) except *
    cdef int _fill_route(self, Route* route, object read) except -1
    cdef bytes _keep(self, str text)
