"""Every displayed order of a feed, and the price levels that they make."""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from ticker.pages cimport prefetch

cdef extern from "<stdint.h>":
    const int64_t NO_PRICE "INT64_MIN"       # what stands for a price where there is none


cdef enum Side:
    BID = 0
    ASK = 1

cdef struct Order:
    uint64_t reference
    int64_t price
    uint64_t size
    uint32_t instrument
    uint32_t place               # 0: the slot is empty, else 1 + Side + 4 * clearing

cdef struct Level:
    int64_t rank                 # price of a bid, -price of an ask: the greatest is the best
    uint64_t size                # of all its orders together

cdef struct Ladder:
    Level* levels                # ascending by rank: the best is the last
    uint32_t count
    uint8_t room                 # for 2^room levels; 0: none yet, or the one in Book.tops
    uint8_t shown                # of the best levels that readers see: 1, or more of a depth
    uint8_t tops                 # the feed sends its best level alone (set_top)
    uint8_t reserved

cdef enum BookChange:
    BOOK_FAILED = -1             # not taken: no memory, or over the limit
    BOOK_DEEP = 0                # taken, the levels that readers see are as they were
    BOOK_TOP = 1                 # taken, the best level of its side changed
    BOOK_SEEN = 2                # taken, a level behind it changed that readers see: bits


@cython.final
cdef class Book:
    cdef Order* orders
    cdef uint64_t mask
    cdef unsigned shift
    cdef readonly uint64_t used
    cdef readonly uint64_t order_limit
    cdef Ladder* ladders
    cdef Level* tops             # both best levels of each instrument; NULL: no feed sent any
    cdef uint32_t* clearings     # per instrument: times that it was cleared, mod 2^30
    cdef bint cleared            # any was, since the last clear()
    cdef uint32_t instruments
    # While an image of the book is made (feeds/images): the orders that it has not come to yet, and
    # that changed since it began, each as it was before; and how far it has come, by hash_of.
    cdef bint imaging
    cdef Order* kept
    cdef uint64_t kept_count
    cdef uint64_t kept_room
    cdef uint64_t imaged

    cdef Order* find(self, uint64_t reference) noexcept nogil
    cdef int add(
        self, uint32_t instrument, uint64_t reference, uint32_t side, uint64_t size, int64_t price
    ) noexcept nogil
    cdef int reduce(self, Order* order, uint64_t size) noexcept nogil
    cdef int remove(self, Order* order) noexcept nogil
    cdef int modify(self, Order* order, uint64_t size, int64_t price) noexcept nogil
    cdef int set_level(
        self, uint32_t instrument, uint32_t side, int64_t price, uint64_t size
    ) noexcept nogil
    cdef int set_top(
        self, uint32_t instrument, uint32_t side, int64_t price, uint64_t size
    ) noexcept nogil
    cdef void show(self, uint32_t instrument, uint32_t levels) noexcept nogil
    cdef void cut(self, uint32_t instrument, uint32_t side, uint32_t depth) noexcept nogil
    cdef void clear(self) noexcept nogil
    cdef void clear_instrument(self, uint32_t instrument) noexcept nogil
    cdef void begin_image(self, Order* kept, uint64_t room) noexcept nogil
    cdef void _keep(self, uint64_t reference, const Order* order) noexcept nogil
    cdef bint _outdated(self, const Order* order) noexcept nogil
    cdef bint _grow(self) noexcept nogil
    cdef bint _take_top(self, uint32_t ladder) noexcept nogil
    cdef void _erase(self, Order* order) noexcept nogil
    cdef int _level_add(self, Ladder* ladder, int64_t rank, uint64_t size) noexcept nogil
    cdef int _level_reduce(self, Ladder* ladder, int64_t rank, uint64_t size) noexcept nogil


cdef inline uint32_t side_of(const Order* order) noexcept nogil:
    return (order.place & 3) - 1


cdef inline uint64_t hash_of(uint64_t reference) noexcept nogil:
    """Knuth's multiplicative hash. The slots are in its order, however many they are."""
    return reference * <uint64_t>0x9E3779B97F4A7C15ULL


cdef inline uint64_t home_of(Book book, uint64_t reference) noexcept nogil:
    """The slot where an order is looked for first."""
    return hash_of(reference) >> book.shift


cdef inline void prefetch_order(Book book, uint64_t reference) noexcept nogil:
    # Its slot, and the next one: two fit a cache line, and one probe in a few goes on.
    cdef uint64_t home = home_of(book, reference)
    prefetch(&book.orders[home])
    prefetch(&book.orders[(home + 1) & book.mask])


cdef inline Level* best_of(Book book, uint32_t instrument, uint32_t side) noexcept nogil:
    """The best level of a side, NULL when it is empty."""
    cdef Ladder* ladder = &book.ladders[2 * instrument + side]
    return &ladder.levels[ladder.count - 1] if ladder.count else NULL
