"""Sale conditions: what a trade with each of them updates, by the consolidated tapes' rules.

Law: this table is the only place that says so. A protocol gives the codes of a trade and gets the
TradeFlags that are left; a trade has several conditions, and each takes away what it says `NO` to.

A condition decides five things apart: last, open, high and low, volume, and official open or close.

    YES     it updates it
    NO      it does not
    ONLY    if no other trade has set it in this session (CTA notes 2 and 4, UTP footnote 1)
    SAME    if no other trade has set it, or the same venue or the listing one set it (CTA note 3)
    LATE    if it is received before the end of last-sale eligibility, 10 s after the close
            (UTP footnote 2)
    OPEN, CLOSE             its price is the venue's official one of the day

Sources, named in docs/filter.md row by row: CTA, "CTS Pillar Multicast Output Binary Specification"
2.11b, Sale Condition, columns Consolidated, notes 2 to 4; UTP, "UTP Data Feed Services
Specification" 4.1, section 3.14.2; Polygon, update_rules of /v3/reference/conditions; FIX 4.4 and
its extension packs, TradeCondition (277); IEX TOPS 1.66, Trade Report, Sale Condition Flags.

What the tapes' rules leave open is decided so: a trade that may set the last only where there is no
other, may set the open only so (it is late, or its price is of another time); codes that a plan
reserves or does not list count for volume only. Odd lots and extended hours are marked besides, and
count for volume unless the feed's configuration says otherwise ([feeds.filter], Sales).
"""

from libc.stdint cimport uint8_t, uint32_t

from typing import NamedTuple

from ticker.feeds.market.trades cimport (
    TRADE_COUNTS_VOLUME,
    TRADE_EXTENDED,
    TRADE_LAST_IF_ONLY,
    TRADE_LAST_IF_SAME,
    TRADE_LAST_IN_TIME,
    TRADE_ODD_LOT,
    TRADE_OFFICIAL_CLOSE,
    TRADE_OFFICIAL_OPEN,
    TRADE_SETS_LAST,
    TRADE_SETS_OPEN,
    TRADE_SETS_RANGE,
)

NO = 0
ONLY = 1
YES = 2
SAME = 3
LATE = 4
OPEN = 5
CLOSE = 6


class Condition(NamedTuple):
    """A sale condition: what it updates, and how each coding writes it (a letter or more each)."""

    name: str
    last: int
    open: int
    range: int
    volume: int
    official: int = NO
    cta: str = ""
    utp: str = ""
    polygon: tuple = ()
    fix: tuple = ()
    iex: int = 0
    mark: int = 0


