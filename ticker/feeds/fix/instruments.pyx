"""Which row an instrument of a FIX message has.

An instrument is named by Symbol (55) and SymbolSfx (65), or by SecurityID (48) of its source (22)
where 55 is [N/A]. It is told from others of that name by its terms (maturity, strike, put or call,
security type, exchange) and its security id.

    55=BRK 65=A                      BRK.A
    55=[N/A] 48=US0378331005 22=4    US0378331005
    55=ES 200=202606                 ES; what follows has no other row, so its name is enough
    55=ES 200=202609                 ES~202609, once ES is another one
    55=ES                            refused from then on: it could be either

Law: two instruments are never one row. What a message leaves out may be anything: it is the
instrument that agrees in all that both say, as long as there is only one. A name of a row, once
given, stays.
Source: FIX 4.4 volume 1 ("Instrument"), volume 6 (55, 65, 48, 22).
"""

cimport cython
from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free

from ticker.feeds.fix.entries cimport SAYS_ID, SAYS_MORE, SAYS_SYMBOL, Entry, name_of
from ticker.feeds.fix.fields cimport Cursor, Field, next_field, walk
from ticker.feeds.market.directory cimport ROW_REFUSED, ROW_UNKNOWN
from ticker.feeds.market.rows cimport Rows
from ticker.shm.atomics cimport load_relaxed
from ticker.shm.counters cimport FEED_BAD_RECORDS, FEED_TABLE_FULL, count
from ticker.shm.layout cimport SYMBOL_BYTES, Row

cdef extern from "<string.h>" nogil:
    size_t strnlen(const char* text, size_t most)

from typing import NamedTuple

from ticker.symbology import canonical

cdef enum:
    SYMBOL = 55
    SUFFIX = 65
    SECURITY_ID = 48
    ID_SOURCE = 22

# Bits of a key, which says in them what its instrument is named by.
cdef uint64_t LARGE = <uint64_t>1 << 63    # no small number of a Directory
cdef uint64_t DETAILED = <uint64_t>1 << 62
cdef uint64_t BY_ID = <uint64_t>1 << 61
cdef uint64_t LOW = (<uint64_t>1 << 61) - 1

MARK = "~"
"""Between a name and what tells its instrument from others of it."""
TERMS = (541, 200, 205, 201, 202, 207, 167)
"""Maturity date, or month and day; put or call; strike; exchange; type."""


class Identity(NamedTuple):
    """What a message says of an instrument; empty: nothing."""

    symbol: str = ""
    suffix: str = ""
    security_id: str = ""
    id_source: str = ""
    terms: tuple = ()
    """(tag, value) of those of TERMS that are there, in that order."""

    @property
    def detailed(self):
        """Whether more is said than a name."""
        return bool(self.terms or (self.symbol and self.security_id))

    def agrees(self, other):
        """Whether nothing that both say differs."""
        if bool(self.symbol) != bool(other.symbol):
            return False
        same_source = not (self.id_source and other.id_source) or self.id_source == other.id_source
        if not self.symbol:
            return same_source and self.security_id == other.security_id
        said = dict(other.terms)
        if any(said.get(tag, value) != value for tag, value in self.terms):
            return False
        both = self.security_id and other.security_id
        return not both or not same_source or self.security_id == other.security_id

    def with_more(self, other):
        """And what another message says of the same instrument."""
        terms = dict(other.terms) | dict(self.terms)
        return self._replace(
            security_id=self.security_id or other.security_id,
            id_source=self.id_source or other.id_source,
            terms=tuple((tag, terms[tag]) for tag in TERMS if tag in terms),
        )

    def base(self, symbology):
        """Its name: the symbol as it is written here, with its suffix; or the security id."""
        if not self.symbol:
            return self.security_id
        suffix = self.suffix.replace(" ", "")
        if suffix and symbology == "cms":
            return canonical(f"{self.symbol} {suffix}", symbology)
        name = canonical(self.symbol, symbology)
        return name if not suffix or name.endswith(f".{suffix}") else f"{name}.{suffix}"

    def names(self, base):
        """The names that it may have, the best first; others may have them already."""
        yield base
        terms = dict(self.terms)
        maturity = terms.get(541) or terms.get(200, "") + terms.get(205, "")
        put_call = {"0": "P", "1": "C"}.get(terms.get(201, ""), "")
        marks = [maturity, put_call + terms.get(202, ""), terms.get(207, ""), terms.get(167, "")]
        told = MARK.join([base, *filter(None, marks)])
        if told != base:
            yield told
        if self.symbol and self.security_id:
            yield f"{base}{MARK}{self.security_id}"
        if self.id_source:
            yield f"{base}{MARK}{self.id_source}"


