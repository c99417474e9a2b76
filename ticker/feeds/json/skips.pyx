"""What of JSON texts was not taken: counted by rule and reason, with the last example of each."""

from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from ticker.feeds.json.record cimport NO_ZONE, TOO_FINE, TOO_LONG, Found, Record
from ticker.feeds.json.rules cimport (
    EXAMPLE,
    FIELD_COUNT,
    REASON_COUNT,
    REASON_FINE_PRICE,
    REASON_LONG_SYMBOL,
    REASON_NO_OFFSET,
    REASON_NO_ROOM,
    REASON_REPEATED,
    REASON_SIDE,
    REASON_STATUS,
    Field,
    Rule,
    Rules,
    Skip,
)
from ticker.feeds.json.tape cimport Node
from ticker.shm.counters cimport (
    FEED_BAD_RECORDS,
    FEED_BAD_TEXTS,
    FEED_GAP_MESSAGES,
    FEED_GAPS,
    FEED_LONG_SYMBOLS,
    FEED_LOST_MESSAGES,
    FEED_UNKNOWN_TYPES,
    count,
)
from ticker.shm.gaps cimport LOST_UPSTREAM, GapLedger
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport SYMBOL_BYTES

from typing import NamedTuple

from ticker.feeds.json.rules import FIELDS

_OTHER_REASONS = {
    REASON_SIDE: "side unknown",
    REASON_STATUS: "status unknown",
    REASON_REPEATED: "repeated",
    REASON_NO_ROOM: "table full",
    REASON_LONG_SYMBOL: f"a symbol of more than {SYMBOL_BYTES - 1} characters",
    REASON_FINE_PRICE:
        "a price finer than 1e-9 (with price_decimals the mapping says how to round it)",
    REASON_NO_OFFSET: "a time without an offset (with time_zone the mapping says whose it is)",
}
REASONS = (
    *[f"no usable {field}" for field in FIELDS],
    *[_OTHER_REASONS[reason] for reason in range(<int>FIELD_COUNT, <int>REASON_COUNT)],
)


class Skipped(NamedTuple):
    """What was not taken how many times, by rule and reason; the start of the last example."""

    rule: str
    reason: str
    times: int
    example: str

    def said(self) -> str:
        """For people, a line."""
        of = f"{self.rule}: " if self.rule else ""
        return f"skipped: {self.times} {of}{self.reason}, like {self.example!r}"


cdef class Skips:
    """Counts into the feed's counters, and by rule."""

    def __init__(self, Record record not None, Mapping mapping not None) -> None:
        self.record = record
        self.rules = record.rules
        self.mapping = mapping
        self.counters = mapping.counters
        self.ledger = GapLedger(mapping)

    cdef void bad_text(self, const uint8_t* data, size_t length) noexcept nogil:
        count(self.counters, FEED_BAD_TEXTS, 1)
        keep(&self.bad, data, length)

    cdef void unmatched_text(self, const uint8_t* data, size_t length) noexcept nogil:
        count(self.counters, FEED_UNKNOWN_TYPES, 1)
        keep(&self.unmatched, data, length)

    cdef void skip(self, Rule* rule, int reason) noexcept nogil:
        cdef Node* node = &self.record.tape.nodes[self.record.scopes[self.record.depth]]
        cdef size_t end = self.record.tape.length
        if node.next < self.record.tape.used:
            end = self.record.tape.nodes[node.next].start
        rule.skipped += 1
        if reason != REASON_REPEATED:
            self.lacking += 1
            count(self.counters, FEED_BAD_RECORDS, 1)
        keep(&rule.skips[reason], self.record.tape.text + node.start, end - node.start)

    cdef void refuse(self, Rule* rule, Field field, Found found) noexcept nogil:
        if found == TOO_LONG:
            count(self.counters, FEED_LONG_SYMBOLS, 1)
        self.skip(
            rule,
            <int>REASON_LONG_SYMBOL if found == TOO_LONG
            else <int>REASON_FINE_PRICE if found == TOO_FINE
            else <int>REASON_NO_OFFSET if found == NO_ZONE
            else <int>field,
        )

    cdef void lose(self, uint64_t start, uint64_t end) noexcept nogil:
        cdef uint64_t gap = self.ledger.found(start, end, NULL, 0, 0, self.now_ns)
        self.ledger.became(gap, LOST_UPSTREAM, end - start, self.now_ns)
        count(self.counters, FEED_GAPS, 1)
        count(self.counters, FEED_GAP_MESSAGES, end - start)
        count(self.counters, FEED_LOST_MESSAGES, end - start)

    @property
    def taken(self) -> dict[str, int]:
        """Records that became calls on the market, by rule."""
        cdef int32_t i
        return {
            self.rules.names[i]: self.rules.rules[i].matched - self.rules.rules[i].skipped
            for i in range(self.rules.rule_count)
        }

    def skipped(self) -> list[Skipped]:
        """What was not taken: texts that are no JSON or that no rule matches, then records."""
        cdef int32_t i
        cdef int reason
        found = [
            skipped_of(&self.bad, "", "no JSON"), skipped_of(&self.unmatched, "", "no rule for it")
        ]
        for i in range(self.rules.rule_count):
            for reason in range(<int>REASON_COUNT):
                found.append(skipped_of(
                    &self.rules.rules[i].skips[reason], self.rules.names[i], REASONS[reason]
                ))
        return [each for each in found if each.times]


cdef object skipped_of(Skip* skip, str rule, str reason):
    return Skipped(rule, reason, skip.count, skip.example[:skip.length].decode(errors="replace"))


cdef void keep(Skip* skip, const uint8_t* data, size_t length) noexcept nogil:
    """Count one more, and keep its start."""
    skip.count += 1
    skip.length = <uint32_t>min(length, <size_t>EXAMPLE)
    memcpy(skip.example, data, skip.length)
