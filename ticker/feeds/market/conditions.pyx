"""Sale conditions: what a trade with each of them updates, by the consolidated tapes' rules.

Law: this table is the only place that says so. A protocol gives the codes of a trade and gets the
TradeFlags that are left; a trade has several conditions, and each takes away what it says `NO` to.

Sources: CTA, "CTS Pillar Output Specification", Sale Condition (columns Consolidated: last,
high/low, volume; notes 2 to 4); UTP, "Data Feed Services Specification", Sale Condition Matrix
(footnotes 1 and 2); FIX 4.4 and its extension packs, TradeCondition (277); IEX TOPS 1.6, Trade
Report, Sale Condition Flags. Open goes with high and low here: the first trade that sets the range.

    YES     it updates it
    NO      it does not
    ONLY    last: if no other trade has set it in this session (CTA note 2, UTP footnote 1)

What the tapes' rules need and one feed cannot know, is decided so: `sold last` updates the last
sale (a feed is one participant, and its lateness is the venue's own); codes that a plan reserves
or does not list count for volume only. Odd lots and extended hours are marked besides, and count
for volume unless the feed's configuration says otherwise ([feeds.filter], Market).
"""

from libc.stdint cimport uint8_t, uint32_t

from typing import NamedTuple

from ticker.feeds.market.trades cimport (
    TRADE_COUNTS_VOLUME,
    TRADE_EXTENDED,
    TRADE_LAST_IF_ONLY,
    TRADE_ODD_LOT,
    TRADE_SETS_LAST,
    TRADE_SETS_OPEN,
    TRADE_SETS_RANGE,
)

NO = 0
ONLY = 1
YES = 2


class Condition(NamedTuple):
    """A sale condition: what it updates, and how each coding writes it (a letter or more each)."""

    name: str
    last: int
    range: int
    volume: int
    cta: str = ""
    utp: str = ""
    polygon: tuple = ()
    fix: tuple = ()
    iex: int = 0


CONDITIONS = (
    #         name                    last  range volume cta  utp   polygon   fix
    Condition("regular",              YES,  YES,  YES,  " @", " @", (0,)),
    Condition("acquisition",          YES,  YES,  YES,  "",  "A",  (1,),     ("c",)),
    Condition("average price",        NO,   NO,   YES,  "B", "W",  (2,),     ("B",)),
    Condition("automatic execution",  YES,  YES,  YES,  "E", "",   (3,),     ("AQ",)),
    Condition("bunched",              YES,  YES,  YES,  "",  "B",  (4,),     ("d",)),
    Condition("bunched sold",         ONLY, YES,  YES,  "",  "G",  (5,),     ("f",)),
    Condition("cash",                 NO,   NO,   YES,  "C", "C",  (7,),     ("A", "C")),
    Condition("closing trade",        YES,  YES,  YES,  "6", "6",  (8, 19)),
    Condition("cross",                YES,  YES,  YES,  "X", "X",  (9,),     ("X", "AO")),
    Condition("derivatively priced",  ONLY, YES,  YES,  "4", "4",  (10,)),
    Condition("distribution",         YES,  YES,  YES,  "",  "D",  (11,),    ("e",)),
    # Marked TRADE_EXTENDED: for volume only, or as written here if the feed says so.
    Condition("form T",               YES,  YES,  YES,  "T", "T",  (12,),
              ("AR", "AG", "AF", "m", "r", "u", "v", "x", "z"), 0x40),
    Condition("extended hours, sold out of sequence",
                                      ONLY, YES,  YES,  "U", "U",  (13,),    ("k",)),
    Condition("intermarket sweep",    YES,  YES,  YES,  "F", "F",  (14,),    ("Z",), 0x80),
    Condition("official close",       NO,   NO,   NO,   "M", "M",  (15,),    ("AJ", "AN")),
    Condition("official open",        NO,   NO,   NO,   "Q", "Q",  (16,)),
    Condition("opening trade",        YES,  YES,  YES,  "O", "O",  (17, 25, 55), ("E", "R")),
    Condition("reopening trade",      YES,  YES,  YES,  "5", "5",  (18, 28), ("w",)),
    Condition("next day",             NO,   NO,   YES,  "N", "N",  (20,),    ("D", "J")),
    Condition("price variation",      NO,   NO,   YES,  "H", "H",  (21,)),
    Condition("prior reference",      ONLY, YES,  YES,  "P", "P",  (22,),    ("AK",)),
    Condition("rule 127 or 155",      YES,  YES,  YES,  "K", "K",  (23, 24), ("G", "H")),
    Condition("stopped stock",        YES,  YES,  YES,  "",  "1",  (27,),    ("N", "AE")),
    Condition("seller",               NO,   NO,   YES,  "R", "R",  (29,),    ("L",)),
    Condition("sold last",            YES,  YES,  YES,  "L", "L",  (30, 31), ("I", "o", "AL")),
    Condition("sold out of sequence", ONLY, YES,  YES,  "Z", "Z",  (32, 33), ("M", "K", "AM")),
    Condition("split trade",          YES,  YES,  YES,  "",  "S",  (34,),    ("g",)),
    Condition("stock option",         YES,  YES,  YES,  "",  "",   (35,)),
    Condition("yellow flag",          YES,  YES,  YES,  "",  "Y",  (36,),    ("Y",)),
    # Marked TRADE_ODD_LOT: for volume only, or as a regular trade if the feed says so.
    Condition("odd lot",              YES,  YES,  YES,  "I", "I",  (37,),    (), 0x20),
    Condition("corrected close",      YES,  YES,  NO,   "9", "9",  (38,)),
    Condition("trade-through exempt", YES,  YES,  YES,  "",  "",   (41,),    ("AU",), 0x10),
    Condition("contingent",           NO,   NO,   YES,  "V", "V",  (52,),
              ("3", "4", "AA", "AB", "AC", "AD", "AH", "AI")),
    Condition("qualified contingent", NO,   NO,   YES,  "7", "7",  (53,)),
    Condition("reserved",             NO,   NO,   YES,  "8", "8E"),
    Condition("volume only",          NO,   NO,   YES,  "",  "",   (),       ("a",)),
    Condition("cancelled",            NO,   NO,   NO,   "",  "",   (),
              ("0", "h", "i", "j", "l", "n", "p", "q", "s", "t")),
)
MARKS = {
    "odd lot": TRADE_ODD_LOT,
    "form T": TRADE_EXTENDED,
    "extended hours, sold out of sequence": TRADE_EXTENDED,
}
# The codings by name, as mappings write them.
CODINGS = ("cta", "utp", "polygon", "fix", "iex")

