"""The books of FIX market data: by order, by level, by place, or the top alone.

An entry with an id (278) is an order of that id, so that a change or delete needs no more than the
id; without one it is the aggregate of a price level. An instrument whose last W had no ids has
levels, also if its X say otherwise. With `depth` 1 a bid or offer replaces the one before it.

An instrument whose book began with a place (1023, or 290) and no id is one by place. A place counts
the levels of a side, from 1 for the best. New (279=0) at a place pushes the deeper ones down, a
change (1) may give a place another price, a delete (2) lets the deeper ones up. What falls out of
`depth` levels is gone without a word. So is what a venue of another depth has dropped: a level that
comes at a place, and is not there by its price, shows that those between are not there any more.

Source: FIX 4.4 volume 3 ("Market Data"); FIX 5.0, MDPriceLevel (1023).
"""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from ticker.feeds.fix.entries cimport (
    DELETE,
    HAS_PRICE,
    HAS_SIZE,
    NEW,
    NO_KIND,
    OFFER_ASK,
    OFFER_BID,
    Entry,
    name_of,
)
from ticker.feeds.market.book cimport Ladder, Order, side_of
from ticker.feeds.market.market cimport ASK, BID, NO_PRICE, Market, Side
from ticker.shm.counters cimport FEED_BAD_ORDERS, FEED_UNKNOWN_ORDERS, count


