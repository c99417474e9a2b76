"""The last trades that a feed's filter refused, by rule, and those that it holds, for operators to
look at while it serves.

Threads: the feed worker writes; any process reads, without a position of its own.
Loss: each rule keeps its last REJECT_SLOTS; readers show REJECTS_KEPT of them, so that the slot
being written is not among those that they copy. What was overtaken all the same is left out.
Death: as in a ring (ring.pyx): a reject that its writer did not finish was never there.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from ticker.shm.atomics cimport (
    copy_words_in,
    copy_words_out,
    fence_acquire,
    fence_release,
    load_acquire,
    load_relaxed,
    store_release,
)
from ticker.shm.counters cimport FEED_REJECTED_DUPLICATE, count
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport (
    HELD_RING,
    REJECT_BAD_PRICE,
    REJECT_BAD_SIZE,
    REJECT_CLOCK_SKEW,
    REJECT_DUPLICATE,
    REJECT_OLDER,
    REJECT_RINGS,
    REJECT_RULES,
    REJECT_SLOTS,
    REJECT_TEST_SYMBOL,
    REJECT_TOO_OLD_TO_TELL,
    REJECT_UNCONFIRMED_JUMP,
    REJECT_UNKNOWN_SYMBOL,
    REJECT_WORDS,
    REJECTS_KEPT,
    ROW_HELD,
    ROW_HELD_ONE,
    SYMBOL_BYTES,
    Reject,
    RingHeader,
    Row,
)
from ticker.shm.trade_ids cimport own_number

from typing import NamedTuple

from ticker.errors import SegmentError
from ticker.shm.layout import REJECT_REASONS
from ticker.shm.table import PriceTable
from ticker.units import format_price, format_size, format_timestamp

RULES = REJECT_REASONS
HELD = "held"
KEPT = REJECTS_KEPT
NS = 1_000_000_000

if sizeof(Reject) != 8 * REJECT_WORDS:
    raise ImportError("Reject (layout.pxd) is not of REJECT_WORDS words")


class RejectView(NamedTuple):
    """A trade that the filter refused, or holds (rule HELD): price in 1e-9 units, size in 10^-size_exponent, times in
    ns since the epoch, UTC; `detail` says in words what the rule compared it with."""

    rule: str
    symbol: str
    price: int
    size: int
    exchange_time: int
    receive_time: int
    detail: str = ""
    match: int = 0
    size_exponent: int = 0

    def as_json(self) -> dict[str, object]:
        """For people and programs: prices and times as text, sizes as they are written."""
        return {
            "rule": self.rule,
            "symbol": self.symbol,
            "price": format_price(self.price),
            "size": format_size(self.size, self.size_exponent),
            "exchange_timestamp": format_timestamp(self.exchange_time),
            "server_timestamp": format_timestamp(self.receive_time),
            "trade": self.match,
            "reason": self.detail,
        }


cdef int locate(Mapping mapping, RejectRing* rings) except -1:
    cdef char* at = <char*>mapping.base + mapping.header.rejects_offset
    cdef int rule
    mapping.feed_state()
    for rule in range(<int>REJECT_RINGS):
        rings[rule].head = <RingHeader*>at
        rings[rule].slots = <Reject*>(at + sizeof(RingHeader))
        at += sizeof(RingHeader) + REJECT_SLOTS * sizeof(Reject)
    return 0


cdef class RejectWriter:
    """Writes a feed segment's rejects; goes on where its predecessor stopped."""

    def __cinit__(self, Mapping mapping not None) -> None:
        cdef int rule
        cdef uint64_t cursor
        cdef RingHeader* head
        if not mapping.writable:
            raise SegmentError("the segment is mapped read-only: only its owner may write it")
        self.mapping = mapping
        self.rows = <Row*>(mapping.base + mapping.header.table_offset)
        locate(mapping, self.rings)
        for rule in range(<int>REJECT_RINGS):
            head = self.rings[rule].head
            cursor = load_acquire(&head.cursor)
            if load_acquire(
                &self.rings[rule].slots[cursor % REJECT_SLOTS].sequence
            ) == 2 * cursor + 2:
                cursor += 1  # whole, but not counted
                store_release(&head.cursor, cursor)
            self.cursors[rule] = cursor

    cdef void refuse(
        self, int rule, uint32_t row, Reject* trade, int64_t detail, int64_t more
    ) noexcept nogil:
        count(self.mapping.counters, <unsigned>(FEED_REJECTED_DUPLICATE + rule), 1)
        self._name(row, trade, detail, more)
        self.write(rule, trade)

    cdef void hold(self, uint32_t row, Reject* trade, int64_t good) noexcept nogil:
        self._name(row, trade, good, row)
        self.write(HELD_RING, trade)

    cdef void _name(
        self, uint32_t row, Reject* trade, int64_t detail, int64_t more
    ) noexcept nogil:
        memcpy(trade.symbol, self.rows[row].symbol, SYMBOL_BYTES)
        trade.size_exponent = self.rows[row].size_exponent
        trade.detail[0] = detail
        trade.detail[1] = more

    cdef void write(self, int rule, Reject* reject) noexcept nogil:
        """Keep a reject; its `sequence` is of no account."""
        cdef uint64_t number = self.cursors[rule]
        cdef Reject* slot = &self.rings[rule].slots[number % REJECT_SLOTS]
        store_release(&slot.sequence, 2 * number + 1)
        fence_release()
        copy_words_in(<uint64_t*>slot + 1, <const uint64_t*>reject + 1, REJECT_WORDS - 1)
        store_release(&slot.sequence, 2 * number + 2)
        self.cursors[rule] = number + 1
        store_release(&self.rings[rule].head.cursor, number + 1)

    def put(
        self, rule: str, symbol: str, price: int = 0, size: int = 0, exchange_time: int = 0,
        receive_time: int = 0, match: int = 0, size_exponent: int = 0,
        detail: tuple[int, int] = (0, 0),
    ) -> None:
        """Keep a reject, from Python."""
        cdef Reject reject
        cdef bytes text = symbol.encode("ascii")[:SYMBOL_BYTES - 1]
        cdef const char* start = text
        memset(&reject, 0, sizeof(Reject))
        memcpy(reject.symbol, start, len(text))
        reject.price = price
        reject.size = size
        reject.exchange_time = exchange_time
        reject.receive_time = receive_time
        reject.match = match
        reject.size_exponent = size_exponent
        reject.detail[0], reject.detail[1] = detail
        self.write(RULES.index(rule), &reject)


