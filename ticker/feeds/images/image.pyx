"""A feed's image, read back: whole and of this feed, or refused.

In: the bytes of a file that imager.pyx made. Out: the state of a market whose rows were adopted for
a rebuild (Market.adopt_rows), as it was before the message `sequence`. Owned by the worker that
takes the feed over.

Law: nothing of an image is believed before all of it was checked. No I/O, no clock.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy

from ticker.crc32c cimport crc32c, crc32c_more
from ticker.feeds.images.layout cimport (
    HEAD_BYTES, IMAGE_VERSION, PART_CHANGED, PART_HELD, PART_IDS, PART_KEYS, PART_NEW_IDS,
    PART_ORDERS, PART_PROTOCOL, PART_ROWS, PART_SESSION, PART_TRADES, PARTS, HeldImage, ImageHead,
    RowImage,
)
from ticker.feeds.market.book cimport BOOK_FAILED, Book, Order, side_of
from ticker.feeds.market.directory cimport DIRECT_KEYS
from ticker.feeds.market.jumps cimport HELD_MOST, Jumps
from ticker.feeds.market.market cimport Market
from ticker.feeds.market.trade_ids cimport GENERATIONS, Generation, TradeIds
from ticker.feeds.market.trades cimport Trade, TradeLog
from ticker.pages cimport take_pages
from ticker.shm.layout cimport MarketPhase

from ticker.errors import FeedError

cdef uint64_t ORDERS_UNSAID = <uint64_t>-1
cdef uint64_t MULTIPLIER = <uint64_t>0x9E3779B97F4A7C15ULL


cdef class NumberSet:
    """Up to `most` numbers of 64 bits."""

    def __cinit__(self, most: int) -> None:
        cdef uint64_t slots = 16
        while slots < 2 * <uint64_t>most:
            slots <<= 1
        self.mask = slots - 1
        self.slots = <uint64_t*>calloc(slots, sizeof(uint64_t))
        if self.slots == NULL:
            raise MemoryError("no memory to read an image")

    def __dealloc__(self) -> None:
        free(self.slots)

    cdef bint put(self, uint64_t number) noexcept nogil:
        """Whether it was not there."""
        cdef uint64_t slot = ((number * MULTIPLIER) >> 24) & self.mask
        if not number:
            if self.has_zero:
                return False
            self.has_zero = True
            return True
        while self.slots[slot]:
            if self.slots[slot] == number:
                return False
            slot = (slot + 1) & self.mask
        self.slots[slot] = number
        return True

    cdef bint has(self, uint64_t number) noexcept nogil:
        cdef uint64_t slot = ((number * MULTIPLIER) >> 24) & self.mask
        if not number:
            return self.has_zero
        while self.slots[slot]:
            if self.slots[slot] == number:
                return True
            slot = (slot + 1) & self.mask
        return False


cdef class Image:
    """`data` as an image of the feed that `boot_id` and `fingerprint` name. The bytes are not
    copied, and must not change.

    Raises:
        FeedError: it is not whole, or of another feed, configuration or run of the server.
    """

    def __cinit__(self, data: object, boot_id: int, fingerprint: int) -> None:
        cdef const char* fault
        cdef uint64_t boot = boot_id
        cdef uint64_t print_ = fingerprint
        PyObject_GetBuffer(data, &self.buffer, PyBUF_SIMPLE)
        self.held = True
        self.data = <const uint8_t*>self.buffer.buf
        self.length = <uint64_t>self.buffer.len
        if self.length < HEAD_BYTES:
            raise FeedError("it has no head")
        with nogil:
            fault = self._fault(boot, print_)
        if fault != NULL:
            raise FeedError(fault.decode("ascii"))

    def __dealloc__(self) -> None:
        if self.held:
            PyBuffer_Release(&self.buffer)

    @property
    def session(self) -> bytes:
        """Session id that it is of."""
        return (<char*>self.head.session)[:16].rstrip(b"\0")

    @property
    def sequence(self) -> int:
        """Of the next message."""
        return self.head.sequence

    @property
    def made_ns(self) -> int:
        """When it was begun, wall clock."""
        return self.head.made_ns

    @property
    def midnight(self) -> int:
        """At which the day of its totals began, ns since the epoch."""
        return self.head.midnight

    @property
    def rows(self) -> int:
        """Rows that there were."""
        return self.head.rows

    @property
    def protocol_state(self) -> bytes:
        """What the decoder said of itself."""
        return self._bytes(PART_PROTOCOL)

    @property
    def session_state(self) -> bytes:
        """What the session said of its streams."""
        return self._bytes(PART_SESSION)

    cdef bytes _bytes(self, int part):
        return self.data[self.offsets[part]:self.offsets[part] + self.head.lengths[part]]

    cdef const char* _fault(self, uint64_t boot_id, uint64_t fingerprint) noexcept nogil:
        """Why the image is of no use, NULL: it is."""
        cdef ImageHead head
        memcpy(&self.head, self.data, sizeof(ImageHead))
        if memcmp(self.head.magic, b"TICKIMAG", 8):
            return b"it was not finished"
        if self.head.version != IMAGE_VERSION:
            return b"another version of ticker made it"
        head = self.head
        head.crc = 0
        if crc32c(&head, sizeof(ImageHead)) != self.head.crc:
            return b"its head is damaged"
        if self.head.boot_id != boot_id:
            return b"it is of another run of the server"
        if self.head.fingerprint != fingerprint:
            return b"the feed's configuration has changed since"
        return self._damage()

    cdef const char* _damage(self) noexcept nogil:
        cdef uint64_t offset = HEAD_BYTES
        cdef int part
        for part in range(PARTS):
            self.offsets[part] = offset
            if self.head.lengths[part] > self.length - offset:
                return b"its end is missing"
            if crc32c_more(
                0xFFFFFFFF, self.data + offset, self.head.lengths[part]
            ) != self.head.crcs[part]:
                return b"it is damaged"
            offset += self.head.lengths[part]
        return self._nonsense()

    cdef uint64_t _count(self, int part, uint64_t size) noexcept nogil:
        """Items of a part."""
        return self.head.lengths[part] // size

    cdef const char* _nonsense(self) noexcept nogil:
        """What no image says that this code made."""
        cdef const Order* orders = <const Order*>(self.data + self.offsets[PART_ORDERS])
        cdef const Trade* trades = <const Trade*>(self.data + self.offsets[PART_TRADES])
        cdef const HeldImage* held = <const HeldImage*>(self.data + self.offsets[PART_HELD])
        cdef uint64_t slots = 0
        cdef uint64_t i
        if (self.head.generations < 1 or self.head.generations > GENERATIONS
                or self._count(PART_ROWS, sizeof(RowImage)) != self.head.rows
                or self._count(PART_KEYS, sizeof(int32_t)) != DIRECT_KEYS
                or self._count(PART_TRADES, sizeof(Trade)) > self.head.trades):
            return b"its parts do not fit each other"
        for i in range(self.head.generations):
            slots += self.head.generation[i].slots
            if self.head.generation[i].slots & (self.head.generation[i].slots - 1):
                return b"its parts do not fit each other"
        if self._count(PART_IDS, sizeof(uint64_t)) != slots:
            return b"its parts do not fit each other"
        # Orders of both parts: they are beside each other.
        for i in range(self._count(PART_ORDERS, sizeof(Order))
                       + self._count(PART_CHANGED, sizeof(Order))):
            if orders[i].place and (
                orders[i].instrument >= self.head.rows or orders[i].place & 3 == 3
                or not orders[i].place & 3 or not orders[i].size
            ):
                return b"it has an order of no row"
        for i in range(self._count(PART_TRADES, sizeof(Trade))):
            if trades[i].instrument >= self.head.rows:
                return b"it has a trade of no row"
        for i in range(self._count(PART_HELD, sizeof(HeldImage))):
            if held[i].row >= self.head.rows or held[i].slot.count > HELD_MOST:
                return b"it holds a trade of no row"
        return NULL

    def restore(self, market: Market) -> None:
        """Bring a market, whose rows were adopted and which publishes nothing, to this state.

        Raises:
            FeedError: the segment has fewer rows than the image, or another day.
            MemoryError: no memory for all its orders or ids.
        """
        cdef Market to = market
        if self.head.rows > to.publisher.table.used:
            raise FeedError("it has rows that the segment does not have")
        if self.head.midnight != to.rows.midnight:
            raise FeedError("it is of another day")
        to.rows.first_midnight = self.head.first_midnight
        to.rows.venue.phase = <MarketPhase>self.head.phase
        to.rows.venue.phase_time = self.head.phase_time
        to.rows.venue.breaker = self.head.breaker
        to.rows.venue.breaker_time = self.head.breaker_time
        to.rows.venue.decline_levels = self.head.decline_levels
        to.rows.venue.changed = True
        self._restore_ids(to)
        self._restore_rows(to)
        self._restore_trades(to)
        self._restore_orders(to)

    cdef int _restore_rows(self, Market market) except -1:
        cdef const RowImage* rows = <const RowImage*>(self.data + self.offsets[PART_ROWS])
        cdef const HeldImage* held = <const HeldImage*>(self.data + self.offsets[PART_HELD])
        cdef Jumps jumps = market.sales.filter.jumps
        cdef TradeLog trades = market.sales.trades
        cdef uint64_t i
        for i in range(self.head.rows):
            market.publisher.entries[i].values = rows[i].values
            trades.base[i] = rows[i].base
            trades.chains[i] = rows[i].chain
            # What was counted so far is not kept: the next break counts from the start.
            trades.chains[i].counted = 0
            trades.absorbed[i] = <char>rows[i].absorbed
            market.sales.filter.ids.greatest[i] = rows[i].greatest
            market.sales.eligibility.lots[i] = rows[i].lot
        memcpy(
            market.rows.directory.direct, self.data + self.offsets[PART_KEYS],
            self.head.lengths[PART_KEYS],
        )
        for i in range(self._count(PART_HELD, sizeof(HeldImage))):
            jumps.slots[held[i].row] = held[i].slot
            jumps.slots[held[i].row].place = jumps.held_count
            jumps.holding[jumps.held_count] = <uint32_t>held[i].row
            jumps.held_count += 1
        return 0

    cdef int _restore_trades(self, Market market) except -1:
        cdef const Trade* kept = <const Trade*>(self.data + self.offsets[PART_TRADES])
        cdef TradeLog trades = market.sales.trades
        cdef uint64_t count = self._count(PART_TRADES, sizeof(Trade))
        cdef uint64_t first = self.head.trades - count
        cdef uint64_t i
        if count > trades.mask + 1:
            raise FeedError("it has more trades than are kept")
        for i in range(count):
            trades.trades[(first + i) & trades.mask] = kept[i]
        trades.count = self.head.trades
        return 0

    cdef int _restore_ids(self, Market market) except -1:
        cdef const uint64_t* slots = <const uint64_t*>(self.data + self.offsets[PART_IDS])
        cdef const uint64_t* new = <const uint64_t*>(self.data + self.offsets[PART_NEW_IDS])
        cdef uint64_t new_ids = self._count(PART_NEW_IDS, sizeof(uint64_t))
        cdef NumberSet left_out = NumberSet(new_ids)
        cdef TradeIds ids = market.sales.filter.ids
        cdef Generation* generation
        cdef uint64_t i, number
        for i in range(new_ids):
            left_out.put(new[i])
        ids.clear()
        ids._drop_oldest()
        for number in range(self.head.generations):
            generation = &ids.generations[number]
            generation.mask = self.head.generation[number].slots - 1
            generation.room = self.head.generation[number].room
            generation.newest = self.head.generation[number].newest
            generation.slots = <uint64_t*>take_pages((generation.mask + 1) * sizeof(uint64_t))
            if generation.slots == NULL:
                raise MemoryError("no memory for the trade ids of an image")
            ids.count += 1
            if number:
                memcpy(generation.slots, slots, (generation.mask + 1) * sizeof(uint64_t))
            else:
                for i in range(generation.mask + 1):
                    if slots[i] and not left_out.has(slots[i]):
                        ids._enter(slots[i])
            slots += generation.mask + 1
        ids.horizon = self.head.horizon
        return 0

    cdef int _restore_orders(self, Market market) except -1:
        """Those that changed while the image was made, as they were before; then all others."""
        cdef const Order* orders = <const Order*>(self.data + self.offsets[PART_ORDERS])
        cdef const Order* changed = <const Order*>(self.data + self.offsets[PART_CHANGED])
        cdef uint64_t changes = self._count(PART_CHANGED, sizeof(Order))
        cdef NumberSet done = NumberSet(changes)
        cdef Book book = market.book
        cdef uint64_t i
        for i in range(changes):
            if done.put(changed[i].reference) and changed[i].place:
                add(book, &changed[i])
        for i in range(self._count(PART_ORDERS, sizeof(Order))):
            if not changes or not done.has(orders[i].reference):
                add(book, &orders[i])
        if self.head.orders != ORDERS_UNSAID and self.head.orders != book.used:
            raise FeedError(f"it has {book.used} orders, and should have {self.head.orders}")
        return 0


cdef int add(Book book, const Order* order) except -1:
    if book.add(
        order.instrument, order.reference, side_of(order), order.size, order.price
    ) == BOOK_FAILED:
        raise MemoryError("no memory for the orders of an image")
    return 0