cdef class Books:
    """Those of one market.

    Args:
        depth: what the venue was asked for (264).
    """

    def __init__(self, Market market not None, int depth = 0) -> None:
        self.market = market
        self.depth = depth
        self.rows = market.rows.mapping.row_capacity
        self.styles = <uint8_t*>calloc(self.rows, 1)
        self.quotes = <Quote*>calloc(self.rows, sizeof(Quote))
        if self.styles == NULL or self.quotes == NULL:
            raise MemoryError("no memory for the books of a FIX feed")

    def __dealloc__(self) -> None:
        free(self.styles)
        free(self.quotes)

    cdef void clear(self, int32_t instrument, int64_t time) noexcept nogil:
        self.market.clear_instrument(instrument, time)
        memset(&self.quotes[instrument], 0, sizeof(Quote))
        self.styles[instrument] = BY_LEVEL

    cdef void forget(self) noexcept nogil:
        """A new session: nothing is known of any book."""
        memset(self.quotes, 0, self.rows * sizeof(Quote))
        memset(self.styles, 0, self.rows)

    cdef bint take(
        self, Entry* entry, int32_t instrument, bint snapshot, int64_t time
    ) noexcept nogil:
        cdef uint8_t* style = &self.styles[instrument]
        cdef bint by_id = entry.id.length > 0 or entry.reference.length > 0
        if entry.position and not by_id and self._is_empty(instrument):
            style[0] = BY_PLACE
        if self.depth == 1:
            self._best(entry, instrument, time)
        elif snapshot:
            if entry.id.length:
                # Ids in a snapshot: the book is one of orders from here on.
                style[0] = BY_ORDER
            if style[0] != BY_ORDER or not entry.id.length:
                return self._snapshot_level(entry, instrument, time)
            self._order(entry, instrument, time)
        elif style[0] == BY_ORDER and by_id:
            self._order(entry, instrument, time)
        elif entry.position and (style[0] >= BY_PLACE or not entry.parts & HAS_PRICE):
            return self._place(entry, instrument, time)
        else:
            return self._level(entry, instrument, time)
        return True

    cdef bint _is_empty(self, int32_t instrument) noexcept nogil:
        return not (self.market.book.ladders[2 * instrument + BID].count
                    or self.market.book.ladders[2 * instrument + ASK].count)

    # The top alone

    cdef void _best(self, Entry* entry, int32_t instrument, int64_t time) noexcept nogil:
        cdef Quote* quote = &self.quotes[instrument]
        cdef bint gone = entry.action == DELETE or not entry.size
        if entry.kind == NO_KIND or (not gone and not entry.parts & HAS_PRICE):
            count(self.market.counters, FEED_BAD_ORDERS, 1)
            return
        if entry.kind == OFFER_BID:
            # A late delete of a bid that was replaced since must not take the new one.
            if gone and entry.parts & HAS_PRICE and quote.has_bid and entry.price != quote.bid:
                return
            quote.has_bid = not gone
            quote.bid = entry.price
            quote.bid_size = 0 if gone else entry.size
        else:
            if gone and entry.parts & HAS_PRICE and quote.has_ask and entry.price != quote.ask:
                return
            quote.has_ask = not gone
            quote.ask = entry.price
            quote.ask_size = 0 if gone else entry.size
        self.market.set_quote(
            instrument,
            quote.bid if quote.has_bid else NO_PRICE, quote.bid_size,
            quote.ask if quote.has_ask else NO_PRICE, quote.ask_size, time,
        )

    # Levels

    cdef bint _snapshot_level(
        self, const Entry* entry, int32_t instrument, int64_t time
    ) noexcept nogil:
        """One of a snapshot: several entries of a price are together its level."""
        cdef Side side = ASK if entry.kind == OFFER_ASK else BID
        cdef Ladder* ladder = &self.market.book.ladders[2 * instrument + side]
        cdef uint32_t place
        if entry.parts & HAS_PRICE and entry.kind != NO_KIND:
            place = place_of(ladder, rank_of(side, entry.price))
            if place:
                if self.styles[instrument] == BY_PLACE:
                    self.styles[instrument] = SHARED
                self.market.set_level(
                    instrument, side, entry.price,
                    ladder.levels[ladder.count - place].size + entry.size, time,
                )
                return True
        return self._level(entry, instrument, time)

    cdef bint _level(self, const Entry* entry, int32_t instrument, int64_t time) noexcept nogil:
        if not entry.parts & HAS_PRICE or entry.kind == NO_KIND:
            count(self.market.counters, FEED_UNKNOWN_ORDERS, 1)
            return False
        self.market.set_level(
            instrument, ASK if entry.kind == OFFER_ASK else BID, entry.price,
            0 if entry.action == DELETE else entry.size, time,
        )
        return True

    # Places

    cdef bint _place(self, const Entry* entry, int32_t instrument, int64_t time) noexcept nogil:
        """An entry that says its place, with or without a price."""
        cdef Side side = ASK if entry.kind == OFFER_ASK else BID
        cdef Ladder* ladder = &self.market.book.ladders[2 * instrument + side]
        cdef uint32_t place = entry.position
        cdef bint done = False
        if entry.kind != NO_KIND and self.styles[instrument] != SHARED:
            if entry.parts & HAS_PRICE and entry.action == DELETE:
                # Its price says better than its place what it is.
                if place_of(ladder, rank_of(side, entry.price)):
                    place = place_of(ladder, rank_of(side, entry.price))
            if entry.action == DELETE:
                done = place <= ladder.count
                if done:
                    self._remove(instrument, side, place, time)
            elif entry.parts & HAS_PRICE:
                done = self._put_in_place(entry, instrument, side, time)
            elif entry.action != NEW and entry.parts & HAS_SIZE and place <= ladder.count:
                done = True
                self.market.set_level(
                    instrument, side, price_of(side, ladder.levels[ladder.count - place].rank),
                    entry.size, time,
                )
        if not done:
            count(self.market.counters, FEED_UNKNOWN_ORDERS, 1)
        return done

    cdef bint _put_in_place(
        self, const Entry* entry, int32_t instrument, Side side, int64_t time
    ) noexcept nogil:
        """A level, new or with another price or size. False: its price has no such place."""
        cdef Ladder* ladder = &self.market.book.ladders[2 * instrument + side]
        cdef int64_t rank = rank_of(side, entry.price)
        cdef uint32_t place
        if (entry.action != NEW and entry.position <= ladder.count
                and ladder.levels[ladder.count - entry.position].rank != rank):
            self._remove(instrument, side, entry.position, time)
        self.market.set_level(instrument, side, entry.price, entry.size, time)
        if not entry.size:
            return True
        place = place_of(ladder, rank)
        while place > entry.position:
            # The venue has not got those that lie between any more.
            self._remove(instrument, side, place - 1, time)
            place -= 1
        while self.depth > 1 and ladder.count > <uint32_t>self.depth:
            self._remove(instrument, side, ladder.count, time)
        return place == entry.position

    cdef void _remove(
        self, int32_t instrument, Side side, uint32_t place, int64_t time
    ) noexcept nogil:
        cdef Ladder* ladder = &self.market.book.ladders[2 * instrument + side]
        self.market.set_level(
            instrument, side, price_of(side, ladder.levels[ladder.count - place].rank), 0, time
        )

    # Orders

    cdef void _order(self, Entry* entry, int32_t instrument, int64_t time) noexcept nogil:
        """By id. A new entry of a known id replaces it; a change needs to say only what changed."""
        cdef uint64_t name = name_of(&entry.id, instrument) if entry.id.length else 0
        cdef uint64_t old = name
        cdef Order* order
        cdef Side side = ASK if entry.kind == OFFER_ASK else BID
        if entry.reference.length:
            old = name_of(&entry.reference, instrument)
            name = name if name else old
        if entry.action == DELETE:
            self.market.delete_order(name if self.market.book.find(name) != NULL else old, time)
            return
        if entry.parts & HAS_PRICE and not self.market.rows.is_price(entry.price):
            count(self.market.counters, FEED_BAD_ORDERS, 1)
            return
        order = self.market.book.find(old)
        if order != NULL:
            side = <Side>side_of(order) if entry.kind == NO_KIND else side
            if not entry.parts & HAS_PRICE:
                entry.price = order.price
            if not entry.parts & HAS_SIZE:
                entry.size = order.size
            if old == name and side == <Side>side_of(order):
                self.market.modify_order(name, entry.size, entry.price, time)
                return
            self.market.delete_order(old, time)
        elif entry.kind == NO_KIND or not entry.parts & HAS_PRICE:
            count(self.market.counters, FEED_UNKNOWN_ORDERS, 1)
            return
        self.market.add_order(instrument, name, side, entry.size, entry.price, time)


cdef inline int64_t rank_of(Side side, int64_t price) noexcept nogil:
    return -price if side == ASK else price


cdef inline int64_t price_of(Side side, int64_t rank) noexcept nogil:
    return -rank if side == ASK else rank


cdef uint32_t place_of(const Ladder* ladder, int64_t rank) noexcept nogil:
    """The place of a level from the best on, which is 1; 0: there is none of this rank."""
    cdef uint32_t low = 0
    cdef uint32_t high = ladder.count
    cdef uint32_t middle
    while low < high:
        middle = (low + high) // 2
        if ladder.levels[middle].rank < rank:
            low = middle + 1
        else:
            high = middle
    return ladder.count - low if low < ladder.count and ladder.levels[low].rank == rank else 0
