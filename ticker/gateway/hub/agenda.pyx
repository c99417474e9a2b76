"""When each client is told: at once after quiet, else at its turn of a wheel.

Law: a client stands in one place at most; nothing here knows what it is due. Rates of their own
are longer intervals, in whole turns of a wheel, so that all clients of one bucket share frames.
"""

from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

cdef extern from *:
    void prefetch "__builtin_prefetch"(const void* address) nogil

from ticker.gateway.hub.subscriptions cimport Subscriptions
from ticker.gateway.hub.topics cimport Topic, Topics
from ticker.gateway.pacing.wheel cimport (
    BUCKETS, FEW, FINE_TURNS, LAST, NOWHERE, TURNS, Wheel,
)
from ticker.gateway.sockets.connection cimport Connection, ConnectionTable
from ticker.shm.layout cimport CACHE_LINE


cdef enum:
    AHEAD = 4                    # clients whose places are fetched before it is their turn
    NEAR = 2                     # and their subscriptions
    MOST_FETCHED = 16            # subscriptions of a client whose versions are


cdef class Agenda:
    """`interval_ns`: a client is flushed once in it at most, unless it wants to be less often.
    `paced`: set_interval changes it. All times are by the monotonic clock."""

    def __cinit__(
        self, ConnectionTable connections not None, Topics topics not None,
        Subscriptions subscriptions not None, interval_ns: int, steady_ns: int,
        paced: bool = False,
    ) -> None:
        cdef uint32_t places = connections.capacity
        self.connections = connections
        self.topics = topics
        self.subscriptions = subscriptions
        self.turns = FINE_TURNS if paced else TURNS
        self.wheel = Wheel(places, interval_ns // self.turns, steady_ns, FEW, self.turns)
        self.rated = Wheel(places, interval_ns // TURNS, steady_ns) if paced else self.wheel
        self.apart = paced
        self.least_width = self.rated.width
        self.phases = <uint8_t*>PyMem_RawCalloc(places, 1)
        self.pending = <uint8_t*>PyMem_RawCalloc(places, 1)
        self.queued = <uint8_t*>PyMem_RawCalloc(places, 1)
        self.ready.items = <uint32_t*>PyMem_RawCalloc(places, sizeof(uint32_t))
        self.due.items = <uint32_t*>PyMem_RawCalloc(places, sizeof(uint32_t))
        if not (self.phases and self.pending and self.queued and self.ready.items
                and self.due.items):
            raise MemoryError

    def __dealloc__(self) -> None:
        PyMem_RawFree(self.phases)
        PyMem_RawFree(self.pending)
        PyMem_RawFree(self.queued)
        PyMem_RawFree(self.ready.items)
        PyMem_RawFree(self.due.items)

    cdef void set_phase(self, uint32_t number, uint8_t phase) noexcept nogil:
        if self.phases[number] == PHASE_IDLE:
            self.idle_count -= 1
        self.phases[number] = phase
        if phase == PHASE_IDLE:
            self.idle_count += 1

    cdef void mark(self) noexcept nogil:
        """Tell the subscribers of what changed: the idle ones are ready, the others pending.

        With no client idle and a good part of all subscriptions concerned, it costs less to look
        at every connection on its turn than to mark each.
        """
        cdef uint32_t i
        cdef bint sparse = self.idle_count or (
            self.topics.changed_subscribers < self.subscriptions.total >> 3
        )
        if self.topics.changed_count and not sparse:
            self.all_pending_until = self.wheel.turn + self.turns + 1
        for i in range(self.topics.changed_count):
            if sparse:
                self._mark_topic(self.topics.topics + self.topics.changed[i])
            self.topics.topics[self.topics.changed[i]].touched = 0
        self.topics.changed_count = 0
        self.topics.changed_subscribers = 0

    cdef void _mark_topic(self, Topic* topic) noexcept nogil:
        cdef uint32_t i, number
        for i in range(topic.subscriber_count):
            number = topic.subscribers[i].connection
            self.pending[number] = 1
            if self.phases[number] == PHASE_IDLE:
                self.set_phase(number, PHASE_READY)
                self._push(&self.ready, QUEUED_READY, number)

    cdef uint32_t _place(self, const Queue* queue, uint32_t along) noexcept nogil:
        """The place of `items` that is so many behind the head."""
        cdef uint32_t place = queue.head + along
        return place - self.connections.capacity if place >= self.connections.capacity else place

    cdef uint32_t _item(self, const Queue* queue, uint32_t along) noexcept nogil:
        return queue.items[self._place(queue, along)]

    cdef void _push(self, Queue* queue, uint8_t flag, uint32_t number) noexcept nogil:
        """First in, first out. A connection is in a queue once at most, also after its place
        was used again, so there is always room."""
        if self.queued[number] & flag:
            return
        assert queue.count < self.connections.capacity
        self.queued[number] |= flag
        queue.items[self._place(queue, queue.count)] = number
        queue.count += 1

    cdef uint32_t _pop(self, Queue* queue, uint8_t flag) noexcept nogil:
        cdef uint32_t number = queue.items[queue.head]
        queue.head = self._place(queue, 1)
        queue.count -= 1
        self.queued[number] &= ~flag
        return number

    cdef bint stands(self, uint32_t number) noexcept nogil:
        """Whether it waits in a wheel."""
        return self.wheel.stands(number) or (self.apart and self.rated.stands(number))

    cdef void wait(self, uint32_t number) noexcept nogil:
        """Not again before its interval is over."""
        cdef uint32_t turns = self.connections.table[number].turns
        if self._goes_on(number):
            return
        if turns:
            self._enter(self.rated, number, self.rated.turn + turns)
        else:
            self._enter(self.wheel, number, self.wheel.turn + self.turns)

    cdef void wait_from_last(self, uint32_t number) noexcept nogil:
        """The same, counted from the turn that it had, not from when it was served: a client
        that is served late does not fall behind. Only one that has missed its next turn takes
        the next there is."""
        cdef uint32_t turns = self.connections.table[number].turns
        if self._goes_on(number):
            return
        if turns:
            self._enter(self.rated, number, self.rated.after_last(number, turns))
        else:
            self._enter(self.wheel, number, self.wheel.after_last(number, self.turns))

    cdef bint _goes_on(self, uint32_t number) noexcept nogil:
        """A client that is told each change as it comes waits for nothing but the next one; now,
        where a flush had no room for all."""
        if not self.connections.table[number].at_once:
            return False
        if self.pending[number]:
            self.hurry(number)
        else:
            self.set_phase(number, PHASE_IDLE)
        return True

    cdef void hurry(self, uint32_t number) noexcept nogil:
        """Let it be told what there is at the next turn of the hub, whatever it waits for."""
        self.set_phase(number, PHASE_READY)
        self._push(&self.ready, QUEUED_READY, number)

    cdef void _enter(self, Wheel wheel, uint32_t number, uint64_t turn) noexcept nogil:
        """A client that waits for longer than an interval is looked at in any case:
        `all_pending_until` does not go back that far."""
        self.set_phase(number, PHASE_WAITING)
        if self.connections.table[number].turns or self.stands(number):
            self.pending[number] = 1
        if self.apart:
            if wheel is not self.wheel and self.wheel.stands(number):
                self.wheel.leave(number)
            if wheel is not self.rated and self.rated.stands(number):
                self.rated.leave(number)
        wheel.enter(number, turn)

    cdef void take_buckets(self, int64_t now) noexcept nogil:
        """Move the buckets whose time has come to the due queue."""
        self._take(self.wheel, now, self.wheel.turn <= self.all_pending_until)
        if self.apart:
            self._take(self.rated, now, False)

    cdef void _take(self, Wheel wheel, int64_t now, bint all_pending) noexcept nogil:
        cdef uint64_t turns = wheel.reached(now)
        cdef uint64_t i
        cdef uint32_t number, following
        for i in range(min(turns, <uint64_t>BUCKETS)):
            number = wheel.take(wheel.turn + i)
            while number != LAST:
                following = wheel.next[number]
                wheel.next[number] = NOWHERE
                if all_pending:
                    self.pending[number] = 1
                if self.pending[number]:
                    self._push(&self.due, QUEUED_DUE, number)
                elif self.phases[number] == PHASE_WAITING and not self.stands(number):
                    # Nothing came for it: its own lines are not fetched.
                    self.set_phase(number, PHASE_IDLE)
                number = following
        wheel.turn += turns

    cdef void set_interval(self, int64_t interval, bint gathers, int64_t now) noexcept nogil:
        """Flush clients once in `interval` ns from now on; those with a rate of their own less
        often than they want, where it is longer than the configured one. `gathers`: small buckets
        join."""
        self.wheel.few = FEW if gathers else 0
        self.wheel.set_width(interval // <int64_t>self.turns, now)
        self.rated.set_width(max(interval // TURNS, self.least_width), now)

    cdef uint32_t next_ready(self) noexcept nogil:
        """Take the first of those that are to be told at once; there must be one."""
        self._look_ahead(&self.ready)
        return self._pop(&self.ready, QUEUED_READY)

    cdef uint32_t next_due(self) noexcept nogil:
        """Take the first of those whose turn it is; there must be one."""
        self._look_ahead(&self.due)
        return self._pop(&self.due, QUEUED_DUE)

    cdef void _look_ahead(self, const Queue* queue) noexcept nogil:
        """Fetch what the next flushes will touch: a batch of sends drives it all out of the caches."""
        cdef const char* subscriptions
        if queue.count > AHEAD:
            prefetch(self.connections.table + self._item(queue, AHEAD))
        if queue.count > NEAR:
            subscriptions = <const char*>(
                self.connections.table[self._item(queue, NEAR)].subscriptions
            )
            prefetch(subscriptions)
            prefetch(subscriptions + CACHE_LINE)
        if queue.count > 1:
            self._fetch_versions(self.connections.table + self._item(queue, 1))

    cdef void _fetch_versions(self, const Connection* connection) noexcept nogil:
        cdef uint32_t i
        for i in range(min(connection.subscription_count, <uint32_t>MOST_FETCHED)):
            prefetch(self.topics.versions + connection.subscriptions[i].topic)

    cdef int64_t next_turn(self, int64_t now) noexcept:
        """ns until the next turn is wanted; 0: at once, -1: never."""
        cdef int64_t when, other
        if self.ready.count or self.due.count:
            return 0
        when = self.wheel.next_time()
        if self.apart:
            other = self.rated.next_time()
            if when < 0 or 0 <= other < when:
                when = other
        return max(when - now, 1) if when >= 0 else -1