CONDITIONS = (
    #         name                    last  open  range volume official cta  utp  polygon  fix
    Condition("regular",              YES,  YES,  YES,  YES,  NO,    " @", " @", (0,)),
    Condition("acquisition",          YES,  YES,  YES,  YES,  NO,    "",  "A",  (1,),     ("c",)),
    Condition("average price",        NO,   NO,   NO,   YES,  NO,    "B", "W",  (2,),     ("B",)),
    Condition("automatic execution",  YES,  YES,  YES,  YES,  NO,    "E", "",   (3,),     ("AQ",)),
    Condition("bunched",              YES,  YES,  YES,  YES,  NO,    "",  "B",  (4,),     ("d",)),
    Condition("bunched sold",         ONLY, ONLY, YES,  YES,  NO,    "",  "G",  (5,),     ("f",)),
    Condition("cash",                 NO,   NO,   NO,   YES,  NO,    "C", "C",  (7,),     ("A", "C")),
    Condition("closing trade",        YES,  YES,  YES,  YES,  CLOSE, "6", "6",  (8, 19)),
    Condition("cross",                YES,  YES,  YES,  YES,  NO,    "X", "X",  (9,),     ("X", "AO")),
    Condition("derivatively priced",  ONLY, ONLY, YES,  YES,  NO,    "4", "4",  (10,)),
    Condition("distribution",         YES,  YES,  YES,  YES,  NO,    "",  "D",  (11,),    ("e",)),
    # The tapes' NO NO NO YES by its mark: so by default, as written here if the feed says so.
    Condition("form T",               YES,  YES,  YES,  YES,  NO,    "T", "T",  (12,),
              ("AR", "AG", "AF", "m", "r", "u", "v", "x", "z"), 0x40, TRADE_EXTENDED),
    Condition("extended hours, sold out of sequence",
                                      ONLY, ONLY, YES,  YES,  NO,    "U", "U",  (13,),    ("k",),
              0, TRADE_EXTENDED),
    Condition("intermarket sweep",    YES,  YES,  YES,  YES,  NO,    "F", "F",  (14,),    ("Z",), 0x80),
    Condition("official close",       NO,   NO,   NO,   NO,   CLOSE, "M", "M",  (15,),    ("AJ", "AN")),
    Condition("official open",        NO,   NO,   NO,   NO,   OPEN,  "Q", "Q",  (16,)),
    Condition("opening trade",        YES,  YES,  YES,  YES,  OPEN,  "O", "O",  (17, 25), ("R",)),
    Condition("opening or reopening trade",
                                      YES,  YES,  YES,  YES,  NO,    "",  "",   (55,),    ("E",)),
    Condition("reopening trade",      YES,  YES,  YES,  YES,  NO,    "5", "5",  (18, 28), ("w",)),
    Condition("next day",             NO,   NO,   NO,   YES,  NO,    "N", "N",  (20,),    ("D", "J")),
    Condition("price variation",      NO,   NO,   NO,   YES,  NO,    "H", "H",  (21,)),
    Condition("prior reference",      ONLY, ONLY, YES,  YES,  NO,    "P", "P",  (22,),    ("AK",)),
    Condition("rule 127 or 155",      YES,  YES,  YES,  YES,  NO,    "K", "K",  (23, 24), ("G", "H")),
    Condition("stopped stock",        YES,  YES,  YES,  YES,  NO,    "",  "1",  (27,),    ("N", "AE")),
    Condition("seller",               NO,   NO,   NO,   YES,  NO,    "R", "R",  (29,),    ("L",)),
    Condition("sold last",            SAME, YES,  YES,  YES,  NO,    "L", "",   (30, 31), ("I", "o", "AL")),
    Condition("sold last, tape C",    LATE, YES,  YES,  YES,  NO,    "",  "L"),
    Condition("sold out of sequence", ONLY, ONLY, YES,  YES,  NO,    "Z", "Z",  (32, 33), ("M", "K", "AM")),
    Condition("split trade",          YES,  YES,  YES,  YES,  NO,    "",  "S",  (34,),    ("g",)),
    Condition("stock option",         YES,  YES,  YES,  YES,  NO,    "",  "",   (35,)),
    Condition("yellow flag",          YES,  YES,  YES,  YES,  NO,    "",  "Y",  (36,),    ("Y",)),
    # The tapes' NO NO NO YES by its mark, as above.
    Condition("odd lot",              YES,  YES,  YES,  YES,  NO,    "I", "I",  (37,),    (), 0x20,
              TRADE_ODD_LOT),
    Condition("corrected close",      YES,  YES,  YES,  NO,   CLOSE, "9", "9",  (38,)),
    Condition("trade-through exempt", YES,  YES,  YES,  YES,  NO,    "",  "",   (41,),    ("AU",), 0x10),
    Condition("contingent",           NO,   NO,   NO,   YES,  NO,    "V", "V",  (52,),
              ("3", "4", "AA", "AB", "AC", "AD", "AH", "AI")),
    Condition("qualified contingent", NO,   NO,   NO,   YES,  NO,    "7", "7",  (53,)),
    Condition("reserved",             NO,   NO,   NO,   YES,  NO,    "8", "8E"),
    Condition("volume only",          NO,   NO,   NO,   YES,  NO,    "",  "",   (),       ("a",)),
    Condition("cancelled",            NO,   NO,   NO,   NO,   NO,    "",  "",   (44, 54),
              ("0", "h", "i", "j", "l", "n", "p", "q", "s", "t")),
)
# The codings by name, as mappings write them.
CODINGS = ("cta", "utp", "polygon", "fix", "iex")

cdef enum:
    # A code that no table has may mean anything, so its trade counts for volume only.
    UNKNOWN = (
        TRADE_SETS_LAST | TRADE_LAST_IF_ONLY | TRADE_SETS_OPEN | TRADE_SETS_RANGE
        | UNKNOWN_CONDITION
    )
    LETTERS = 128

cdef enum:
    IEX_FLAGS = 0x80 | 0x40 | 0x20 | 0x10 | 0x08  # 0x08: a single-price cross, regular

cdef uint32_t[2][LETTERS] by_letter
cdef uint32_t[256] by_iex
# FIX: one character at [0], two at [1 + first - 'A'].
cdef uint32_t[27][LETTERS] by_fix


def taken(condition: Condition) -> int:
    """What a condition takes away from a trade, and its marks: bits of TradeFlag."""
    found = condition.mark
    if condition.last == ONLY:
        found |= TRADE_SETS_LAST
    elif condition.last == NO:
        found |= TRADE_SETS_LAST | TRADE_LAST_IF_ONLY
    elif condition.last == SAME:
        found |= TRADE_LAST_IF_SAME
    elif condition.last == LATE:
        found |= TRADE_LAST_IN_TIME
    if condition.open != YES:
        found |= TRADE_SETS_OPEN
    if condition.range == NO:
        found |= TRADE_SETS_RANGE
    if condition.volume == NO:
        found |= TRADE_COUNTS_VOLUME
    if condition.official == OPEN:
        found |= TRADE_OFFICIAL_OPEN
    elif condition.official == CLOSE:
        found |= TRADE_OFFICIAL_CLOSE
    return found


