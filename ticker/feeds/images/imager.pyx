"""An image of all that a feed's worker knows, made while the feed goes on.

In: the worker's market, session and decoder, at a moment when all is flushed. Out: the bytes of a
file (layout.pxd), a slice at a time. Owned by the worker; keeper.py writes the file.

Law: the image is of one moment, between two messages, though it is made in many slices. No I/O, no
clock. Bound: a slice is at most SLICE_BYTES, CHUNK_BYTES of trades, or the slots of SLICE_SLOTS
orders.

What is small (rows, keys, held trades) is copied at that moment. Of the large rest, only what
changes is in danger, and each kind has its way:

    orders    those that change before the image comes to them are kept as they were (Book._keep)
    ids       only come; those that came since are noted, and left out again (TradeIds._keep)
    trades    come, and take the places of the oldest, which are copied first and faster; one
              that is broken or corrected meanwhile ends the image

An image that cannot become whole is given up, and another one is begun later.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from ticker.checks cimport check
from ticker.crc32c cimport crc32c, crc32c_more
from ticker.feeds.images.layout cimport (
    IMAGE_VERSION, PART_CHANGED, PART_HELD, PART_IDS, PART_KEYS, PART_NEW_IDS, PART_ORDERS,
    PART_PROTOCOL, PART_ROWS, PART_SESSION, PART_TRADES, PARTS, HeldImage, ImageHead, RowImage,
)
from ticker.feeds.market.book cimport Book, Order, home_of
from ticker.feeds.market.directory cimport DIRECT_KEYS
from ticker.feeds.market.market cimport Market
from ticker.feeds.market.trade_ids cimport TradeIds
from ticker.feeds.market.trades cimport Trade, TradeLog
from ticker.feeds.protocol cimport Protocol
from ticker.feeds.session cimport Session
from ticker.pages cimport give_pages, take_pages
from ticker.shm.atomics cimport load_relaxed
from ticker.shm.counters cimport FEED_BREAKS, FEED_CORRECTIONS

cdef enum:
    SLICE_SLOTS = 1 << 14
    SLICE_BYTES = 1 << 18
    MOST_CHANGED = 1 << 20       # orders that change while an image is made
    MOST_NEW_IDS = 1 << 18

cdef uint64_t ORDERS_UNSAID = <uint64_t>-1

CHUNK_BYTES = 1 << 21
"""Bytes that the buffer of `Imager.more` must have."""


cdef class Imager:
    """Makes one image after the other of what `session` decodes into `market`."""

    def __cinit__(
        self, Market market not None, Session session not None, Protocol protocol not None
    ) -> None:
        self.market = market
        self.session = session
        self.protocol = protocol
        self.book = market.book
        self.ids = market.sales.filter.ids
        self.trades = market.sales.trades
        self.part = PARTS
        self.changed = <Order*>take_pages(MOST_CHANGED * sizeof(Order))
        self.new_ids = <uint64_t*>take_pages(MOST_NEW_IDS * sizeof(uint64_t))
        if self.changed == NULL or self.new_ids == NULL:
            raise MemoryError("no memory for an image of the feed")

    def __dealloc__(self) -> None:
        give_pages(self.changed, MOST_CHANGED * sizeof(Order))
        give_pages(self.new_ids, MOST_NEW_IDS * sizeof(uint64_t))
        free(self.still)

    def begin(self, now_ns: int) -> bool:
        """Begin an image of now; whether it could be begun. There is none while a session is
        computed again, or near midnight, or of a decoder that has none."""
        cdef bytes state = self.protocol.image_state()
        cdef bytes places = self.session.image_state()
        cdef uint64_t before = self.head.sequence
        cdef int i
        if (state is None or places is None or self.protocol.turning
                or self.protocol.next_midnight_ns
                or self.protocol.midnight_ns != self.market.rows.midnight
                or not self.market.publisher.publishing or self.market.publisher.dirty_count
                or not self.session.next_expected_sequence):
            return False
        memset(&self.head, 0, sizeof(ImageHead))
        memset(self.head.crcs, 0xFF, sizeof(self.head.crcs))
        self.head.sequence = before
        if not self._copy_still(state, places):
            return False
        self.head.sequence = self.session.next_expected_sequence
        self.head.session = self.session.session_words
        self.head.made_ns = now_ns
        self.head.midnight = self.market.rows.midnight
        self.head.first_midnight = self.market.rows.first_midnight
        self.head.orders = ORDERS_UNSAID if self.book.cleared else self.book.used
        self.head.trades = self.trades.count
        self.book.begin_image(self.changed, MOST_CHANGED)
        self.ids.begin_image(self.new_ids, MOST_NEW_IDS)
        self.head.horizon = self.ids.horizon
        self.head.generations = <uint64_t>self.ids.count
        for i in range(self.ids.count):
            self.head.generation[i].slots = self.ids.generations[i].mask + 1
            self.head.generation[i].room = self.ids.generations[i].room
            self.head.generation[i].newest = self.ids.generations[i].newest
        self.head.phase = <uint64_t>self.market.rows.venue.phase
        self.head.phase_time = self.market.rows.venue.phase_time
        self.head.breaker = self.market.rows.venue.breaker
        self.head.breaker_time = self.market.rows.venue.breaker_time
        self.head.decline_levels = self.market.rows.venue.decline_levels
        self.corrections = self._corrections()
        self.part = PART_TRADES
        self.at = 0
        return True

    @property
    def making(self) -> bool:
        """Whether an image was begun, and is neither whole nor given up."""
        return self.part < PARTS

    @property
    def sequence(self) -> int:
        """Of the next message, as the newest image that was begun has it; 0: there was none."""
        return self.head.sequence

    def more(self, chunk: bytearray) -> int:
        """Fill the start of `chunk` (CHUNK_BYTES) with the next slice; its bytes, which may be 0.
        Behind the last one the image is made, and `finish` has its head. -1: it is given up."""
        cdef uint8_t* to = chunk
        cdef uint64_t room = len(chunk)
        cdef uint64_t filled
        cdef int part = self.part
        check(room >= <uint64_t>CHUNK_BYTES and part < PARTS)
        if not self._is_still_possible():
            self.give_up()
            return -1
        with nogil:
            filled = self._fill(to, room)
            self.head.crcs[part] = crc32c_more(self.head.crcs[part], to, filled)
            self.head.lengths[part] += filled
        return filled

    def give_up(self) -> None:
        """This image will not become whole."""
        self.part = PARTS
        self.book.imaging = False
        self.ids.imaging = False

    def finish(self, boot_id: int, fingerprint: int) -> bytes:
        """The head of the image that was made: it goes to the file's start when all else is there."""
        memcpy(self.head.magic, b"TICKIMAG", 8)
        self.head.version = IMAGE_VERSION
        self.head.boot_id = boot_id
        self.head.fingerprint = fingerprint
        self.head.crc = 0
        self.head.crc = crc32c(&self.head, sizeof(ImageHead))
        return (<char*>&self.head)[:sizeof(ImageHead)]

    cdef bint _copy_still(self, bytes protocol_state, bytes session_state) noexcept:
        """What is small, at once; False: there is no memory for it."""
        cdef Market market = self.market
        cdef uint32_t rows = market.publisher.table.used
        cdef uint32_t held = market.sales.filter.jumps.held_count
        cdef uint64_t length = 0
        cdef uint32_t row
        cdef HeldImage image
        cdef int part
        self.head.rows = rows
        self.sizes[PART_ROWS] = rows * sizeof(RowImage)
        self.sizes[PART_KEYS] = DIRECT_KEYS * sizeof(int32_t)
        self.sizes[PART_HELD] = held * sizeof(HeldImage)
        self.sizes[PART_PROTOCOL] = <uint64_t>len(protocol_state)
        self.sizes[PART_SESSION] = <uint64_t>len(session_state)
        for part in range(PART_ROWS, PARTS):
            self.offsets[part] = length
            length += self.sizes[part]
        if length > self.still_room:
            free(self.still)
            self.still_room = length + (length >> 2)
            self.still = <uint8_t*>malloc(self.still_room)
            if self.still == NULL:
                self.still_room = 0
                return False
        for row in range(rows):
            self._copy_row(self.still + row * sizeof(RowImage), row)
        memcpy(
            self.still + self.offsets[PART_KEYS], market.rows.directory.direct,
            self.sizes[PART_KEYS],
        )
        for row in range(held):
            image.row = market.sales.filter.jumps.holding[row]
            image.slot = market.sales.filter.jumps.slots[image.row]
            memcpy(
                self.still + self.offsets[PART_HELD] + row * sizeof(HeldImage), &image,
                sizeof(HeldImage),
            )
        memcpy(
            self.still + self.offsets[PART_PROTOCOL], <const char*>protocol_state,
            self.sizes[PART_PROTOCOL],
        )
        memcpy(
            self.still + self.offsets[PART_SESSION], <const char*>session_state,
            self.sizes[PART_SESSION],
        )
        return True

    cdef void _copy_row(self, uint8_t* to, uint32_t row) noexcept nogil:
        cdef RowImage* image = <RowImage*>to
        image.values = self.market.publisher.entries[row].values
        image.base = self.trades.base[row]
        image.chain = self.trades.chains[row]
        image.absorbed = <uint32_t>(self.trades.absorbed[row] != 0)
        image.greatest = self.ids.greatest[row]
        image.lot = self.market.sales.eligibility.lots[row]

    cdef bint _is_still_possible(self) noexcept nogil:
        """What the slices that are left need is still as it was."""
        cdef uint64_t next_trade
        if (self.session.session_words[0] != self.head.session[0]
                or self.session.session_words[1] != self.head.session[1]
                or self.session.next_expected_sequence < self.head.sequence
                or self.market.rows.midnight != self.head.midnight):
            return False
        if self.part <= PART_ORDERS and not self.book.imaging:
            return False
        if self.part <= PART_IDS and not self.ids.imaging:
            return False
        if self.part > PART_TRADES:
            return True
        next_trade = oldest_of(self.head.trades, self.trades.mask) + self.at // sizeof(Trade)
        return (
            self._corrections() == self.corrections and self.trades.count >= self.head.trades
            and oldest_of(self.trades.count, self.trades.mask) <= next_trade
        )

    cdef uint64_t _corrections(self) noexcept nogil:
        cdef uint64_t* counters = self.market.counters
        return (
            load_relaxed(&counters[<int>FEED_BREAKS])
            + load_relaxed(&counters[<int>FEED_CORRECTIONS])
        )

    cdef uint64_t _fill(self, uint8_t* to, uint64_t room) noexcept nogil:
        cdef uint64_t length = min(room, <uint64_t>SLICE_BYTES)
        if self.part == PART_ORDERS:
            return self._fill_orders(to, room)
        if self.part == PART_CHANGED:
            return self._copy(
                to, length, <const uint8_t*>self.changed,
                self.book.kept_count * sizeof(Order),
            )
        if self.part == PART_IDS:
            return self._fill_ids(to, length)
        if self.part == PART_NEW_IDS:
            return self._copy(
                to, length, <const uint8_t*>self.new_ids,
                self.ids.kept_count * sizeof(uint64_t),
            )
        if self.part == PART_TRADES:
            return self._fill_trades(to, room)
        return self._copy(
            to, length, self.still + self.offsets[self.part], self.sizes[self.part]
        )

    cdef uint64_t _fill_orders(self, uint8_t* to, uint64_t room) noexcept nogil:
        """The orders whose first slot is among the next SLICE_SLOTS. They may be behind it, as
        far as slots are taken without a break."""
        cdef uint64_t first = self.book.imaged >> self.book.shift
        cdef uint64_t behind = min(first + SLICE_SLOTS, self.book.mask + 1)
        cdef uint64_t slot = first
        cdef uint64_t home
        cdef uint64_t filled = 0
        cdef const Order* order
        cdef Order* copy
        while slot < behind or self.book.orders[slot & self.book.mask].place:
            order = &self.book.orders[slot & self.book.mask]
            home = home_of(self.book, order.reference)
            if order.place and first <= home < behind and not (
                self.book.cleared and self.book._outdated(order)
            ):
                if filled + sizeof(Order) > room:
                    self.book.imaging = False
                    return 0
                copy = <Order*>(to + filled)
                copy[0] = order[0]
                copy.place &= 3
                filled += sizeof(Order)
            slot += 1
        if behind > self.book.mask:
            # What changes from now on has been copied.
            self.book.imaging = False
            self._next_part()
        else:
            self.book.imaged = behind << self.book.shift
        return filled

    cdef uint64_t _fill_ids(self, uint8_t* to, uint64_t room) noexcept nogil:
        """Of the generations, one behind the other."""
        cdef uint64_t before = 0
        cdef uint64_t length, part
        cdef int i
        for i in range(self.ids.count):
            length = (self.ids.generations[i].mask + 1) * sizeof(uint64_t)
            if self.at < before + length:
                part = min(room, before + length - self.at)
                memcpy(to, <uint8_t*>self.ids.generations[i].slots + (self.at - before), part)
                self.at += part
                return part
            before += length
        # Ids that come from now on are in no slot that was copied.
        self.ids.imaging = False
        self._next_part()
        return 0

    cdef uint64_t _fill_trades(self, uint8_t* to, uint64_t room) noexcept nogil:
        cdef uint64_t first = oldest_of(self.head.trades, self.trades.mask) + self.at // sizeof(Trade)
        cdef uint64_t number = min(
            min(room // sizeof(Trade), self.head.trades - first),
            self.trades.mask + 1 - (first & self.trades.mask),
        )
        memcpy(to, &self.trades.trades[first & self.trades.mask], number * sizeof(Trade))
        self.at += number * sizeof(Trade)
        if first + number == self.head.trades:
            self._next_part()
        return number * sizeof(Trade)

    cdef uint64_t _copy(
        self, uint8_t* to, uint64_t room, const uint8_t* source, uint64_t length
    ) noexcept nogil:
        """The next bytes of a part that is in memory as a whole."""
        cdef uint64_t part = min(room, length - self.at)
        memcpy(to, source + self.at, part)
        self.at += part
        if self.at == length:
            self._next_part()
        return part

    cdef void _next_part(self) noexcept nogil:
        self.part += 1
        self.at = 0


cdef inline uint64_t oldest_of(uint64_t count, uint64_t mask) noexcept nogil:
    """The number of the oldest trade that is kept."""
    return count - mask - 1 if count > mask else 0
