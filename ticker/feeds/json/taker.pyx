"""What a record of a JSON text becomes: a call on the market, or it is skipped with the field that
it lacks. Its fields are found by record.pyx, by the rules of a mapping (rules.pyx).
"""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memchr, memcpy, memset

from ticker.feeds.market.conditions cimport flags_without
from ticker.feeds.json.depths cimport WRONG, Depths, Touched
from ticker.feeds.json.events cimport Events
from ticker.feeds.json.record cimport FOUND, Found, Record, hash_of
from ticker.feeds.json.rules cimport (
    ASK_PRICE,
    ASK_SIZE,
    BID_PRICE,
    BID_SIZE,
    ID,
    KIND_BREAK,
    KIND_CLEAR,
    KIND_CLOSE,
    KIND_CORRECT,
    KIND_LAST,
    KIND_LEVEL,
    KIND_QUOTE,
    KIND_STATUS,
    KIND_TRADE,
    NEW_ID,
    PRICE,
    REASON_LONG_SYMBOL,
    REASON_NO_ROOM,
    REASON_REPEATED,
    REASON_SIDE,
    REASON_STATUS,
    SEQUENCE,
    SIZE,
    SYMBOL,
    TIME,
    UNKNOWN_SIDE,
    VENUE,
    Rule,
)
from ticker.feeds.json.scalars cimport read_uint
from ticker.feeds.json.skips cimport Skips
from ticker.feeds.json.tape cimport NO_NODE
from ticker.feeds.market.market cimport (
    NO_PRICE,
    TRADE_COUNTS_VOLUME,
    TRADE_TOLD,
    Market,
    Side,
)
from ticker.shm.counters cimport FEED_BAD_CHECKSUMS, FEED_DUPLICATE_MESSAGES, count
from ticker.shm.layout cimport SYMBOL_BYTES, VENUE_BYTES, Values

from ticker.feeds.json.tables import Mapping