def taken_by_text(coding: str) -> dict[str, int]:
    """What each code of a coding takes away, and its marks: bits of TradeFlag, 0 for a code that
    leaves all. A code that is not here is unknown.

    Raises:
        KeyError: no such coding.
    """
    return {
        code: taken(condition)
        for condition in CONDITIONS
        for code in codes_of(condition, coding)
    }


def codes_of(condition: Condition, coding: str) -> tuple[str, ...]:
    """How a coding writes a condition, each way of it as a text. Raises KeyError."""
    return {
        "cta": tuple(condition.cta),
        "utp": tuple(condition.utp),
        "polygon": tuple(map(str, condition.polygon)),
        "fix": tuple(condition.fix),
        "iex": (str(condition.iex),) if condition.iex else (),
    }[coding]


cdef int fill_tables() except -1:
    cdef int i, j
    for i in range(LETTERS):
        by_letter[<int>CODING_CTA][i] = by_letter[<int>CODING_UTP][i] = UNKNOWN
        for j in range(27):
            by_fix[j][i] = UNKNOWN_CONDITION
    for i in range(256):
        by_iex[i] = UNKNOWN_CONDITION if i & ~IEX_FLAGS else 0
    for condition in CONDITIONS:
        away = taken(condition)
        for letter in condition.cta:
            by_letter[<int>CODING_CTA][<int>ord(letter)] = away
        for letter in condition.utp:
            by_letter[<int>CODING_UTP][<int>ord(letter)] = away
        for code in condition.fix:
            i = ord(code[0]) - ord("A") + 1 if len(code) == 2 else 0
            by_fix[i][<int>ord(code[len(code) - 1])] = away
        for i in range(256):
            if i & condition.iex:
                by_iex[i] |= <uint32_t>away
    by_letter[<int>CODING_CTA][0] = by_letter[<int>CODING_UTP][0] = 0
    return 0


cdef uint32_t taken_by_letters(Coding coding, const uint8_t* codes, size_t count) noexcept nogil:
    """`codes`: one byte per condition; blanks and NULs are none."""
    cdef uint32_t away = 0
    cdef size_t i
    for i in range(count):
        away |= by_letter[<int>coding][codes[i]] if codes[i] < LETTERS else UNKNOWN
    return away


cdef uint32_t taken_by_iex(uint8_t flags) noexcept nogil:
    return by_iex[flags]


cdef uint32_t taken_by_fix(const uint8_t* text, size_t length) noexcept nogil:
    """A code that is not listed takes nothing away: venues have their own."""
    cdef uint32_t away = 0
    cdef size_t start = 0
    cdef size_t end
    while start < length:
        end = start
        while end < length and text[end] != c" ":
            end += 1
        if end - start == 1 and text[start] < LETTERS:
            away |= by_fix[0][text[start]]
        elif (end - start == 2 and c"A" <= text[start] <= c"Z" and text[start + 1] < LETTERS):
            away |= by_fix[1 + text[start] - c"A"][text[start + 1]]
        elif end > start:
            away |= UNKNOWN_CONDITION
        start = end + 1
    return away


def trade_flags(coding: str, codes: str) -> int:
    """The TradeFlags of a trade with these codes: letters (cta, utp), the field 277 (fix), or
    numbers with blanks between (polygon; iex: one number of all bits).

    Raises:
        KeyError: no such coding.
    """
    return flags_without(taken_together(coding, codes)) & ~UNKNOWN_CONDITION


def knows(coding: str, codes: str) -> bool:
    """Whether the table has each of these codes, written as for `trade_flags`. Raises KeyError."""
    return not taken_together(coding, codes) & UNKNOWN_CONDITION


cdef uint32_t taken_together(str coding, str codes) except? 0xFFFFFFFF:
    cdef bytes text = codes.encode("ascii")
    cdef const uint8_t* data = text
    cdef uint32_t away = 0
    if coding in ("cta", "utp"):
        away = taken_by_letters(CODING_UTP if coding == "utp" else CODING_CTA, data, len(text))
    elif coding == "fix":
        away = taken_by_fix(data, len(text))
    elif coding == "iex":
        away = taken_by_iex(int(codes))
    else:
        table = taken_by_text(coding)
        for code in codes.split():
            away |= <uint32_t>table.get(code, UNKNOWN_CONDITION)
    return away


fill_tables()