cdef class RejectReader:
    """A reader's view of a feed's rejects."""

    cdef Mapping mapping
    cdef RejectRing[<int>REJECT_RINGS] rings

    def __cinit__(self, Mapping mapping not None) -> None:
        self.mapping = mapping
        locate(mapping, self.rings)

    def counts(self) -> dict[str, int]:
        """How many each rule refused, since the server's start."""
        return {
            name: load_acquire(&self.rings[<int>rule].head.cursor)
            for rule, name in enumerate(RULES)
        }

    def last(self, rule: str, limit: int = REJECTS_KEPT) -> list[RejectView]:
        """The last rejects of a rule, oldest first.

        Raises:
            ValueError: no such rule.
        """
        cdef int index = RULES.index(rule)
        cdef uint64_t cursor = load_acquire(&self.rings[index].head.cursor)
        cdef uint64_t wanted = min(cursor, max(0, limit), REJECTS_KEPT)
        cdef uint64_t number
        cdef Reject reject
        found = []
        for number in range(cursor - wanted, cursor):
            if self._read(index, number, &reject):
                found.append(view_of(index, &reject))
        return found

    def held(self, limit: int = REJECTS_KEPT) -> list[RejectView]:
        """The trades that the filter holds now, of the newest REJECTS_KEPT that it ever held,
        oldest first. A row's flags say how many of its newest wait."""
        cdef uint64_t cursor = load_acquire(&self.rings[<int>HELD_RING].head.cursor)
        cdef uint64_t number
        cdef Reject reject
        table = PriceTable(self.mapping)
        waiting: dict[int, int] = {}
        found = []
        for number in reversed(range(cursor - min(cursor, <uint64_t>REJECTS_KEPT), cursor)):
            if len(found) >= limit or not self._read(<int>HELD_RING, number, &reject):
                continue
            row = reject.detail[1]
            if row not in waiting:
                flags = (table.values(row) or {"flags": 0})["flags"]
                waiting[row] = (flags & ROW_HELD) // ROW_HELD_ONE
            if waiting[row]:
                waiting[row] -= 1
                found.append(view_of(<int>HELD_RING, &reject))
        return found[::-1]

    cdef bint _read(self, int rule, uint64_t number, Reject* out) noexcept nogil:
        cdef Reject* slot = &self.rings[rule].slots[number % REJECT_SLOTS]
        if load_acquire(&slot.sequence) != 2 * number + 2:
            return False
        copy_words_out(<uint64_t*>out, <const uint64_t*>slot, REJECT_WORDS)
        fence_acquire()
        return load_relaxed(&slot.sequence) == 2 * number + 2


cdef object view_of(int rule, Reject* reject):
    symbol = reject.symbol[:SYMBOL_BYTES].rstrip(b"\0 ").decode("ascii", "replace")
    return RejectView(
        HELD if rule == <int>HELD_RING else RULES[rule], symbol, reject.price, reject.size, reject.exchange_time,
        reject.receive_time, in_words(rule, reject), own_number(reject.match), reject.size_exponent,
    )


cdef str in_words(int rule, Reject* reject):
    """What the rule compared the trade with."""
    one, other = reject.detail[0], reject.detail[1]
    if rule == REJECT_DUPLICATE:
        return f"trade number {own_number(reject.match)} came before"
    if rule == REJECT_BAD_PRICE:
        return f"more than {format_price(one)}" if reject.price > 0 else "not more than 0"
    if rule == REJECT_BAD_SIZE:
        return "no shares"
    if rule == REJECT_OLDER:
        return f"the last sale was at {format_timestamp(one)}"
    if rule == REJECT_UNCONFIRMED_JUMP:
        then = f"the next was {format_price(other)}" if other else "nothing confirmed it in time"
        return f"from {format_price(one)}, and {then}"
    if rule == REJECT_CLOCK_SKEW:
        where = "ahead of" if one > 0 else "behind"
        return f"{abs(one) // 1_000_000 / 1000:.3f} s {where} its receive time"
    if rule == REJECT_UNKNOWN_SYMBOL:
        return "not a symbol that this feed has, or has room for"
    if rule == REJECT_TEST_SYMBOL:
        return "a test issue"
    if rule == <int>HELD_RING:
        return f"from {format_price(one)}: waits for a trade or a quote that agrees"
    if rule == REJECT_TOO_OLD_TO_TELL:
        return f"trade number {own_number(reject.match)} may have come before: it is of a time forgotten"
    return f"the session is {format_timestamp(one)} to {format_timestamp(other)}"
