"""The ids of a session's trades, of all instruments of a feed, so that each counts once.

The ids are in hash tables (open addressing, large pages), a generation each: the first is small,
the next four times as large, up to a greatest size. When one of the greatest size is full, the
next begins, and all but these two are forgotten. So the newest `most` ids are always remembered,
and `horizon` says up to which time ids may be forgotten: a trade of such a time that is not
remembered may have been here before.

Bound: two generations of the greatest size, 8 bytes a slot; five slots in eight are used.
That is 26 to 51 bytes for each of the `most` ids, once so many have come, and 32 KiB before.

An id is kept as 64 bits in which its instrument is mixed. The ids of one instrument never have the
same bits; two of different instruments have with a probability of n^2 / 2^65, that is 7e-7 in a
day of five million trades.
"""

from libc.stdint cimport INT64_MIN, int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from ticker.checks cimport check
from ticker.pages cimport give_pages, prefetch_to_write, take_pages
from ticker.shm.counters cimport FEED_MEMORY_FAILURES, count
from ticker.shm.header cimport Mapping

MOST_IDS = 100_000_000


cdef inline uint64_t room_of(uint64_t slots) noexcept nogil:
    """Keys that a generation takes: above five in eight, probes become long."""
    return slots // 8 * 5


cdef class TradeIds:
    """Ids of the trades of the feed whose segment `mapping` is; the newest `most` are remembered.

    Raises:
        ValueError: `most` is not 1 to MOST_IDS.
    """

    def __cinit__(self, Mapping mapping not None, most: int) -> None:
        if not 1 <= most <= MOST_IDS:
            raise ValueError(f"{most} trade ids: remember 1 to {MOST_IDS}")
        self.counters = mapping.counters
        self.instruments = mapping.row_capacity
        self.most_slots = FIRST_SLOTS
        while room_of(self.most_slots) < most:
            self.most_slots *= 2
        self.horizon = INT64_MIN
        self.greatest = <Series*>calloc(self.instruments, sizeof(Series))
        if self.greatest == NULL or not self._begin_generation():
            raise MemoryError("no memory for trade ids")

    def __dealloc__(self) -> None:
        free(self.greatest)
        while self.count:
            self._drop_oldest()

    cdef Sighting see(
        self, uint32_t instrument, uint64_t match, int64_t time, int64_t received
    ) noexcept nogil:
        """Whether a trade was here before. `time`: its own, ns, which is the same when it is told
        again; `received`, 0: not known, so that a time in the future lets nothing look old."""
        cdef Generation* young = &self.generations[0]
        cdef uint64_t key = mixed(match ^ (instrument + <uint64_t>1) * <uint64_t>0x9E3779B97F4A7C15)
        check(instrument < self.instruments)
        key = key if key else 1
        if not self._grows(instrument, match) and self._knows(key):
            return ID_SEEN
        if time <= self.horizon:
            return ID_TOO_OLD
        self._note(key)
        if time > received and received > 0:
            time = received
        young.newest = time if time > young.newest else young.newest
        young.room -= 1
        if not young.room:
            self._enter_noted()
            if not self._begin_generation():
                count(self.counters, FEED_MEMORY_FAILURES, 1)
                self._forget_first()
        return ID_NEW

    cdef bint _grows(self, uint32_t instrument, uint64_t match) noexcept nogil:
        """Whether the number is greater than all of its series: it was never here, and most venues'
        numbers only grow. What is in no series that is followed is looked up."""
        cdef uint64_t* numbers = self.greatest[instrument].numbers
        cdef int i
        for i in range(SERIES):
            if not numbers[i] or not (numbers[i] ^ match) >> SERIES_BITS:
                if match > numbers[i]:
                    numbers[i] = match
                    return True
                return False
        return False

    cdef void _note(self, uint64_t key) noexcept nogil:
        """Remember a key. Its slot is fetched now and written NOTED keys later."""
        cdef Generation* young = &self.generations[0]
        cdef uint64_t* place = &self.noted[self.notes % NOTED]
        prefetch_to_write(&young.slots[key & young.mask], 1, 2)
        if self.imaging:
            self._keep(key)
        if place[0]:
            self._enter(place[0])
        place[0] = key
        self.notes += 1

    cdef void begin_image(self, uint64_t* kept, uint64_t room) noexcept nogil:
        """From now on `kept` has the ids that come, until `imaging` is off: the image is whole, or
        cannot become so (there were more, or a generation began)."""
        self._enter_noted()
        self.kept = kept
        self.kept_count = 0
        self.kept_room = room
        self.imaging = True

    cdef void _keep(self, uint64_t key) noexcept nogil:
        if self.kept_count == self.kept_room:
            self.imaging = False
            return
        self.kept[self.kept_count] = key
        self.kept_count += 1

    cdef void _enter(self, uint64_t key) noexcept nogil:
        cdef Generation* young = &self.generations[0]
        cdef uint64_t slot = key & young.mask
        while young.slots[slot]:
            slot = (slot + 1) & young.mask
        young.slots[slot] = key

    cdef void _enter_noted(self) noexcept nogil:
        cdef int i
        for i in range(NOTED):
            if self.noted[i]:
                self._enter(self.noted[i])
                self.noted[i] = 0

    cdef bint _knows(self, uint64_t key) noexcept nogil:
        cdef Generation* generation
        cdef uint64_t slot
        cdef int i
        self._enter_noted()
        for i in range(self.count):
            generation = &self.generations[i]
            slot = key & generation.mask
            while generation.slots[slot]:
                if generation.slots[slot] == key:
                    return True
                slot = (slot + 1) & generation.mask
        return False

    cdef bint _begin_generation(self) noexcept nogil:
        """Whether there was memory for another one, which is then the first. Of two that have
        the greatest size, the older one is forgotten with all before it."""
        cdef Generation* young = &self.generations[0]
        cdef uint64_t slots = FIRST_SLOTS
        cdef uint64_t* taken
        cdef int i
        if self.count:
            slots = min((young.mask + 1) * GROWTH, self.most_slots)
        taken = <uint64_t*>take_pages(slots * sizeof(uint64_t))
        if taken == NULL:
            return False
        self.imaging = False
        while self.count > 1 and young.mask + 1 == self.most_slots:
            self._drop_oldest()
        check(self.count < GENERATIONS)
        for i in range(self.count, 0, -1):
            self.generations[i] = self.generations[i - 1]
        self.count += 1
        young.slots = taken
        young.mask = slots - 1
        empty(young)
        return True

    cdef void _drop_oldest(self) noexcept nogil:
        cdef Generation* oldest
        self.count -= 1
        oldest = &self.generations[self.count]
        self.forget_until(oldest.newest)
        give_pages(oldest.slots, (oldest.mask + 1) * sizeof(uint64_t))

    cdef void _forget_first(self) noexcept nogil:
        cdef Generation* young = &self.generations[0]
        self.imaging = False
        self.forget_until(young.newest)
        memset(young.slots, 0, (young.mask + 1) * sizeof(uint64_t))
        memset(self.noted, 0, sizeof(self.noted))
        empty(young)

    cdef void forget_until(self, int64_t time) noexcept nogil:
        """Ids of trades up to `time` may be unknown here, as a predecessor's are."""
        self.horizon = time if time > self.horizon else self.horizon

    cdef void clear(self) noexcept nogil:
        """A new session: its numbers start over. What was the first generation stays as large."""
        while self.count > 1:
            self._drop_oldest()
        self._forget_first()
        self.horizon = INT64_MIN
        memset(self.greatest, 0, self.instruments * sizeof(Series))


cdef inline void empty(Generation* generation) noexcept nogil:
    """It has no keys: its slots are 0."""
    generation.room = room_of(generation.mask + 1)
    generation.newest = INT64_MIN
