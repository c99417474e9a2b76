"""The order book: needed because executions name an order, not a price.

Orders live in one open-addressing hash table over all instruments: 32 bytes each, linear
probing, backward-shift deletion (no tombstones), at most half full, grown by rehashing.
The levels of an instrument's side are a sorted array with the best at its end, where nearly
all of the work is: a linear search from the best, then a binary one; memmove to insert.

Readers see the best level of a side, or the best few where somebody watches the depth: only a
change of those is worth a look at the end of the packet.

A feed that sends no orders sets the levels, or the best ones, themselves. Who mixes the two for
one instrument gets a wrong book and no worse.

No memory is no crash: the order is refused and its later messages are unknown orders.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memmove, memset

from ticker.checks cimport check
from ticker.pages cimport give_pages, take_pages

cdef enum:
    FIRST_BITS = 20              # 32 MiB of address space, backed as it is touched
    FIRST_ROOM = 4               # 16 levels
    LINEAR_LEVELS = 8
    LEVEL_LIMIT = 1 << 16        # of a side whose levels are set: no more than could be true


cdef inline uint32_t level_at(const Ladder* ladder, int64_t rank) noexcept nogil:
    """The index of the first level whose rank is not below `rank`; count when all are below."""
    cdef const Level* levels = ladder.levels
    cdef uint32_t high = ladder.count
    cdef uint32_t low, middle
    cdef uint32_t stop = high - LINEAR_LEVELS if high > LINEAR_LEVELS else 0
    while high > stop:
        if levels[high - 1].rank < rank:
            return high
        high -= 1
    low = 0
    while low < high:
        middle = (low + high) >> 1
        if levels[middle].rank < rank:
            low = middle + 1
        else:
            high = middle
    return low


cdef bint more_room(Ladder* ladder) noexcept nogil:
    """Room for twice the levels; False: no memory, and nothing has changed."""
    cdef uint8_t room = <uint8_t>(ladder.room + 1 if ladder.room else FIRST_ROOM)
    cdef Level* own = ladder.levels if ladder.room else NULL
    cdef Level* levels = <Level*>realloc(own, (<size_t>1 << room) * sizeof(Level))
    if levels == NULL:
        return False
    if own == NULL and ladder.count:
        levels[0] = ladder.levels[0]
    ladder.levels = levels
    ladder.room = room
    if not ladder.shown:
        ladder.shown = 1
    return True


cdef inline int change_at(const Ladder* ladder, uint32_t at) noexcept nogil:
    """The BookChange that a change of the level at this index is. The ladder has had a level."""
    cdef uint32_t number = ladder.count - at
    if number > ladder.shown:
        return BOOK_DEEP
    return BOOK_TOP if number <= 1 else BOOK_SEEN


cdef class Book:
    """The books of `instruments` instruments, of at most `order_limit` orders together."""

    def __cinit__(self, instruments: int, order_limit: int = 1 << 26) -> None:
        cdef int bits
        self.instruments = instruments
        self.order_limit = order_limit
        bits = min(FIRST_BITS, max(order_limit, 1).bit_length() + 1)   # half full at the limit
        self.mask = (<uint64_t>1 << bits) - 1
        self.shift = 64 - bits
        self.orders = <Order*>take_pages((self.mask + 1) * sizeof(Order))
        self.ladders = <Ladder*>calloc(2 * <size_t>self.instruments, sizeof(Ladder))
        self.clearings = <uint32_t*>calloc(self.instruments, sizeof(uint32_t))
        if self.orders == NULL or self.ladders == NULL or self.clearings == NULL:
            raise MemoryError("no memory for the order book")

    def __dealloc__(self) -> None:
        cdef size_t i
        if self.orders != NULL:
            give_pages(self.orders, (self.mask + 1) * sizeof(Order))
        if self.ladders != NULL:
            for i in range(2 * <size_t>self.instruments):
                if self.ladders[i].room:
                    free(self.ladders[i].levels)
            free(self.ladders)
        give_pages(self.tops, 2 * <size_t>self.instruments * sizeof(Level))
        free(self.clearings)

    cdef Order* find(self, uint64_t reference) noexcept nogil:
        """The order of this reference, NULL: unknown. Valid until the book changes."""
        cdef uint64_t slot = home_of(self, reference)
        cdef Order* order
        while True:
            check(slot <= self.mask)
            order = &self.orders[slot]
            if not order.place:
                return NULL
            if order.reference == reference:
                if self.cleared and self._outdated(order):
                    self._erase(order)
                    return NULL
                return order
            slot = (slot + 1) & self.mask

    cdef int add(
        self, uint32_t instrument, uint64_t reference, uint32_t side, uint64_t size, int64_t price
    ) noexcept nogil:
        """A new order. The caller knows that its reference is not in use and size is not 0."""
        cdef uint64_t slot
        cdef Order* order
        cdef int change
        check(instrument < self.instruments and side < 2 and size > 0)
        if self.used >= self.order_limit or (2 * self.used > self.mask and not self._grow()):
            return BOOK_FAILED
        change = self._level_add(
            &self.ladders[2 * instrument + side], -price if side else price, size
        )
        if change == BOOK_FAILED:
            return BOOK_FAILED
        if self.imaging:
            self._keep(reference, NULL)
        slot = home_of(self, reference)
        while self.orders[slot].place:
            slot = (slot + 1) & self.mask
        order = &self.orders[slot]
        order.reference = reference
        order.price = price
        order.size = size
        order.instrument = instrument
        order.place = 1 + side
        if self.cleared:
            order.place += 4 * self.clearings[instrument]
        self.used += 1
        return change

    cdef int reduce(self, Order* order, uint64_t size) noexcept nogil:
        """Take `size` off an order; at nothing left it is gone, and `order` with it."""
        if size >= order.size:
            return self.remove(order)
        if self.imaging:
            self._keep(order.reference, order)
        order.size -= size
        return self._level_reduce(
            &self.ladders[2 * order.instrument + side_of(order)],
            -order.price if side_of(order) else order.price, size,
        )

    cdef int remove(self, Order* order) noexcept nogil:
        """Drop an order; `order` is not to be used any more."""
        cdef int change = self._level_reduce(
            &self.ladders[2 * order.instrument + side_of(order)],
            -order.price if side_of(order) else order.price, order.size,
        )
        if self.imaging:
            self._keep(order.reference, order)
        self._erase(order)
        return change

    cdef int modify(self, Order* order, uint64_t size, int64_t price) noexcept nogil:
        """Give an order another size and price; at size 0 it is gone, and `order` with it."""
        cdef Ladder* ladder = &self.ladders[2 * order.instrument + side_of(order)]
        cdef bint asks = side_of(order)
        cdef int left, entered
        if not size:
            return self.remove(order)
        if price == order.price and size <= order.size:
            return self.reduce(order, order.size - size) if size < order.size else BOOK_DEEP
        # In first: if there is no memory for it, nothing has changed.
        entered = self._level_add(ladder, -price if asks else price, size)
        if entered == BOOK_FAILED:
            return BOOK_FAILED
        left = self._level_reduce(ladder, -order.price if asks else order.price, order.size)
        if self.imaging:
            self._keep(order.reference, order)
        order.size = size
        order.price = price
        return left | entered

    cdef int set_level(
        self, uint32_t instrument, uint32_t side, int64_t price, uint64_t size
    ) noexcept nogil:
        """The size of all orders at a price, for a feed that sends levels; 0: none is left."""
        cdef Ladder* ladder = &self.ladders[2 * instrument + side]
        cdef int64_t rank = -price if side else price
        cdef uint32_t at = level_at(ladder, rank)
        check(instrument < self.instruments and side < 2)
        if at == ladder.count or ladder.levels[at].rank != rank:
            if not size:
                return BOOK_DEEP
            if ladder.count >= LEVEL_LIMIT:
                return BOOK_FAILED
            return self._level_add(ladder, rank, size)
        if not size:
            return self._level_reduce(ladder, rank, ladder.levels[at].size)
        ladder.levels[at].size = size
        return change_at(ladder, at)

    cdef int set_top(
        self, uint32_t instrument, uint32_t side, int64_t price, uint64_t size
    ) noexcept nogil:
        """The best level of a side is all that its feed sends; NO_PRICE: the side is empty."""
        cdef Ladder* ladder = &self.ladders[2 * instrument + side]
        cdef int64_t rank
        check(instrument < self.instruments and side < 2)
        ladder.tops = 1
        if price == NO_PRICE:
            size = ladder.count
            ladder.count = 0
            return size > 0
        rank = -price if side else price
        if ladder.count != 1:
            if ladder.levels == NULL and not self._take_top(2 * instrument + side):
                return BOOK_FAILED
            ladder.count = 1
        elif ladder.levels[0].rank == rank and ladder.levels[0].size == size:
            return BOOK_DEEP
        ladder.levels[0].rank = rank
        ladder.levels[0].size = size
        return BOOK_TOP

    cdef bint _take_top(self, uint32_t ladder) noexcept nogil:
        """Room for the one level of a side. Those of an instrument share a cache line; False: no
        memory."""
        if self.tops == NULL:
            self.tops = <Level*>take_pages(2 * <size_t>self.instruments * sizeof(Level))
            if self.tops == NULL:
                return False
        self.ladders[ladder].levels = &self.tops[ladder]
        if not self.ladders[ladder].shown:
            self.ladders[ladder].shown = 1
        return True

    cdef void show(self, uint32_t instrument, uint32_t levels) noexcept nogil:
        """From now on readers see so many levels of each side, 1 to 255."""
        check(instrument < self.instruments and 0 < levels < 256)
        self.ladders[2 * instrument].shown = <uint8_t>levels
        self.ladders[2 * instrument + 1].shown = <uint8_t>levels

    cdef void cut(self, uint32_t instrument, uint32_t side, uint32_t depth) noexcept nogil:
        """Forget all levels of a side behind the best `depth` (1 or more): its feed no longer says
        what becomes of them."""
        cdef Ladder* ladder = &self.ladders[2 * instrument + side]
        cdef uint32_t beyond
        check(instrument < self.instruments and side < 2 and depth)
        if ladder.count > depth:
            beyond = ladder.count - depth
            memmove(ladder.levels, ladder.levels + beyond, depth * sizeof(Level))
            ladder.count = depth

    cdef void clear(self) noexcept nogil:
        """Drop every order of every instrument."""
        cdef size_t i
        if self.used:
            memset(self.orders, 0, (self.mask + 1) * sizeof(Order))
        for i in range(2 * <size_t>self.instruments):
            self.ladders[i].count = 0
        memset(self.clearings, 0, self.instruments * sizeof(uint32_t))
        self.cleared = False
        self.imaging = False
        self.used = 0

    cdef void clear_instrument(self, uint32_t instrument) noexcept nogil:
        """Drop the orders and levels of one instrument. Its orders are only outdated: each goes
        when it is looked for, the rest when the table grows."""
        check(instrument < self.instruments)
        self.ladders[2 * instrument].count = 0
        self.ladders[2 * instrument + 1].count = 0
        if self.used:
            self.clearings[instrument] += 1
            self.cleared = True
            self.imaging = False

    cdef void begin_image(self, Order* kept, uint64_t room) noexcept nogil:
        """From now on `kept` has what an image needs of orders that change before it has come to
        them, until `imaging` is off: the image is whole, or cannot become so (too many orders
        changed, or all of an instrument at once). The caller moves `imaged` on."""
        self.kept = kept
        self.kept_count = 0
        self.kept_room = room
        self.imaged = 0
        self.imaging = True

    cdef void _keep(self, uint64_t reference, const Order* order) noexcept nogil:
        """An order is about to change, or (NULL) to come."""
        if hash_of(reference) < self.imaged:
            return
        if self.kept_count == self.kept_room:
            self.imaging = False
            return
        if order != NULL:
            self.kept[self.kept_count] = order[0]
        else:
            self.kept[self.kept_count].reference = reference
            self.kept[self.kept_count].place = 0
        self.kept_count += 1

    cdef bint _outdated(self, const Order* order) noexcept nogil:
        return order.place >> 2 != self.clearings[order.instrument] & 0x3FFFFFFF

    cdef bint _grow(self) noexcept nogil:
        """Twice the slots; False: no memory, and nothing has changed."""
        cdef uint64_t old_mask = self.mask
        cdef Order* old = self.orders
        cdef uint64_t i, slot
        cdef Order* bigger = <Order*>take_pages(2 * (old_mask + 1) * sizeof(Order))
        if bigger == NULL:
            return False
        self.orders = bigger
        self.mask = 2 * old_mask + 1
        self.shift -= 1
        for i in range(old_mask + 1):
            if old[i].place:
                if self.cleared and self._outdated(&old[i]):
                    self.used -= 1
                    continue
                slot = home_of(self, old[i].reference)
                while bigger[slot].place:
                    slot = (slot + 1) & self.mask
                bigger[slot] = old[i]
        give_pages(old, (old_mask + 1) * sizeof(Order))
        return True

    cdef void _erase(self, Order* order) noexcept nogil:
        """Empty a slot, then move back what had been pushed past it (Knuth 6.4, algorithm R)."""
        cdef Order* orders = self.orders
        cdef uint64_t mask = self.mask
        cdef uint64_t hole = <uint64_t>(order - orders)
        cdef uint64_t slot = hole
        check(hole <= mask)
        while True:
            slot = (slot + 1) & mask
            if not orders[slot].place:
                break
            if ((slot - home_of(self, orders[slot].reference)) & mask) >= ((slot - hole) & mask):
                orders[hole] = orders[slot]
                hole = slot
        orders[hole].place = 0
        self.used -= 1

    cdef int _level_add(self, Ladder* ladder, int64_t rank, uint64_t size) noexcept nogil:
        cdef uint32_t at = level_at(ladder, rank)
        if at < ladder.count and ladder.levels[at].rank == rank:
            ladder.levels[at].size += size
            return change_at(ladder, at)
        if ladder.count >= ((<uint32_t>1 << ladder.room) & ~<uint32_t>1) and not more_room(ladder):
            return BOOK_FAILED
        memmove(
            &ladder.levels[at + 1], &ladder.levels[at], (ladder.count - at) * sizeof(Level)
        )
        ladder.levels[at].rank = rank
        ladder.levels[at].size = size
        ladder.count += 1
        return change_at(ladder, at)

    cdef int _level_reduce(self, Ladder* ladder, int64_t rank, uint64_t size) noexcept nogil:
        cdef uint32_t at = level_at(ladder, rank)
        cdef int change = change_at(ladder, at)
        if at >= ladder.count or ladder.levels[at].rank != rank:
            return BOOK_DEEP     # levels were set over the orders': see above
        ladder.levels[at].size -= min(size, ladder.levels[at].size)
        if not ladder.levels[at].size:
            ladder.count -= 1
            memmove(
                &ladder.levels[at], &ladder.levels[at + 1], (ladder.count - at) * sizeof(Level)
            )
        return change

    def depth(self, instrument: int, side: int) -> list[tuple[int, int]]:
        """(price, size) of every level of a side (0 bids, 1 asks), the best first."""
        if not 0 <= instrument < self.instruments or side not in (0, 1):
            raise IndexError(f"instrument {instrument}, side {side}: no such side of a book")
        cdef Ladder* ladder = &self.ladders[2 * <uint32_t>instrument + <uint32_t>side]
        cdef uint32_t i
        levels = []
        for i in range(ladder.count):
            levels.append((
                -ladder.levels[i].rank if side else ladder.levels[i].rank, ladder.levels[i].size
            ))
        return levels[::-1]
