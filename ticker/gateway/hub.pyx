"""The hub: from topics that changed to one send per client and flush.

In: topics.pyx's list of changes. Out: frames to connections. Owned by one event loop, which
calls take_turn() (scheduler.pyx).

Law: latest wins. Nothing is queued per client but the bytes of one flush that a full socket
left over; what a client is due is derived from versions: of the topic, and as it was last seen.
A symbol's frame is encoded when somebody needs it and its version moved, once for all.
"""

from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree, PyMem_RawMalloc, PyMem_RawRealloc
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

cdef extern from *:
    void prefetch "__builtin_prefetch"(const void* address) nogil

from ticker.gateway.connection cimport (
    CONNECTION_OPEN,
    NO_CONNECTION,
    Connection,
    ConnectionTable,
    Subscription,
)
from ticker.gateway.encode cimport FRAME_ROOM
from ticker.gateway.topics cimport Subscriber, Topic, Topics
from ticker.shm.atomics cimport store_relaxed
from ticker.shm.counters cimport (
    GATEWAY_CLIENT_FLUSHES,
    GATEWAY_CONFLATED,
    GATEWAY_FLUSHES,
    GATEWAY_SNAPSHOTS_SENT,
    GATEWAY_SUBSCRIPTIONS,
    GATEWAY_UPDATES_SENT,
    GATEWAY_WAKEUPS,
    count,
)
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport CACHE_LINE


