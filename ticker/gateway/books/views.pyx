"""The books that clients watch, and their frames.

In: levels.pyx. Out: versions of views, and frames that lead from one version to the newest. Owned
by one hub.

Law: latest wins. A view keeps its newest book, and the last few that clients have; a client is sent
what changed since the one that it has, or, where that is no longer kept, the whole book. A delta
names the seq that it goes on from. A frame is encoded once for all clients that have the same
version, which are those of a flush.
"""

from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree, PyMem_RawRealloc
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset, strlen

from ticker.gateway.books.encode cimport BookMessage, LongFrame, encode_book
from ticker.gateway.books.levels cimport Book, Levels
from ticker.gateway.prices.board cimport Board
from ticker.gateway.sockets.connection cimport ENCODINGS
from ticker.shm.counters cimport GATEWAY_ENCODED, count
from ticker.shm.header cimport Mapping
from ticker.shm.depth.layout cimport DepthLevel
from ticker.shm.layout cimport DEPTH_LEVELS, SYMBOL_BYTES, VENUE_BYTES


cdef inline Edition* edition_of(View* view, uint32_t version) noexcept nogil:
    return &view.editions[version & (KEPT - 1)]


cdef class Views:
    """Over the symbols of `board`. `segment`: the gateway's own, for its counters."""

    def __cinit__(self, Board board not None, Mapping segment not None) -> None:
        self.board = board
        self.levels = Levels(board)
        self.counters = segment.counters
        self.numbers = {}
        self.free_numbers = []

    def __dealloc__(self) -> None:
        cdef uint32_t i
        for i in range(self.count):
            self._free(self.views[i])
            PyMem_RawFree(self.views[i])
        PyMem_RawFree(self.views)

    cdef int _free(self, View* view) except -1:
        cdef uint32_t encoding, i
        for encoding in range(ENCODINGS):
            PyMem_RawFree(view.wholes[encoding].bytes)
            for i in range(<uint32_t>DELTAS):
                PyMem_RawFree(view.deltas[encoding][i].bytes)
        PyMem_RawFree(view.memory)
        return 0

    def open(self, symbol: int, venue: str, levels: int) -> int:
        """The number of the view of a symbol of the board, by its number; `venue` is "" for the
        book over all venues. A view stays open until close()."""
        if not 0 < levels <= DEPTH_LEVELS or not 0 <= symbol < self.board.count:
            raise ValueError(f"symbol {symbol}, {levels} levels: no such view")
        found = self.numbers.get((symbol, venue, levels))
        if found is not None:
            return found
        cdef bytes mic = venue.encode("ascii")
        cdef bytes name = self.board.name(symbol).encode("latin-1")
        cdef DepthLevel* memory = <DepthLevel*>PyMem_RawCalloc(
            2 * KEPT * <size_t>levels, sizeof(DepthLevel)
        )
        cdef uint32_t number = self.free_numbers.pop() if self.free_numbers else self.count
        cdef View* view
        cdef uint32_t i
        if memory == NULL:
            raise MemoryError
        view = self.views[number] if number < self.count else self._place()
        view.memory = memory
        view.symbol = symbol
        view.levels = levels
        memset(view.venue, 0, sizeof(view.venue))
        memset(view.name, 0, sizeof(view.name))
        memcpy(view.venue, <const char*>mic, min(len(mic), VENUE_BYTES))
        memcpy(view.name, <const char*>name, min(len(name), SYMBOL_BYTES - 1))
        for i in range(<uint32_t>KEPT):
            view.editions[i].sides[0] = memory + 2 * i * view.levels
            view.editions[i].sides[1] = view.editions[i].sides[0] + view.levels
        self.numbers[(symbol, venue, levels)] = number
        self.open_count += 1
        return number

    cdef View* _place(self) except NULL:
        cdef View** views
        cdef View* view
        cdef uint32_t capacity = max(16, 2 * self.capacity)
        if self.count == self.capacity:
            views = <View**>PyMem_RawRealloc(self.views, capacity * sizeof(View*))
            if views == NULL:
                raise MemoryError
            self.views = views
            self.capacity = capacity
        view = <View*>PyMem_RawCalloc(1, sizeof(View))
        if view == NULL:
            raise MemoryError
        self.views[self.count] = view
        self.count += 1
        return view

    def close(self, number: int) -> None:
        """Nobody watches a view any more. Its versions go on where they are: the next view of this
        number has newer ones."""
        cdef View* view = self._checked(number)
        cdef uint32_t version = view.version
        if not view.levels:
            return
        del self.numbers[(view.symbol, view.venue.decode(), view.levels)]
        self._free(view)
        memset(view, 0, sizeof(View))
        view.version = version
        self.free_numbers.append(number)
        self.open_count -= 1

    cdef Refreshed refresh(self, uint32_t number) except? VIEW_MOVED:
        """Read a view's book again, if its rows have changed."""
        cdef View* view = self.views[number]
        cdef uint64_t stamp
        cdef Edition* newest
        cdef Book book
        if not view.levels:
            return VIEW_SAME
        stamp = self.levels.stamp(view.symbol, view.venue)
        if stamp == view.stamp:
            return VIEW_SAME
        view.stamp = stamp
        if not self.levels.read(view.symbol, view.venue, view.levels, &book):
            return VIEW_SAME  # none, or none yet: the last one stays
        newest = edition_of(view, view.version)
        if newest.version and holds(newest, &book):
            return VIEW_SAME
        if newest.version and not newest.told:
            take(newest, &book)
            return VIEW_OTHER
        view.version += 1 + (view.version == <uint32_t>-1)
        newest = edition_of(view, view.version)
        newest.version = view.version
        newest.told = False
        take(newest, &book)
        return VIEW_MOVED

    cdef bint pending(self) except -1:
        """Whether some view's rows have changed since it was refreshed."""
        cdef uint32_t i
        cdef View* view
        for i in range(self.count):
            view = self.views[i]
            if view.levels and self.levels.stamp(view.symbol, view.venue) != view.stamp:
                return True
        return False

    cdef bint has_book(self, uint32_t number) noexcept nogil:
        """Whether there is anything to show yet. The versions of a view's number say nothing: it
        may have been another's."""
        return edition_of(self.views[number], self.views[number].version).version != 0

    def look(self) -> None:
        """Feeds may have become stale, or live again: read every view again."""
        cdef uint32_t i
        for i in range(self.count):
            self.views[i].stamp = 0

    cdef const LongFrame* frame(
        self, uint32_t number, uint32_t seen, uint32_t encoding
    ) noexcept nogil:
        """What leads a client from the version that it has seen (0: none) to the newest. NULL: no
        memory for it now."""
        cdef View* view = self.views[number]
        cdef Edition* newest = edition_of(view, view.version)
        cdef Edition* before = edition_of(view, seen)
        cdef LongFrame* frame = &view.wholes[encoding]
        newest.told = True
        if seen and before.version == seen and before.size_exponent == newest.size_exponent:
            frame = &view.deltas[encoding][seen & (DELTAS - 1)]
            if frame.version == view.version and frame.origin == seen:
                return frame
            frame = self._encoded(view, frame, seen, encoding)
            if frame == NULL or frame.version:
                return frame
            frame = &view.wholes[encoding]  # more has changed than there is
        if frame.version == view.version:
            return frame
        return self._encoded(view, frame, 0, encoding)

    cdef LongFrame* _encoded(
        self, View* view, LongFrame* frame, uint32_t origin, uint32_t encoding
    ) noexcept nogil:
        """Encode the newest edition, or what changed since the one of version `origin`; with no
        `version` where that is more than the book itself."""
        cdef DepthLevel[2][2 * DEPTH_LEVELS] changes
        cdef Edition* newest = edition_of(view, view.version)
        cdef Edition* before = edition_of(view, origin)
        cdef BookMessage message
        cdef int side
        frame.version = 0
        message.symbol, message.symbol_length = view.name, strlen(view.name)
        message.venue, message.venue_length = view.venue, strlen(view.venue)
        message.whole = not origin
        message.time = newest.time
        message.seq = newest.seq
        message.previous_seq = before.seq
        message.levels = view.levels
        message.size_exponent = newest.size_exponent
        for side in range(2):
            message.counts[side] = newest.counts[side]
            message.sides[side] = newest.sides[side]
            if origin:
                message.counts[side] = differences(side, before, newest, changes[side])
                message.sides[side] = changes[side]
        if origin and message.counts[0] + message.counts[1] > (
            newest.counts[0] + newest.counts[1]
        ):
            return frame
        if not encode_book(frame, encoding, &message):
            return NULL
        frame.origin = origin
        frame.version = view.version
        count(self.counters, GATEWAY_ENCODED, 1)
        return frame

    cdef View* _checked(self, object number) except NULL:
        if not 0 <= number < self.count:
            raise IndexError(f"view {number}: there are {self.count}")
        return self.views[<uint32_t>number]

    def about(self, number: int) -> tuple[int, str, int]:
        """(symbol's number, venue or "", levels) of a view that is open."""
        cdef View* view = self._checked(number)
        return view.symbol, view.venue.decode(), view.levels

    def opened(self) -> list[int]:
        """The numbers of the views that are open."""
        return list(self.numbers.values())

    def book(self, symbol: int, venue: str, levels: int) -> dict[str, object] | None:
        """The book of a symbol as it is now: `seq`, `time`, `publish_time`, `size_exponent`, `bids`
        and `asks` as (price in 1e-9, size). None: no feed shows one, or not yet so deep a one."""
        cdef Book book
        cdef bytes mic = venue.encode("ascii")
        if not 0 <= symbol < self.board.count or not 0 < levels <= DEPTH_LEVELS or len(mic) > 8:
            raise ValueError(f"symbol {symbol}, venue {venue!r}, {levels} levels: no such book")
        if not self.levels.read(symbol, mic, levels, &book):
            return None
        return {
            "seq": book.seq, "time": book.time, "publish_time": book.publish_time,
            "size_exponent": book.size_exponent,
            "bids": [(book.sides[0][i].price, book.sides[0][i].size) for i in range(book.counts[0])],
            "asks": [(book.sides[1][i].price, book.sides[1][i].size) for i in range(book.counts[1])],
        }


