"""What JSON texts have for the connection, not for the market: a refusal, a ping, a book in doubt.

They are rare, and the connection's owner is Python code: they wait here until they are taken.
"""

from libc.stdint cimport uint32_t, uint64_t

from ticker.feeds.json.record cimport FOUND, Record
from ticker.feeds.json.rules cimport EXAMPLE, KIND_ERROR, KIND_PING, TEXT, Rule
from ticker.feeds.json.tape cimport Node
from ticker.feeds.market.market cimport Market
from ticker.shm.counters cimport FEED_REFUSALS, count
from ticker.shm.layout cimport SYMBOL_BYTES

from typing import NamedTuple

from ticker.symbology import spelled

MOST_EVENTS = 64
"""Events that are kept until they are taken; of more, the oldest are forgotten."""


cdef extern from "<string.h>" nogil:
    size_t strnlen(const char* text, size_t most)

cdef enum:
    LONGEST_EVENT = 1 << 16


class Event(NamedTuple):
    """A record that is for the connection, not for the market."""

    kind: str
    """`error`: the server refuses something. `ping`: it wants an answer. `book`: a book is not what
    its checksum says."""
    rule: str
    text: str
    """Of an error: the server's words. Of a ping: the record, and the bytes behind it. Of a
    book: its symbol, as the feed writes it."""


cdef class Events:
    """Those that nobody has taken yet."""

    def __init__(self, Record record not None, Market market not None) -> None:
        self.record = record
        self.market = market
        self.counters = market.counters
        self._untaken = []

    cdef void tell(self, Rule* rule) noexcept nogil:
        cdef Node* node = &self.record.tape.nodes[self.record.scopes[self.record.depth]]
        cdef const char* text = <const char*>self.record.tape.text + node.start
        cdef uint32_t length = <uint32_t>self.record.tape.length - node.start
        if node.next < self.record.tape.used:
            length = self.record.tape.nodes[node.next].start - node.start
        if rule.kind == KIND_ERROR:
            count(self.counters, FEED_REFUSALS, 1)
            if self.record.read_text(rule, TEXT, &text, &length) != FOUND:
                length = min(length, <uint32_t>EXAMPLE)
        with gil:
            kind = "ping" if rule.kind == KIND_PING else "error"
            name = self.record.rules.names[rule - self.record.rules.rules]
            self._remember(kind, name, text[:min(length, <uint32_t>LONGEST_EVENT)])

    cdef void tell_symbol(self, const char* symbol) noexcept nogil:
        with gil:
            name = symbol[:strnlen(symbol, SYMBOL_BYTES)].decode()
            self._remember("book", "", spelled(name, self.market.rows.symbology).encode())

    cdef int _remember(self, str kind, str rule, bytes text) except -1:
        self._untaken.append(Event(kind, rule, text.decode(errors="replace")))
        del self._untaken[:-MOST_EVENTS]
        self.told = True
        return 0

    def take(self) -> list[Event]:
        """What was told since the last call, oldest first."""
        found = self._untaken
        self._untaken = []
        self.told = False
        return found