cdef class Hub:
    """`segment`: the gateway's own. `interval_ns`: a client is flushed once in it at most, and
    the first tick after a quiet interval goes out at once. `max_symbols`: per connection."""

    def __cinit__(
        self, Topics topics not None, ConnectionTable connections not None,
        Mapping segment not None, interval_ns: int, max_symbols: int, now_ns: int,
    ) -> None:
        cdef uint32_t places = connections.capacity
        cdef int bucket
        self.topics = topics
        self.connections = connections
        self.counters = segment.counters
        self.turn_width = interval_ns // TURNS
        self.origin = now_ns
        self.now = now_ns
        self.out_capacity = <size_t>max_symbols * FRAME_ROOM
        self.phases = <uint8_t*>PyMem_RawCalloc(places, 1)
        self.pending = <uint8_t*>PyMem_RawCalloc(places, 1)
        self.queued = <uint8_t*>PyMem_RawCalloc(places, 1)
        self.wheel_next = <uint32_t*>PyMem_RawCalloc(places, sizeof(uint32_t))
        self.wheel_turn = <uint32_t*>PyMem_RawCalloc(places, sizeof(uint32_t))
        self.ready.items = <uint32_t*>PyMem_RawCalloc(places, sizeof(uint32_t))
        self.due.items = <uint32_t*>PyMem_RawCalloc(places, sizeof(uint32_t))
        self.out = <uint8_t*>PyMem_RawMalloc(self.out_capacity)
        self.due_slots = <uint32_t*>PyMem_RawCalloc(max_symbols, sizeof(uint32_t))
        if not (self.phases and self.pending and self.queued and self.wheel_next
                and self.wheel_turn
                and self.ready.items and self.due.items and self.out and self.due_slots):
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
        PyMem_RawFree(self.out)
        PyMem_RawFree(self.due_slots)

    # -- who is told ----------------------------------------------------------------------

    cdef void _set_phase(self, uint32_t number, uint8_t phase) noexcept nogil:
        if self.phases[number] == PHASE_IDLE:
            self.idle_count -= 1
        self.phases[number] = phase
        if phase == PHASE_IDLE:
            self.idle_count += 1

    cdef void _mark(self) noexcept nogil:
        """Tell the subscribers of what changed: the idle ones are ready, the others pending.

        With nobody idle and a good part of all subscriptions concerned, it costs less to look
        at every connection on its turn than to mark each.
        """
        cdef uint32_t i
        cdef bint sparse = self.idle_count or (
            self.topics.changed_subscribers < self.subscription_total >> 3
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
                self._set_phase(number, PHASE_READY)
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

    cdef void _enter_wheel(self, uint32_t number, uint64_t turn) noexcept nogil:
        cdef uint32_t bucket = <uint32_t>(turn & (BUCKETS - 1))
        self._set_phase(number, PHASE_WAITING)
        if self.queued[number] & QUEUED_WHEEL:
            return
        self.queued[number] |= QUEUED_WHEEL
        self.wheel_next[number] = NO_CONNECTION
        if self.bucket_head[bucket] == NO_CONNECTION:
            self.bucket_head[bucket] = number
        else:
            self.wheel_next[self.bucket_tail[bucket]] = number
        self.bucket_tail[bucket] = number
        self.bucket_count[bucket] += 1

    cdef void _take_buckets(self) noexcept nogil:
        """Move the buckets whose time has come to the due queue."""
        cdef uint64_t reached
        cdef int i
        if self.now < self.origin:
            return
        reached = <uint64_t>((self.now - self.origin) // self.turn_width)
        if reached < self.turn_index:
            return
        for i in range(<int>min(<uint64_t>BUCKETS, reached - self.turn_index + 1)):
            self._take_bucket(self.turn_index + i)
        self.turn_index = reached + 1

    cdef void _take_bucket(self, uint64_t turn) noexcept nogil:
        """A bucket of few is to join the next one, unless that is empty: fewer wake-ups, and
        more clients for each frame. It costs its clients one longer interval, once."""
        cdef uint32_t bucket = <uint32_t>(turn & (BUCKETS - 1))
        cdef uint32_t number = self.bucket_head[bucket]
        cdef uint64_t again = turn + TURNS
        if self.bucket_count[bucket] < FEW and self.bucket_count[(turn + 1) & (BUCKETS - 1)]:
            again += 1
        self.bucket_head[bucket] = NO_CONNECTION
        self.bucket_count[bucket] = 0
        while number != NO_CONNECTION:
            self.queued[number] &= ~<uint8_t>QUEUED_WHEEL
            self.wheel_turn[number] = <uint32_t>again
            if self.turn_index <= self.all_pending_until:
                self.pending[number] = 1
            self._push(&self.due, QUEUED_DUE, number)
            number = self.wheel_next[number]

    cdef void _serve_due(self, uint32_t number) noexcept nogil:
        """A connection's interval is over: send what it is due, or let it be idle.

        Its next turn counts from the one that it had, not from when it was served: whoever is
        served late does not fall behind. Only one that has missed its next turn takes the next
        there is.
        """
        cdef int32_t ahead = <int32_t>(self.wheel_turn[number] - <uint32_t>self.turn_index)
        if self.phases[number] != PHASE_WAITING or self.queued[number] & QUEUED_WHEEL:
            return
        if not self.pending[number] or self._flush(number) == 0:
            if self.phases[number] == PHASE_WAITING:
                self._set_phase(number, PHASE_IDLE)
        elif self.phases[number] == PHASE_WAITING:
            self._enter_wheel(number, self.turn_index + (ahead if ahead > 0 else 0))

    cdef void _serve_drained(self) noexcept nogil:
        """Sockets that took all that waited: their clients get the newest of what changed."""
        cdef uint32_t i, number
        for i in range(self.connections.drained_count):
            number = self.connections.drained[i]
            if self.phases[number] == PHASE_BLOCKED:
                self._flush(number)
                if self.phases[number] == PHASE_BLOCKED:
                    if self.connections.table[number].wants_write:
                        continue
                    self._enter_wheel(number, self.turn_index + TURNS)
        self.connections.drained_count = 0

    cdef int _flush(self, uint32_t number) noexcept nogil:
        """Send all that a connection is due in one send; how many updates that were."""
        cdef Connection* connection = self.connections.table + number
        cdef Subscription* subscription = connection.subscriptions
        cdef Subscription* due
        cdef size_t at = 0
        cdef uint32_t i, version
        cdef int sent = 0
        cdef uint64_t conflated = 0
        if connection.state != CONNECTION_OPEN:
            self._set_phase(number, PHASE_NONE)
            return 0
        if connection.wants_write:
            self._set_phase(number, PHASE_BLOCKED)
            return 0
        self.pending[number] = 0
        for i in range(connection.subscription_count):
            self.due_slots[sent] = i
            if self.topics.versions[subscription[i].symbol] != subscription[i].seen:
                sent += 1
                prefetch(self.topics.updates + subscription[i].symbol)
                prefetch(<char*>(self.topics.updates + subscription[i].symbol) + CACHE_LINE)
        if not sent:
            return 0
        for i in range(<uint32_t>sent):
            due = subscription + self.due_slots[i]
            version = self.topics.versions[due.symbol]
            if due.seen:
                at += self.topics.put_update(due.symbol, self.out + at, self.now)
                conflated += version - due.seen - 1
            else:
                at += self.topics.put_snapshot(due.symbol, self.out + at)
            due.seen = version
        count(self.counters, GATEWAY_CLIENT_FLUSHES, 1)
        count(self.counters, GATEWAY_UPDATES_SENT, sent)
        count(self.counters, GATEWAY_CONFLATED, conflated)
        if self.connections.deliver(number, self.out, at) == 0:
            self._set_phase(number, PHASE_BLOCKED)
        elif connection.state != CONNECTION_OPEN:
            self._set_phase(number, PHASE_NONE)
        return sent

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

    cdef int64_t take_turn(self, int64_t now, int budget) except? -2:
        """Read the rings, then flush at most `budget` connections that may be flushed now.

        Returns ns until the next turn is wanted: 0 when the budget was used up, -1 when only a
        doorbell can bring work.
        """
        cdef int left = budget
        self.now = now
        self.topics.drain()
        with nogil:
            self._mark()
            self._serve_drained()
            self._take_buckets()
            while left > 0 and self.ready.count:
                left -= 1
                self._look_ahead(&self.ready)
                self._serve_ready(self._pop(&self.ready, QUEUED_READY))
            while left > 0 and self.due.count:
                left -= 1
                self._look_ahead(&self.due)
                self._serve_due(self._pop(&self.due, QUEUED_DUE))
        count(self.counters, GATEWAY_WAKEUPS, 1)
        if left != budget:
            count(self.counters, GATEWAY_FLUSHES, 1)
        return self._next_turn()

    cdef void _serve_ready(self, uint32_t number) noexcept nogil:
        if self.phases[number] != PHASE_READY:
            return
        if self._flush(number) == 0 and self.phases[number] == PHASE_READY:
            self._set_phase(number, PHASE_IDLE)
        elif self.phases[number] == PHASE_READY:
            self._enter_wheel(number, self.turn_index + TURNS)

    cdef int64_t _next_turn(self) noexcept:
        cdef int i
        cdef int64_t wait
        if self.ready.count or self.due.count:
            return 0
        for i in range(BUCKETS):
            if self.bucket_head[(self.turn_index + i) & (BUCKETS - 1)] != NO_CONNECTION:
                wait = self.origin + <int64_t>(self.turn_index + i) * self.turn_width - self.now
                return max(wait, 1)
        return -1

    # -- subscriptions --------------------------------------------------------------------

    cdef int64_t _find(self, Connection* connection, uint32_t symbol) noexcept nogil:
        cdef uint32_t slot
        for slot in range(connection.subscription_count):
            if connection.subscriptions[slot].symbol == symbol:
                return slot
        return -1

    cdef int _attach(self, Connection* connection, uint32_t number, uint32_t symbol) except -1:
        """A new subscription at the end of the connection's list, nothing seen yet."""
        cdef Topic* topic = self.topics.topics + symbol
        cdef Subscription* slots = connection.subscriptions
        cdef Subscriber* subscribers = topic.subscribers
        cdef uint32_t capacity = connection.subscription_capacity
        self.topics.begin_frames(symbol)
        if connection.subscription_count == capacity:
            capacity = capacity + (capacity >> 1) + 5
            slots = <Subscription*>PyMem_RawRealloc(slots, capacity * sizeof(Subscription))
            if slots == NULL:
                raise MemoryError
            connection.subscriptions = slots
            connection.subscription_capacity = capacity
        capacity = topic.subscriber_capacity
        if topic.subscriber_count == capacity:
            capacity = capacity + (capacity >> 1) + 4
            subscribers = <Subscriber*>PyMem_RawRealloc(
                subscribers, capacity * sizeof(Subscriber)
            )
            if subscribers == NULL:
                raise MemoryError
            topic.subscribers = subscribers
            topic.subscriber_capacity = capacity
        slots += connection.subscription_count
        slots.symbol = symbol
        slots.position = topic.subscriber_count
        slots.seen = 0
        subscribers[topic.subscriber_count].connection = number
        subscribers[topic.subscriber_count].slot = connection.subscription_count
        connection.subscription_count += 1
        topic.subscriber_count += 1
        self.subscription_total += 1
        return 0

    cdef void _detach(self, Connection* connection, uint32_t slot) noexcept nogil:
        """Remove a subscription: the last one of each list takes its place."""
        cdef Subscription gone = connection.subscriptions[slot]
        cdef Topic* topic = self.topics.topics + gone.symbol
        cdef Subscriber moved
        cdef Subscription* last
        topic.subscriber_count -= 1
        moved = topic.subscribers[topic.subscriber_count]
        topic.subscribers[gone.position] = moved
        self.connections.table[moved.connection].subscriptions[moved.slot].position = gone.position
        connection.subscription_count -= 1
        last = connection.subscriptions + connection.subscription_count
        if slot != connection.subscription_count:
            connection.subscriptions[slot] = last[0]
            self.topics.topics[last.symbol].subscribers[last.position].slot = slot
        self.subscription_total -= 1
        store_relaxed(self.counters + GATEWAY_SUBSCRIPTIONS, self.subscription_total)

    def subscribe(
        self, number: int, symbols: list[int], now_ns: int, seen: dict[int, int] | None = None
    ) -> int:
        """Subscribe to symbols by number and send their snapshots at once, in one send.

        `seen`: exchange time in microseconds of the price that the client has, by symbol;
        whoever has the newest gets no snapshot. A symbol already subscribed gets its snapshot again; one that
        has not traded gets it with its first trade. Returns the snapshots sent.
        """
        cdef Connection* connection = self.connections._checked(number)
        cdef uint32_t place = number
        cdef uint32_t symbol
        cdef size_t at = 0
        cdef int64_t slot
        cdef int sent = 0
        if connection.state != CONNECTION_OPEN:
            return 0
        self.now = now_ns
        self.topics.drain()
        for wanted in symbols:
            symbol = wanted
            slot = self._find(connection, symbol)
            if slot < 0:
                self._attach(connection, place, symbol)
                slot = connection.subscription_count - 1
            if not self.topics.versions[symbol]:
                continue
            connection.subscriptions[slot].seen = self.topics.versions[symbol]
            if (
                seen is not None and not self.topics.topics[symbol].ambiguous
                and seen.get(wanted) == self.topics.topics[symbol].time // 1000
            ):
                continue
            at += self.topics.put_snapshot(symbol, self.out + at)
            sent += 1
            if at + FRAME_ROOM > self.out_capacity:
                self.connections.deliver(place, self.out, at)
                at = 0
        if at:
            self.connections.deliver(place, self.out, at)
        count(self.counters, GATEWAY_SNAPSHOTS_SENT, sent)
        store_relaxed(self.counters + GATEWAY_SUBSCRIPTIONS, self.subscription_total)
        if connection.state == CONNECTION_OPEN and self.phases[place] in (PHASE_NONE, PHASE_IDLE):
            self._enter_wheel(place, self.turn_index + TURNS)
        return sent

    def unsubscribe(self, number: int, symbols: list[int]) -> int:
        """Remove subscriptions by symbol number; how many there were."""
        cdef Connection* connection = self.connections._checked(number)
        cdef int64_t slot
        cdef int removed = 0
        for symbol in symbols:
            slot = self._find(connection, symbol)
            if slot >= 0:
                self._detach(connection, <uint32_t>slot)
                removed += 1
        return removed

    def forget(self, number: int) -> None:
        """The connection is gone: remove all its subscriptions."""
        cdef Connection* connection = self.connections._checked(number)
        while connection.subscription_count:
            self._detach(connection, connection.subscription_count - 1)
        self._set_phase(number, PHASE_NONE)
        self.pending[<uint32_t>number] = 0

    def subscribed(self, number: int) -> list[int]:
        """Numbers of the symbols that a connection has subscribed."""
        cdef Connection* connection = self.connections._checked(number)
        cdef uint32_t slot
        found = []
        for slot in range(connection.subscription_count):
            found.append(connection.subscriptions[slot].symbol)
        return found

    def subscription_count(self, number: int) -> int:
        """How many symbols a connection has subscribed."""
        return self.connections._checked(number).subscription_count
