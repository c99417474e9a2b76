"""A wheel of turns: who waits for which, and when that is.

Law: a client stands in one bucket at most. The width of a turn may change at any time: a client
waits for turns, not for ns, so all who wait come sooner or later by the same factor.
"""

from cpython.mem cimport PyMem_RawFree, PyMem_RawMalloc
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memset


cdef class Wheel:
    """Of clients by their numbers below `places`. A turn takes `width` ns, and an interval
    `per_interval` turns; the first one is at `steady_ns`, by the monotonic clock."""

    def __cinit__(
        self, places: int, width: int, steady_ns: int, few: int = FEW, per_interval: int = TURNS
    ) -> None:
        cdef int bucket
        self.places = places
        self.width = max(width, 1)
        self.base_time = steady_ns
        self.few = few
        self.per_interval = per_interval
        self.next = <uint32_t*>PyMem_RawMalloc(max(places, 1) * sizeof(uint32_t))
        self.turns = <uint32_t*>PyMem_RawMalloc(max(places, 1) * sizeof(uint32_t))
        if not (self.next and self.turns):
            raise MemoryError
        memset(self.next, 0xFF, self.places * sizeof(uint32_t))  # NOWHERE
        memset(self.turns, 0, self.places * sizeof(uint32_t))
        for bucket in range(BUCKETS):
            self.head[bucket] = LAST
            self.count[bucket] = 0

    def __dealloc__(self) -> None:
        PyMem_RawFree(self.next)
        PyMem_RawFree(self.turns)

    cdef bint stands(self, uint32_t number) noexcept nogil:
        """Whether it is in a bucket."""
        return self.next[number] != NOWHERE

    cdef bint enter(self, uint32_t number, uint64_t turn) noexcept nogil:
        """Let a client wait for a turn. If it stands in the wheel already, it keeps a place that is
        not much later, and False is returned."""
        if self.next[number] != NOWHERE:
            if <int32_t>(self.turns[number] - <uint32_t>turn) <= <int32_t>self.per_interval:
                return False
            self.leave(number)
        self._append(number, turn)
        return True

    cdef uint64_t after_last(self, uint32_t number, uint32_t turns) noexcept nogil:
        """The turn that is so many after the one that a client had, or the next one there is."""
        cdef int32_t ahead = <int32_t>(self.turns[number] + turns - <uint32_t>self.turn)
        return self.turn + <uint64_t>(ahead if ahead > 0 else 0)

    cdef void _append(self, uint32_t number, uint64_t turn) noexcept nogil:
        cdef uint32_t bucket = <uint32_t>(turn & (BUCKETS - 1))
        self.turns[number] = <uint32_t>turn
        self.next[number] = LAST
        if self.head[bucket] == LAST:
            self.head[bucket] = number
        else:
            self.next[self.tail[bucket]] = number
        self.tail[bucket] = number
        self.count[bucket] += 1

    cdef void leave(self, uint32_t number) noexcept nogil:
        """Take a client out of its bucket: the one that had its place before, or it itself, wanted
        to wait for long. Looks through the bucket, which seldom is needed."""
        cdef uint32_t bucket = self.turns[number] & (BUCKETS - 1)
        cdef uint32_t before = LAST
        cdef uint32_t at = self.head[bucket]
        while at != number:
            before = at
            at = self.next[at]
        if before == LAST:
            self.head[bucket] = self.next[number]
        else:
            self.next[before] = self.next[number]
        if self.tail[bucket] == number:
            self.tail[bucket] = before
        self.count[bucket] -= 1
        self.next[number] = NOWHERE

    cdef uint64_t reached(self, int64_t now) noexcept nogil:
        """How many turns have come that were not taken."""
        cdef int64_t late = now - self.base_time
        cdef uint64_t newest
        if late < 0:
            return 0
        newest = self.base_turn + <uint64_t>(late // self.width)
        return newest + 1 - self.turn if newest >= self.turn else 0

    cdef uint32_t take(self, uint64_t turn) noexcept nogil:
        """The first of those whose turn it is, the others behind it by `next`, which the caller
        sets to NOWHERE; LAST: nobody. A client of a later round stays.

        A bucket with few clients joins the next one, unless the next one is empty. That gives
        fewer wake-ups, and more clients for each frame. It costs its clients one longer interval, once.
        """
        cdef uint32_t bucket = <uint32_t>(turn & (BUCKETS - 1))
        cdef uint32_t number = self.head[bucket]
        cdef uint32_t first = LAST
        cdef uint32_t before = LAST
        cdef uint32_t following, later
        cdef uint32_t shift = 0
        if self.count[bucket] < self.few and self.count[(turn + 1) & (BUCKETS - 1)]:
            shift = 1
        self.head[bucket] = LAST
        self.count[bucket] = 0
        while number != LAST:
            following = self.next[number]
            later = self.turns[number] - <uint32_t>turn
            if <int32_t>later > 0:
                self._append(number, turn + later)
            else:
                self.turns[number] = <uint32_t>turn + shift
                self.next[number] = LAST
                if before == LAST:
                    first = number
                else:
                    self.next[before] = number
                before = number
            number = following
        return first

    cdef int64_t next_time(self) noexcept nogil:
        """When the first bucket with somebody in it comes, by the monotonic clock; -1: never."""
        cdef uint64_t turn
        for turn in range(self.turn, self.turn + BUCKETS):
            if self.head[turn & (BUCKETS - 1)] != LAST:
                return self.base_time + <int64_t>(turn - self.base_turn) * self.width
        return -1

    cdef void set_width(self, int64_t width, int64_t now) noexcept nogil:
        """Let turns take this long from now on. What is left of the one that runs is stretched or
        shrunk with it."""
        cdef int64_t left = (
            self.base_time + <int64_t>(self.turn - self.base_turn) * self.width - now
        )
        if width < 1:
            width = 1
        self.base_turn = self.turn
        self.base_time = now
        if left > 0:
            self.base_time += <int64_t>(<double>left * <double>width / <double>self.width)
        self.width = width

    # -- from Python, where a turn at a time is enough --------------------------------------

    def wait(self, number: int, turns: int) -> bool:
        """Let a client wait for so many turns after the next one; False: it keeps its place."""
        assert 0 <= number < self.places
        return self.enter(number, self.turn + <uint64_t>turns)

    def wait_again(self, number: int, turns: int) -> bool:
        """The same, so many turns after the one that it had."""
        assert 0 <= number < self.places
        return self.enter(number, self.after_last(number, turns))

    def due(self, now: int) -> list[int]:
        """Take the clients whose turns have come, in their order."""
        cdef uint32_t number, following
        found = []
        for _ in range(min(self.reached(now), <uint64_t>BUCKETS)):
            number = self.take(self.turn)
            self.turn += 1
            while number != LAST:
                following = self.next[number]
                self.next[number] = NOWHERE
                found.append(number)
                number = following
        self.turn += self.reached(now)
        return found

    def resize(self, width: int, now: int) -> None:
        """Let turns take this long from now on."""
        self.set_width(width, now)

    @property
    def wake_time(self) -> int:
        """When the first bucket with somebody in it comes; -1: never."""
        return self.next_time()