cdef void take(Edition* edition, const Book* book) noexcept nogil:
    cdef int side
    edition.seq = book.seq
    edition.time = book.time or book.publish_time
    edition.size_exponent = book.size_exponent
    for side in range(2):
        edition.counts[side] = book.counts[side]
        memcpy(edition.sides[side], book.sides[side], book.counts[side] * sizeof(DepthLevel))


cdef bint holds(const Edition* edition, const Book* book) noexcept nogil:
    """Whether an edition has the levels of a book."""
    cdef int side
    if edition.size_exponent != book.size_exponent:
        return False
    for side in range(2):
        if edition.counts[side] != book.counts[side] or memcmp(
            edition.sides[side], book.sides[side], book.counts[side] * sizeof(DepthLevel)
        ):
            return False
    return True


cdef uint32_t differences(
    int side, const Edition* before, const Edition* after, DepthLevel* out
) noexcept nogil:
    """The levels of a side that are others, best first: those that are gone have size 0. How many."""
    cdef const DepthLevel* old = before.sides[side]
    cdef const DepthLevel* new = after.sides[side]
    cdef uint32_t i = 0
    cdef uint32_t j = 0
    cdef uint32_t found = 0
    cdef bint gone
    while i < before.counts[side] or j < after.counts[side]:
        if i < before.counts[side] and j < after.counts[side] and old[i].price == new[j].price:
            if old[i].size != new[j].size:
                out[found] = new[j]
                found += 1
            i += 1
            j += 1
            continue
        gone = j == after.counts[side] or (
            i < before.counts[side]
            and (old[i].price < new[j].price if side else old[i].price > new[j].price)
        )
        out[found].price = old[i].price if gone else new[j].price
        out[found].size = 0 if gone else new[j].size
        found += 1
        i += gone
        j += not gone
    return found