cdef enum:
    PRICE = TRADE_SETS_LAST | TRADE_LAST_IF_ONLY | TRADE_SETS_OPEN | TRADE_SETS_RANGE
    LETTERS = 128

cdef uint32_t[2][LETTERS] by_letter
cdef uint32_t[256] by_iex
# FIX: one character at [0], two at [1 + first - 'A'].
cdef uint32_t[27][LETTERS] by_fix


def taken(condition: Condition) -> int:
    """What a condition takes away from a trade, and its mark: bits of TradeFlag."""
    found = MARKS.get(condition.name, 0)
    if condition.last == ONLY:
        found |= TRADE_SETS_LAST
    elif condition.last == NO:
        found |= TRADE_SETS_LAST | TRADE_LAST_IF_ONLY
    if condition.range == NO:
        found |= TRADE_SETS_RANGE | TRADE_SETS_OPEN
    if condition.volume == NO:
        found |= TRADE_COUNTS_VOLUME
    return found


def taken_by_text(coding: str) -> dict[str, int]:
    """What each code of a coding takes away; codes that take nothing are left out.

    Raises:
        KeyError: no such coding.
    """
    codes = {
        "cta": lambda each: each.cta,
        "utp": lambda each: each.utp,
        "polygon": lambda each: map(str, each.polygon),
        "fix": lambda each: each.fix,
        "iex": lambda each: [str(each.iex)] if each.iex else [],
    }[coding]
    return {
        code: taken(condition)
        for condition in CONDITIONS
        for code in codes(condition)
        if taken(condition)
    }


cdef int fill_tables() except -1:
    cdef int i, j
    for coding in range(2):
        # A letter that the plan does not list may mean anything.
        for i in range(LETTERS):
            by_letter[<int>coding][i] = PRICE
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
    for coding in range(2):
        by_letter[<int>coding][0] = 0
    return 0


cdef uint32_t taken_by_letters(Coding coding, const uint8_t* codes, size_t count) noexcept nogil:
    """`codes`: one byte per condition; blanks and NULs are none."""
    cdef uint32_t away = 0
    cdef size_t i
    for i in range(count):
        away |= by_letter[<int>coding][codes[i]] if codes[i] < LETTERS else PRICE
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
        start = end + 1
    return away


def trade_flags(coding: str, codes: str) -> int:
    """The TradeFlags of a trade with these codes: letters (cta, utp), the field 277 (fix), or
    numbers with blanks between (polygon; iex: one number of all bits).

    Raises:
        KeyError: no such coding.
    """
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
            away |= <uint32_t>table.get(code, 0)
    return flags_without(away)


fill_tables()