cdef class Taker:
    """Takes the records of one mapping into the market."""

    def __init__(
        self, Market market not None, mapping: Mapping, Record record not None,
        Skips skips not None, Events events not None,
    ) -> None:
        self.market = market
        self.record = record
        self.skips = skips
        self.events = events
        self.rows = market.rows.mapping.row_capacity
        self.next_numbers = <uint64_t*>calloc(self.rows, sizeof(uint64_t))
        if self.next_numbers == NULL:
            raise MemoryError("no memory for sequence numbers")
        if any(record_.depth for record_ in mapping.records):
            self.depths = Depths(market, mapping.size_decimals)

    def __dealloc__(self) -> None:
        free(self.next_numbers)

    cdef void forget_numbers(self) noexcept nogil:
        memset(self.next_numbers, 0, self.rows * sizeof(uint64_t))

    cdef void take(self, Rule* rule, int64_t receive_time) noexcept nogil:
        """One record into one call on the market, or skipped with its reason."""
        cdef int64_t time = receive_time
        cdef Found found = self.record.read_symbol(rule)
        if found != FOUND:
            self.skips.refuse(rule, SYMBOL, found)
            return
        if rule.fields[<int>TIME].count:
            found = self.record.read_time(rule, &time)
            if found != FOUND:
                self.skips.refuse(rule, TIME, found)
                return
        if rule.kind == KIND_TRADE or rule.kind == KIND_LAST or rule.kind == KIND_CORRECT:
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
        cdef Found found = self.record.read_price(rule, PRICE, &price)
        if found != FOUND:
            self.skips.refuse(rule, PRICE, found)
            return
        if not rule.fields[<int>SIZE].count:
            taken = TRADE_COUNTS_VOLUME
        elif self.record.read_size(rule, SIZE, time, &size) != FOUND:
            self.skips.skip(rule, SIZE)
            return
        if rule.fields[<int>ID].count and self.record.read_id(rule, ID, &match) != FOUND:
            self.skips.skip(rule, ID)
            return
        if rule.kind == KIND_CORRECT:
            self._correct(rule, match, price, size, time)
            return
        instrument = self._instrument(rule)
        if instrument < 0:
            self.market.sales.refuse_unknown(
                self.record.symbol, self.record.symbol_length, price, size, match, time,
                receive_time,
            )
            return
        if rule.fields[<int>SEQUENCE].count and not self._in_sequence(rule, instrument, &match):
            return
        taken |= self.record.taken_away(rule)
        if rule.kind == KIND_LAST:
            # A snapshot tells of the same sale again and again.
            values = &self.market.publisher.entries[instrument].values
            if values.price == price and values.exchange_time == time:
                self.skips.skip(rule, REASON_REPEATED)
                return
            self.market.sales.trade(
                instrument, price, size, match,
                flags_without(taken | TRADE_COUNTS_VOLUME) | TRADE_TOLD, time, receive_time,
            )
            return
        self.market.sales.trade(
            instrument, price, size, match, flags_without(taken), time, receive_time
        )

    cdef void _correct(
        self, Rule* rule, uint64_t match, int64_t price, uint64_t size, int64_t time
    ) noexcept nogil:
        """A trade gets another price and size; another number and other conditions, if the record
        has them."""
        cdef uint64_t new_match = match
        cdef uint32_t flags = 0
        if rule.fields[<int>NEW_ID].count and (
            self.record.read_id(rule, NEW_ID, &new_match) > FOUND
        ):
            self.skips.skip(rule, NEW_ID)
            return
        if rule.conditions.count and (
            self.record.node_of(&self.record.rules.routes[rule.conditions.first]) != NO_NODE
        ):
            flags = flags_without(self.record.taken_away(rule))
        self.market.sales.amend_trade(
            self._known(rule), match, new_match, price, size, flags, time
        )

    cdef void _quote(self, Rule* rule, int64_t time) noexcept nogil:
        """A side that is not there is none."""
        cdef int64_t bid = NO_PRICE
        cdef int64_t ask = NO_PRICE
        cdef uint64_t bid_size = 0
        cdef uint64_t ask_size = 0
        cdef int32_t instrument
        cdef Found found = self.record.read_price(rule, BID_PRICE, &bid)
        if found > FOUND or (found == FOUND and not self._is_quoted(bid)):
            self.skips.refuse(rule, BID_PRICE, found)
            return
        found = self.record.read_price(rule, ASK_PRICE, &ask)
        if found > FOUND or (found == FOUND and not self._is_quoted(ask)):
            self.skips.refuse(rule, ASK_PRICE, found)
        elif self.record.read_size(rule, BID_SIZE, time, &bid_size) > FOUND:
            self.skips.skip(rule, BID_SIZE)
        elif self.record.read_size(rule, ASK_SIZE, time, &ask_size) > FOUND:
            self.skips.skip(rule, ASK_SIZE)
        else:
            instrument = self._instrument(rule)
            if instrument >= 0 and self._quote_in_sequence(rule, instrument):
                self.market.set_quote(instrument, bid, bid_size, ask, ask_size, time)

    cdef bint _is_quoted(self, int64_t price) noexcept nogil:
        """Whether a vendor can say this of a side: a price, or 0 for none."""
        return not price or self.market.rows.is_price(price)

    cdef void _level(self, Rule* rule, int64_t time) noexcept nogil:
        cdef int64_t price = 0
        cdef uint64_t size = 0
        cdef uint32_t side = rule.side
        cdef int32_t node, instrument
        cdef Found found
        if rule.choice.count:
            node = self.record.node_of(&self.record.rules.routes[rule.choice.first])
            side = UNKNOWN_SIDE
            if node != NO_NODE:
                side = self.record.meaning(rule.choice_texts, node, UNKNOWN_SIDE)
        if side == UNKNOWN_SIDE:
            self.skips.skip(rule, REASON_SIDE)
            return
        found = self.record.read_price(rule, PRICE, &price)
        if found != FOUND or not self.market.rows.is_price(price):
            self.skips.refuse(rule, PRICE, found)
        elif self.record.read_size(rule, SIZE, time, &size) != FOUND:
            self.skips.skip(rule, SIZE)
        else:
            instrument = self._instrument(rule)
            if instrument >= 0:
                self.market.set_level(instrument, <Side>side, price, size, time)
                if rule.depth:
                    self._deepen(rule, instrument)

    cdef void _deepen(self, Rule* rule, int32_t instrument) noexcept nogil:
        """A level of a book that is cut changed; the text may say the checksum of it all."""
        cdef Touched* book = self.depths.touch(instrument, <uint32_t>rule.depth)
        cdef const char* price
        cdef const char* size
        cdef const char* text
        cdef uint32_t price_length, size_length, length
        cdef uint64_t checksum = 0
        cdef int32_t node
        if not rule.checksum.count:
            return
        if self.record.read_text(rule, PRICE, &price, &price_length) == FOUND and (
            self.record.read_text(rule, SIZE, &size, &size_length) == FOUND and price != size
        ):
            self.depths.note(instrument, price, price_length, size, size_length)
        node = self.record.node_of(&self.record.rules.routes[rule.checksum.first])
        if node != NO_NODE and self.record.text_of(node, &text, &length) and (
            read_uint(text, length, &checksum) and not checksum >> 32
        ):
            book.proves = True
            book.checksum = <uint32_t>checksum

    cdef void text_ends(self) noexcept nogil:
        cdef uint32_t i
        if self.depths is None:
            return
        for i in range(self.depths.count):
            if self.depths.settle(&self.depths.touched[i]) == WRONG:
                self._doubt(self.depths.touched[i].row)
        self.depths.count = 0

    cdef void _doubt(self, int32_t row) noexcept nogil:
        """The book of a row is not the vendor's: ask for it anew, once until it comes."""
        count(self.market.counters, FEED_BAD_CHECKSUMS, 1)
        if not self.depths.written[row].wrong:
            self.depths.written[row].wrong = True
            self.events.tell_symbol(self.market.publisher.table.rows[row].symbol)

    cdef void _rare(self, Rule* rule, int64_t time) noexcept nogil:
        cdef int64_t price = 0
        cdef uint64_t match = 0
        cdef uint32_t status = 0
        cdef int32_t node, instrument
        cdef Found found
        if rule.kind == KIND_STATUS:
            node = self.record.node_of(&self.record.rules.routes[rule.choice.first])
            status = self.record.meaning(rule.choice_texts, node, 0) if node != NO_NODE else 0
            if not status:
                self.skips.skip(rule, REASON_STATUS)
                return
        elif rule.kind == KIND_BREAK and self.record.read_id(rule, ID, &match) != FOUND:
            self.skips.skip(rule, ID)
            return
        elif rule.kind == KIND_CLOSE:
            found = self.record.read_price(rule, PRICE, &price)
            if found != FOUND or not self.market.rows.is_price(price):
                self.skips.refuse(rule, PRICE, found)
                return
        if rule.kind == KIND_BREAK:
            self.market.sales.break_trade(self._known(rule), match, time)
        elif rule.kind == KIND_CLEAR:
            instrument = self._known(rule)
            if instrument >= 0:
                self.market.clear_instrument(instrument, time)
                if self.depths is not None:
                    self.depths.begin(instrument)
        else:
            instrument = self._instrument(rule)
            if instrument < 0:
                return
            if rule.kind == KIND_STATUS:
                self.market.rows.set_status(instrument, status, time)
            else:
                self.market.rows.set_previous_close(instrument, price)

    cdef bint _in_sequence(self, Rule* rule, int32_t instrument, uint64_t* match) noexcept nogil:
        """Whether the record is new within its symbol. Numbers with holes only tell records
        apart: they are the match number of a trade that has no other."""
        cdef uint64_t number = 0
        cdef uint64_t expected = self.next_numbers[instrument]
        if self.record.read_number(rule, SEQUENCE, &number) != FOUND:
            self.skips.skip(rule, SEQUENCE)
            return False
        if not rule.sequence_gaps:
            match[0] = match[0] if match[0] else number
            return True
        if expected and number < expected:
            count(self.market.counters, FEED_DUPLICATE_MESSAGES, 1)
            self.skips.skip(rule, REASON_REPEATED)
            return False
        if expected and number > expected:
            self.skips.lose(expected, number)
        self.next_numbers[instrument] = number + 1
        return True

    cdef bint _quote_in_sequence(self, Rule* rule, int32_t instrument) noexcept nogil:
        cdef uint64_t unused = 0
        return not rule.fields[<int>SEQUENCE].count or self._in_sequence(rule, instrument, &unused)

    cdef bint _names_venue(self, Rule* rule) noexcept nogil:
        """Whether the record names its venue by MIC, which is then in `mic`: the symbol has a row
        there. Vendors' own codes (Polygon's numbers) name none, and numbers that count a symbol
        over all venues keep it in one row."""
        cdef const char* text
        cdef uint32_t length
        cdef uint32_t i
        if rule.sequence_gaps or not rule.fields[<int>VENUE].count:
            return False
        if self.record.read_text(rule, VENUE, &text, &length) != FOUND or length != 4:
            return False
        for i in range(4):
            if not (c"A" <= text[i] <= c"Z" or c"0" <= text[i] <= c"9"):
                return False
        memcpy(self.mic, text, 4)
        return True

    cdef uint64_t _number(self, bint on_venue) noexcept nogil:
        """What the market knows the record's instrument by."""
        cdef uint64_t number = hash_of(self.record.symbol, self.record.symbol_length)
        if on_venue:
            number = number * <uint64_t>0x9E3779B97F4A7C15ULL ^ hash_of(self.mic, 4)
        return number | <uint64_t>1 << 63

    cdef int32_t _known(self, Rule* rule) noexcept nogil:
        """The row of the record's symbol, -1: it has none."""
        cdef int32_t row
        if self._names_venue(rule):
            row = self.market.rows.find(self._number(True))
            return row if row >= 0 else -1
        row = self.market.rows.directory.row_on_venue(
            self.record.symbol, self.record.symbol_length, self.market.rows.venue_code
        )
        if row < 0 and self.market.rows.renames:
            row = self.market.rows.find(self._number(False))
        return row if row >= 0 else -1

    cdef bint _stays_blank(self) noexcept nogil:
        """Whether the symbol has a blank in its canonical form too."""
        cdef char[SYMBOL_BYTES] text
        cdef size_t length = self.market.rows._canonical(
            self.record.symbol, self.record.symbol_length, text
        )
        return memchr(text, c" ", length) != NULL

    cdef int32_t _instrument(self, Rule* rule) noexcept nogil:
        """The row of the record's symbol, a new one if it has none. Its number is its hash."""
        cdef int32_t row = self._known(rule)
        cdef const char* venue = self.market.rows.venue_code
        cdef bint on_venue
        if row < 0 and self.record.blanks and self._stays_blank():
            # No rule of the symbology knows what is behind the blank, and no client could name it.
            self.skips.skip(rule, SYMBOL)
            return -1
        if row < 0:
            on_venue = self._names_venue(rule)
            if on_venue:
                venue = self.mic
            row = self.market.rows.define_on(
                self._number(on_venue), self.record.symbol, self.record.symbol_length,
                venue,
            )
        if row < 0:
            # Where there is room, the canonical form of the symbol is too long for it.
            self.skips.skip(
                rule, <int>REASON_NO_ROOM if self.market.publisher.table.used == self.rows
                else <int>REASON_LONG_SYMBOL
            )
        return row
