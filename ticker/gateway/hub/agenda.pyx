"""When each client is told: at once after quiet, else at its turn of the wheel.

Law: a client stands in one place at most; nothing here knows what it is due. Rates of their own
are longer intervals, in whole flush intervals, so that all clients of one bucket share frames.
"""

from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

cdef extern from *:
    void prefetch "__builtin_prefetch"(const void* address) nogil

from ticker.gateway.hub.subscriptions cimport Subscriptions
from ticker.gateway.hub.topics cimport Topic, Topics
from ticker.gateway.sockets.connection cimport NO_CONNECTION, ConnectionTable
from ticker.shm.layout cimport CACHE_LINE


cdef class Agenda:
    """`interval_ns`: a client is flushed once in it at most, unless it wants to be less often.
    All times are by the monotonic clock."""

    def __cinit__(
        self, ConnectionTable connections not None, Topics topics not None,
        Subscriptions subscriptions not None, interval_ns: int, steady_ns: int,
    ) -> None:
        cdef uint32_t places = connections.capacity
        cdef int bucket
        self.connections = connections
        self.topics = topics
        self.subscriptions = subscriptions
        self.turn_width = interval_ns // TURNS
        self.origin = steady_ns
        self.phases = <uint8_t*>PyMem_RawCalloc(places, 1)
        self.pending = <uint8_t*>PyMem_RawCalloc(places, 1)
        self.queued = <uint8_t*>PyMem_RawCalloc(places, 1)
        self.wheel_next = <uint32_t*>PyMem_RawCalloc(places, sizeof(uint32_t))
        self.wheel_turn = <uint32_t*>PyMem_RawCalloc(places, sizeof(uint32_t))
        self.ready.items = <uint32_t*>PyMem_RawCalloc(places, sizeof(uint32_t))
        self.due.items = <uint32_t*>PyMem_RawCalloc(places, sizeof(uint32_t))
        if not (self.phases and self.pending and self.queued and self.wheel_next
                and self.wheel_turn and self.ready.items and self.due.items):
            raise MemoryError
        for bucket in range(BUCKETS):
            self.bucket_head[bucket] = NO_CONNECTION
            self.bucket_count[bucket] = 0

    def __dealloc__(self) -> None:
        PyMem_RawFree(self.phases)
        PyMem_RawFree(self.pending)
        PyMem_RawFree(self.queued)
        PyMem_RawFree(self.wheel_next)
        PyMem_RawFree(self.wheel_turn)
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
            self.all_pending_until = self.turn_index + TURNS + 1
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

    cdef void _push(self, Queue* queue, uint8_t flag, uint32_t number) noexcept nogil:
        """First in, first out. A connection is in a queue once at most, also after its place
        was used again, so there is always room."""
        if self.queued[number] & flag:
            return
        assert queue.count < self.connections.capacity
        self.queued[number] |= flag
        queue.items[(queue.head + queue.count) % self.connections.capacity] = number
        queue.count += 1

    cdef uint32_t _pop(self, Queue* queue, uint8_t flag) noexcept nogil:
        cdef uint32_t number = queue.items[queue.head]
        queue.head = (queue.head + 1) % self.connections.capacity
        queue.count -= 1
        self.queued[number] &= ~flag
        return number

    cdef uint32_t turns(self, uint32_t number) noexcept nogil:
        """Turns between two flushes of a connection."""
        cdef uint32_t turns = self.connections.table[number].turns
        return turns if turns else TURNS

    cdef void wait(self, uint32_t number) noexcept nogil:
        """Not again before its interval is over."""
        self._enter_wheel(number, self.turn_index + self.turns(number))

    cdef void wait_from_last(self, uint32_t number) noexcept nogil:
        """The same, counted from the turn that it had, not from when it was served: a client
        that is served late does not fall behind. Only one that has missed its next turn takes
        the next there is."""
        cdef int32_t ahead = <int32_t>(
            self.wheel_turn[number] + self.turns(number) - <uint32_t>self.turn_index
        )
        self._enter_wheel(number, self.turn_index + (ahead if ahead > 0 else 0))

    cdef void _enter_wheel(self, uint32_t number, uint64_t turn) noexcept nogil:
        cdef uint32_t bucket = <uint32_t>(turn & (BUCKETS - 1))
        self.set_phase(number, PHASE_WAITING)
        if self.queued[number] & QUEUED_WHEEL:
            self.pending[number] = 1  # it stands there for longer than `all_pending_until` goes back
            if <int32_t>(self.wheel_turn[number] - <uint32_t>turn) <= TURNS:
                return
            self._leave_wheel(number)
        self.queued[number] |= QUEUED_WHEEL
        self.wheel_turn[number] = <uint32_t>turn
        self.wheel_next[number] = NO_CONNECTION
        if self.bucket_head[bucket] == NO_CONNECTION:
            self.bucket_head[bucket] = number
        else:
            self.wheel_next[self.bucket_tail[bucket]] = number
        self.bucket_tail[bucket] = number
        self.bucket_count[bucket] += 1

    cdef void _leave_wheel(self, uint32_t number) noexcept nogil:
        """Out of its bucket: the client that had this place before, or this client itself, wanted to wait
        for long. Looks through the bucket, which seldom is needed."""
        cdef uint32_t bucket = self.wheel_turn[number] & (BUCKETS - 1)
        cdef uint32_t before = NO_CONNECTION
        cdef uint32_t at = self.bucket_head[bucket]
        while at != number:
            before = at
            at = self.wheel_next[at]
        if before == NO_CONNECTION:
            self.bucket_head[bucket] = self.wheel_next[number]
        else:
            self.wheel_next[before] = self.wheel_next[number]
        if self.bucket_tail[bucket] == number:
            self.bucket_tail[bucket] = before
        self.bucket_count[bucket] -= 1
        self.queued[number] &= ~<uint8_t>QUEUED_WHEEL

    cdef void take_buckets(self, int64_t now) noexcept nogil:
        """Move the buckets whose time has come to the due queue."""
        cdef uint64_t reached
        cdef int i
        if now < self.origin:
            return
        reached = <uint64_t>((now - self.origin) // self.turn_width)
        if reached < self.turn_index:
            return
        for i in range(<int>min(<uint64_t>BUCKETS, reached - self.turn_index + 1)):
            self._take_bucket(self.turn_index + i)
        self.turn_index = reached + 1

    cdef void _take_bucket(self, uint64_t turn) noexcept nogil:
        """A bucket with few clients joins the next one, unless the next one is empty. That gives
        fewer wake-ups, and more clients for each frame. It costs its clients one longer interval, once.

        A client of a later round stays. A client that waits for longer than an interval is looked at
        in any case: `all_pending_until` does not remember that far.
        """
        cdef uint32_t bucket = <uint32_t>(turn & (BUCKETS - 1))
        cdef uint32_t number = self.bucket_head[bucket]
        cdef uint32_t next_number
        cdef uint32_t shift = 0
        if self.bucket_count[bucket] < FEW and self.bucket_count[(turn + 1) & (BUCKETS - 1)]:
            shift = 1
        self.bucket_head[bucket] = NO_CONNECTION
        self.bucket_count[bucket] = 0
        while number != NO_CONNECTION:
            next_number = self.wheel_next[number]
            self.queued[number] &= ~<uint8_t>QUEUED_WHEEL
            if <int32_t>(self.wheel_turn[number] - <uint32_t>turn) > 0:
                if self.phases[number] == PHASE_WAITING:
                    self._enter_wheel(
                        number, turn + <uint32_t>(self.wheel_turn[number] - <uint32_t>turn)
                    )
            else:
                self.wheel_turn[number] = <uint32_t>turn + shift
                if self.turn_index <= self.all_pending_until or self.connections.table[number].turns:
                    self.pending[number] = 1
                self._push(&self.due, QUEUED_DUE, number)
            number = next_number

    cdef uint32_t next_ready(self) noexcept nogil:
        """Take the first of those that are to be told at once; there must be one."""
        self._look_ahead(&self.ready)
        return self._pop(&self.ready, QUEUED_READY)

    cdef uint32_t next_due(self) noexcept nogil:
        """Take the first of those whose turn it is; there must be one."""
        self._look_ahead(&self.due)
        return self._pop(&self.due, QUEUED_DUE)

    cdef void _look_ahead(self, const Queue* queue) noexcept nogil:
        """Fetch what the next flushes will touch, while the one before waits for the kernel."""
        cdef uint32_t capacity = self.connections.capacity
        cdef uint32_t number
        cdef const char* place
        if queue.count > 2:
            number = queue.items[(queue.head + 2) % capacity]
            place = <const char*>(self.connections.table + number)
            prefetch(place)
            prefetch(place + CACHE_LINE)
        if queue.count > 1:
            number = queue.items[(queue.head + 1) % capacity]
            prefetch(self.connections.table[number].subscriptions)

    cdef int64_t next_turn(self, int64_t now) noexcept:
        """ns until the next turn is wanted; 0: at once, -1: never."""
        cdef int i
        cdef int64_t wait
        if self.ready.count or self.due.count:
            return 0
        for i in range(BUCKETS):
            if self.bucket_head[(self.turn_index + i) & (BUCKETS - 1)] != NO_CONNECTION:
                wait = self.origin + <int64_t>(self.turn_index + i) * self.turn_width - now
                return max(wait, 1)
        return -1