@cython.final
cdef class Instruments:
    """The instruments of one market."""

    def __init__(self, Rows rows not None) -> None:
        self.rows = rows
        self.learned = <uint8_t*>calloc(rows.mapping.row_capacity, 1)
        if self.learned == NULL:
            raise MemoryError("no memory for the instruments of a FIX feed")
        self.known = {}
        self.plain_keys = {}
        self.split = set()

    def __dealloc__(self) -> None:
        free(self.learned)

    cdef int32_t row_of(self, const Entry* entry, const uint8_t* end) noexcept nogil:
        cdef uint64_t key
        cdef int32_t row
        if not entry.parts & (SAYS_SYMBOL | SAYS_ID):
            return -1
        key = (entry.key & LOW) | LARGE
        if entry.parts & SAYS_MORE or (entry.parts & SAYS_SYMBOL and entry.parts & SAYS_ID):
            key |= DETAILED
        if not entry.parts & SAYS_SYMBOL:
            key |= BY_ID
        row = self.rows.find(key)
        if row >= 0 and self.learned[row]:
            return row
        return -1 if row == ROW_REFUSED else self._learn(key, entry.begin, end)

    cdef int32_t _learn(
        self, uint64_t key, const uint8_t* begin, const uint8_t* end
    ) noexcept with gil:
        """The row of a key that was not met before; once for each."""
        cdef Cursor cursor
        cdef Field field
        cdef uint64_t id_key = 0
        said = {}
        walk(&cursor, begin, <size_t>(end - begin))
        while next_field(&cursor, &field):
            if field.tag == SECURITY_ID or field.tag == ID_SOURCE:
                id_key += name_of(&field, <int32_t>field.tag)
            said.setdefault(field.tag, field.value[:field.length].decode("latin-1"))
        symbol = "" if key & BY_ID else said[SYMBOL]
        identity = Identity(
            symbol, said.get(SUFFIX, "") if symbol else "", said.get(SECURITY_ID, ""),
            said.get(ID_SOURCE, ""), tuple((tag, said[tag]) for tag in TERMS if tag in said),
        )
        return self._find(key, identity, id_key)

    cdef int32_t _find(self, uint64_t key, object identity, uint64_t id_key):
        """The row of an identity: the first of its names that is its own or is free."""
        cdef int32_t row = -1
        cdef bytes raw
        self._scan()
        base = identity.base(self.rows.symbology)
        if not can_be(base):
            count(self.rows.counters, FEED_BAD_RECORDS, 1)
            return self._refuse(key)
        if not identity.detailed:
            self.plain_keys.setdefault(base, []).append(key)
        for name in filter(can_be, identity.names(base)):
            raw = name.encode("latin-1")
            row = self.rows.directory.row_on_venue(raw, len(raw), self.rows.venue_code)
            if row < 0:
                row = self._define(key, raw)
                break
            if self._agrees(key, row, identity) and not (
                base in self.split and not identity.detailed and self._is_detailed(row)
            ):
                break
            self._divide(base)
            row = -1
        if row < 0:
            return self._refuse(key)
        if identity.symbol and identity.security_id and id_key:
            self._alias((id_key & LOW) | LARGE | BY_ID | (DETAILED if identity.id_source else 0), row)
        return self._take(key, row, identity)

    cdef int32_t _take(self, uint64_t key, int32_t row, object identity):
        known = self.known.get(row)
        self.known[row] = identity if known is None else known.with_more(identity)
        self.learned[row] = True
        self.rows.directory.bind(key, row)
        return row

    cdef bint _agrees(self, uint64_t key, int32_t row, object identity):
        """Whether a row that has the name of an instrument is that instrument's. Of a row that
        was there before this process only the key is known that it was first met by."""
        cdef uint64_t left
        known = self.known.get(row)
        if known is not None:
            return known.agrees(identity)
        left = load_relaxed(&self.rows.publisher.table.rows[row].instrument_key)
        if not left & LARGE or left == key:
            return True
        if (left ^ key) & BY_ID:
            return False
        return not (left & DETAILED and key & DETAILED)

    def _is_detailed(self, row: int) -> bool:
        known = self.known.get(row)
        if known is not None:
            return known.detailed
        return load_relaxed(
            &self.rows.publisher.table.rows[<int32_t>row].instrument_key
        ) & DETAILED != 0

    def _define(self, key: int, raw: bytes) -> int:
        """A new row; -1: there is no room for it."""
        if self.rows.publisher.table.used == self.rows.mapping.row_capacity:
            count(self.rows.counters, FEED_TABLE_FULL, 1)
            return -1
        return self.rows.define(key, raw, len(raw))

    def _divide(self, base: str) -> None:
        """Several instruments have this name: those that say no more could be any of them."""
        self.split.add(base)
        for key in self.plain_keys.get(base, ()):
            row = self.rows.find(key)
            if row >= 0 and self._is_detailed(row):
                self.rows.directory.bind(key, ROW_REFUSED)

    def _alias(self, key: int, row: int) -> None:
        """The security id alone means this instrument too."""
        if self.rows.find(key) == ROW_UNKNOWN:
            self.rows.directory.bind(key, row)

    def _scan(self) -> None:
        """Names that are divided, of rows that were not looked at: a predecessor's too."""
        cdef Row* row
        while self.scanned < self.rows.publisher.table.used:
            row = &self.rows.publisher.table.rows[self.scanned]
            name = row.symbol[:strnlen(row.symbol, SYMBOL_BYTES)].decode("latin-1")
            if MARK in name:
                self.split.add(name.partition(MARK)[0])
            self.scanned += 1

    cdef int32_t _refuse(self, uint64_t key):
        """No row, from now on: as many keys are remembered as there may be rows."""
        if self.refused < self.rows.mapping.row_capacity:
            self.refused += 1
            self.rows.directory.bind(key, ROW_REFUSED)
        return -1


def can_be(name):
    """Whether a row can have this name: printable, without blanks."""
    return 0 < len(name) < SYMBOL_BYTES and all("!" <= letter <= "~" for letter in name)
