"""The hub: from ring records to one send per client and flush.

In: ring records of all feeds. Out: frames to connections. Owned by one event loop, which calls
turn() when a doorbell rings or the time that turn() named has come.

Law: latest wins. Nothing is queued per client but the bytes of one flush that a full socket
left over; what a client is due is derived from versions: of the topic, and as it was last seen.
A symbol's frame is encoded when somebody needs it and its version moved, once for all.
"""

from cpython.mem cimport PyMem_RawCalloc, PyMem_RawFree, PyMem_RawMalloc, PyMem_RawRealloc
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

cdef extern from *:
    """
    static inline void ticker_prefetch(const void *address) { __builtin_prefetch(address); }
    """
    void prefetch "ticker_prefetch"(const void* address) nogil

from ticker.gateway.board cimport NO_SYMBOL, Board, RowRef
from ticker.gateway.connection cimport (
    CONNECTION_OPEN,
    NO_CONNECTION,
    Connection,
    Connections,
    Subscription,
)
from ticker.gateway.encode cimport FRAME_ROOM, PriceFrame, begin_frame, write_price_frame
from ticker.shm.atomics cimport store_relaxed
from ticker.shm.counters cimport (
    GATEWAY_CLIENT_FLUSHES,
    GATEWAY_CONFLATED,
    GATEWAY_ENCODED,
    GATEWAY_FLUSHES,
    GATEWAY_HISTOGRAM_EXCHANGE_TO_SEND,
    GATEWAY_HISTOGRAM_PUBLISH_TO_SEND,
    GATEWAY_LAPS,
    GATEWAY_RECORDS_READ,
    GATEWAY_RECORDS_SKIPPED,
    GATEWAY_SNAPSHOTS_SENT,
    GATEWAY_SUBSCRIPTIONS,
    GATEWAY_UPDATES_SENT,
    GATEWAY_WAKEUPS,
    count,
    record_duration,
)
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport (
    CACHE_LINE,
    RECORD_CORRECTION,
    RECORD_TRADE,
    ROW_SHARED_MICROSECOND,
    Record,
    Values,
)
from ticker.shm.ring cimport RingReader


cdef uint32_t* regrown(uint32_t* array, uint32_t capacity) except NULL:
    cdef uint32_t* grown = <uint32_t*>PyMem_RawRealloc(array, capacity * sizeof(uint32_t))
    if grown == NULL:
        raise MemoryError
    return grown


cdef class Hub:
    """`segment`: the gateway's own. `interval_ns`: a client is flushed once in it at most, and
    the first tick after a quiet interval goes out at once. `max_symbols`: per connection."""

    def __cinit__(
        self, Board board not None, Connections connections not None, Mapping segment not None,
        feeds: list[Mapping], interval_ns: int, max_symbols: int, now_ns: int,
    ) -> None:
        cdef uint32_t places = connections.capacity
        cdef int bucket
        self.board = board
        self.connections = connections
        self.counters = segment.counters
        self.histograms = segment.histograms
        self.turn_width = interval_ns // TURNS
        self.origin = now_ns
        self.now = now_ns
        self.out_capacity = <size_t>max_symbols * FRAME_ROOM
        self.phases = <uint8_t*>PyMem_RawCalloc(places, 1)
        self.pending = <uint8_t*>PyMem_RawCalloc(places, 1)
        self.queued = <uint8_t*>PyMem_RawCalloc(places, 1)
        self.wheel_next = <uint32_t*>PyMem_RawCalloc(places, sizeof(uint32_t))
        self.ready.items = <uint32_t*>PyMem_RawCalloc(places, sizeof(uint32_t))
        self.due.items = <uint32_t*>PyMem_RawCalloc(places, sizeof(uint32_t))
        self.out = <uint8_t*>PyMem_RawMalloc(self.out_capacity)
        self.due_slots = <uint32_t*>PyMem_RawCalloc(max_symbols, sizeof(uint32_t))
        self.row_seq = <uint64_t**>PyMem_RawCalloc(len(feeds) + 1, sizeof(uint64_t*))
        if not (self.phases and self.pending and self.queued and self.wheel_next
                and self.ready.items and self.due.items and self.out and self.due_slots
                and self.row_seq):
            raise MemoryError
        for bucket in range(BUCKETS):
            self.bucket_head[bucket] = NO_CONNECTION
        self.readers = []
        self._read_feeds(feeds)
        self._grow()

    def _read_feeds(self, feeds: list[Mapping]) -> None:
        cdef Mapping mapping
        for feed, mapping in enumerate(feeds):
            self.row_seq[<uint32_t>feed] = <uint64_t*>PyMem_RawCalloc(
                mapping.header.row_capacity, sizeof(uint64_t)
            )
            if self.row_seq[<uint32_t>feed] == NULL:
                raise MemoryError
            for ring in range(mapping.ring_count):
                self.readers.append((feed, RingReader(mapping, ring)))

    def __dealloc__(self) -> None:
        cdef uint32_t i
        if self.row_seq != NULL:
            for i in range(self.board.feed_count):
                PyMem_RawFree(self.row_seq[i])
        for i in range(self.topic_count):
            PyMem_RawFree(self.topics[i].subscribers)
            PyMem_RawFree(self.topics[i].snapshot)
        for pointer in (
            <size_t>self.row_seq, <size_t>self.topics, <size_t>self.versions,
            <size_t>self.changed, <size_t>self.shown, <size_t>self.updates_memory,
            <size_t>self.due_slots, <size_t>self.phases, <size_t>self.pending,
            <size_t>self.queued, <size_t>self.wheel_next, <size_t>self.ready.items,
            <size_t>self.due.items, <size_t>self.out,
        ):
            PyMem_RawFree(<void*><size_t>pointer)

    # -- topics ---------------------------------------------------------------------------

    cdef int _grow(self) except -1:
        """A topic for every symbol that the board has, with the price that its rows have."""
        cdef uint32_t wanted = self.board.count
        if wanted > self.topic_capacity:
            self._grow_arrays(max(wanted, 2 * self.topic_capacity))
        while self.topic_count < wanted:
            memset(self.topics + self.topic_count, 0, sizeof(Topic))
            self.versions[self.topic_count] = 0
            self.shown[self.topic_count] = 0
            self.topic_count += 1
            self._reload(self.topic_count - 1)
        return 0

    cdef int _grow_arrays(self, uint32_t capacity) except -1:
        cdef void* memory
        cdef PriceFrame* updates
        cdef Topic* topics = <Topic*>PyMem_RawRealloc(self.topics, capacity * sizeof(Topic))
        if topics == NULL:
            raise MemoryError
        self.topics = topics
        self.versions = regrown(self.versions, capacity)
        self.shown = regrown(self.shown, capacity)
        self.changed = regrown(self.changed, capacity)
        # calloc: a frame costs memory once somebody has subscribed
        memory = PyMem_RawCalloc(capacity + 1, sizeof(PriceFrame))
        if memory == NULL:
            raise MemoryError
        updates = <PriceFrame*>((<size_t>memory + CACHE_LINE - 1) & ~<size_t>(CACHE_LINE - 1))
        if self.topic_count:
            memcpy(updates, self.updates, self.topic_count * sizeof(PriceFrame))
        PyMem_RawFree(self.updates_memory)
        self.updates_memory = memory
        self.updates = updates
        self.topic_capacity = capacity
        return 0

    cdef int _learn(self, uint32_t feed, uint32_t row) except -1:
        """A record named a row that is new to us."""
        cdef uint32_t known = self.topic_count
        cdef uint32_t symbol
        self.board.learn(feed, row)
        self._grow()
        symbol = self.board.symbol_of(feed, row)
        if symbol < known:
            self._reload(symbol)  # a further venue of a symbol
        return 0

    cdef int _reload(self, uint32_t symbol) except -1:
        """Take a topic's price from the table. What the rings still hold of it is skipped:
        row_seq says what the rows have counted already."""
        cdef Topic* topic = self.topics + symbol
        cdef Values values
        cdef RowRef* ref
        cdef uint32_t i
        for i in range(self.board.rows[symbol].count):
            ref = self.board.rows[symbol].rows + i
            # the seq first: a trade that comes between the two reads is applied twice, not never
            if self.board.table(ref.feed).read(ref.row, &values) >= 0:
                self.row_seq[ref.feed][ref.row] = values.seq
        if not self.board.read(symbol, &values) or not values.price:
            return 0
        if values.price == topic.price and values.exchange_time == topic.time:
            return 0
        topic.price = values.price
        topic.ambiguous = (
            topic.time != 0 or self.board.rows[symbol].count > 1
            or values.flags & ROW_SHARED_MICROSECOND != 0
        )
        topic.publish_time = values.publish_time
        if values.exchange_time > topic.time:
            topic.time = values.exchange_time  # a taken-back trade never takes time back
        self._touch(symbol)
        return 0

    cdef int _resync(self, uint32_t feed) except -1:
        """A ring lapped us: look at every symbol of the feed again."""
        cdef uint32_t row
        self.board.refresh()
        self._grow()
        for row in range(self.board.rows_known[feed]):
            self._reload(self.board.symbol_of(feed, row))
        return 0

    cdef void _touch(self, uint32_t symbol) noexcept nogil:
        """The topic has a new price: a new version, and a place in `changed`."""
        cdef Topic* topic = self.topics + symbol
        self.versions[symbol] += 1
        if not self.versions[symbol]:
            self.versions[symbol] = 1
        if not topic.touched:
            topic.touched = 1
            self.changed[self.changed_count] = symbol
            self.changed_count += 1
            self.changed_subscribers += topic.subscriber_count

    # -- rings ----------------------------------------------------------------------------

    cdef int _drain(self) except -1:
        if self.board.count > self.topic_count:
            self._grow()  # the board was refreshed by somebody else
        for feed, reader in self.readers:
            if (<RingReader>reader).pending():
                self._drain_ring(feed, <RingReader>reader)
        return 0

    cdef int _drain_ring(self, uint32_t feed, RingReader reader) except -1:
        cdef Record record
        cdef uint32_t symbol
        cdef uint64_t skipped = reader.skipped
        cdef uint64_t first = reader.position
        cdef int got
        while True:
            got = reader.read(&record)
            if got == 0:
                break
            if got < 0:
                count(self.counters, GATEWAY_LAPS, 1)
                self._resync(feed)
                continue
            if record.kind != RECORD_TRADE and record.kind < RECORD_CORRECTION:
                continue
            symbol = self.board.symbol_of(feed, record.row)
            if symbol == NO_SYMBOL:
                self._learn(feed, record.row)
            elif record.kind == RECORD_CORRECTION:
                self._reload(symbol)
            else:
                self._trade(feed, symbol, &record)
        skipped = reader.skipped - skipped
        count(self.counters, GATEWAY_RECORDS_SKIPPED, skipped)
        count(self.counters, GATEWAY_RECORDS_READ, reader.position - first - skipped)
        return 0

    cdef void _trade(self, uint32_t feed, uint32_t symbol, const Record* record) noexcept nogil:
        assert symbol < self.topic_count
        cdef Topic* topic = self.topics + symbol
        cdef uint64_t* seq = self.row_seq[feed] + record.row
        if record.seq <= seq[0]:
            return  # the table told us already
        seq[0] = record.seq
        if record.exchange_time < topic.time:
            return  # another venue has sold later
        topic.ambiguous = record.price != topic.price and record.exchange_time - topic.time < 1000
        topic.price = record.price
        topic.time = record.exchange_time
        topic.publish_time = record.publish_time
        self._touch(symbol)

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
            self.changed_subscribers < self.subscription_total >> 3
        )
        if self.changed_count and not sparse:
            self.all_pending_until = self.turn_index + TURNS + 1
        for i in range(self.changed_count):
            if sparse:
                self._mark_topic(self.topics + self.changed[i])
            self.topics[self.changed[i]].touched = 0
        self.changed_count = 0
        self.changed_subscribers = 0

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

    cdef void _take_buckets(self) noexcept nogil:
        """Move the buckets whose time has come to the due queue."""
        cdef uint32_t bucket, number
        cdef uint64_t reached
        cdef int i
        if self.now < self.origin:
            return
        reached = <uint64_t>((self.now - self.origin) // self.turn_width)
        if reached < self.turn_index:
            return
        for i in range(<int>min(<uint64_t>BUCKETS, reached - self.turn_index + 1)):
            bucket = <uint32_t>((self.turn_index + i) & (BUCKETS - 1))
            number = self.bucket_head[bucket]
            self.bucket_head[bucket] = NO_CONNECTION
            while number != NO_CONNECTION:
                self.queued[number] &= ~<uint8_t>QUEUED_WHEEL
                if self.turn_index <= self.all_pending_until:
                    self.pending[number] = 1
                self._push(&self.due, QUEUED_DUE, number)
                number = self.wheel_next[number]
        self.turn_index = reached + 1

    cdef void _serve_due(self, uint32_t number) noexcept nogil:
        """A connection's interval is over: send what it is due, or let it be idle."""
        if self.phases[number] != PHASE_WAITING or self.queued[number] & QUEUED_WHEEL:
            return
        if not self.pending[number] or self._flush(number) == 0:
            if self.phases[number] == PHASE_WAITING:
                self._set_phase(number, PHASE_IDLE)
        elif self.phases[number] == PHASE_WAITING:
            self._enter_wheel(number, self.turn_index - 1 + TURNS)

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
            if self.versions[subscription[i].symbol] != subscription[i].seen:
                sent += 1
                prefetch(self.updates + subscription[i].symbol)
                prefetch(<char*>(self.updates + subscription[i].symbol) + CACHE_LINE)
        if not sent:
            return 0
        for i in range(<uint32_t>sent):
            due = subscription + self.due_slots[i]
            version = self.versions[due.symbol]
            if due.seen:
                at = self._put_update(due.symbol, at)
                conflated += version - due.seen - 1
            else:
                at = self._put_snapshot(due.symbol, at)
            due.seen = version
        count(self.counters, GATEWAY_CLIENT_FLUSHES, 1)
        count(self.counters, GATEWAY_UPDATES_SENT, sent)
        count(self.counters, GATEWAY_CONFLATED, conflated)
        if self.connections.deliver(number, self.out, at) == 0:
            self._set_phase(number, PHASE_BLOCKED)
        elif connection.state != CONNECTION_OPEN:
            self._set_phase(number, PHASE_NONE)
        return sent

    cdef size_t _put_update(self, uint32_t symbol, size_t at) noexcept nogil:
        """Append a topic's update to `out`, encoding it if its version moved; the new end."""
        cdef PriceFrame* frame = self.updates + symbol
        cdef Topic* topic
        if self.shown[symbol] != self.versions[symbol]:
            topic = self.topics + symbol
            write_price_frame(frame, topic.price, topic.time)
            self.shown[symbol] = self.versions[symbol]
            count(self.counters, GATEWAY_ENCODED, 1)
            record_duration(
                self.histograms, GATEWAY_HISTOGRAM_PUBLISH_TO_SEND, self.now - topic.publish_time
            )
            record_duration(
                self.histograms, GATEWAY_HISTOGRAM_EXCHANGE_TO_SEND, self.now - topic.time
            )
        assert at + frame.length <= self.out_capacity
        memcpy(self.out + at, frame.bytes + frame.start, frame.length)
        return at + frame.length

    cdef size_t _put_snapshot(self, uint32_t symbol, size_t at) noexcept nogil:
        """Append a topic's snapshot to `out`; the new end."""
        cdef Topic* topic = self.topics + symbol
        cdef PriceFrame* frame = topic.snapshot
        if topic.snapshot_version != self.versions[symbol]:
            write_price_frame(frame, topic.price, topic.time)
            topic.snapshot_version = self.versions[symbol]
            count(self.counters, GATEWAY_ENCODED, 1)
        assert at + frame.length <= self.out_capacity
        memcpy(self.out + at, frame.bytes + frame.start, frame.length)
        return at + frame.length

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

    def turn(self, now_ns: int, budget: int) -> int:
        """Read the rings, then flush at most `budget` connections that may be flushed now.

        Returns ns until the next turn is wanted: 0 when the budget was used up, -1 when only a
        doorbell can bring work.
        """
        cdef int left = budget
        self.now = now_ns
        self._drain()
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

    @property
    def idle(self) -> int:
        """Connections that want the next tick at once: with some, the doorbell is to be armed."""
        return self.idle_count

    def records_wait(self) -> bool:
        """Some ring holds what we have not read."""
        for _, reader in self.readers:
            if (<RingReader>reader).pending():
                return True
        return False

    # -- subscriptions --------------------------------------------------------------------

    cdef int64_t _find(self, Connection* connection, uint32_t symbol) noexcept nogil:
        cdef uint32_t slot
        for slot in range(connection.subscription_count):
            if connection.subscriptions[slot].symbol == symbol:
                return slot
        return -1

    cdef int _frames_of(self, uint32_t symbol) except -1:
        """Begin a topic's frames when its first subscriber comes."""
        cdef Topic* topic = self.topics + symbol
        cdef bytes name
        if topic.snapshot != NULL:
            return 0
        name = self.board.name(symbol).encode("latin-1")
        topic.snapshot = <PriceFrame*>PyMem_RawMalloc(sizeof(PriceFrame))
        if topic.snapshot == NULL:
            raise MemoryError
        begin_frame(self.updates + symbol, b"update", name, len(name))
        begin_frame(topic.snapshot, b"snapshot", name, len(name))
        return 0

    cdef int _attach(self, Connection* connection, uint32_t number, uint32_t symbol) except -1:
        """A new subscription at the end of the connection's list, nothing seen yet."""
        cdef Topic* topic = self.topics + symbol
        cdef Subscription* slots = connection.subscriptions
        cdef Subscriber* subscribers = topic.subscribers
        cdef uint32_t capacity = connection.subscription_capacity
        self._frames_of(symbol)
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
        cdef Topic* topic = self.topics + gone.symbol
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
            self.topics[last.symbol].subscribers[last.position].slot = slot
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
        self._drain()
        for wanted in symbols:
            symbol = wanted
            slot = self._find(connection, symbol)
            if slot < 0:
                self._attach(connection, place, symbol)
                slot = connection.subscription_count - 1
            if not self.versions[symbol]:
                continue
            connection.subscriptions[slot].seen = self.versions[symbol]
            if (
                seen is not None and not self.topics[symbol].ambiguous
                and seen.get(wanted) == self.topics[symbol].time // 1000
            ):
                continue
            at = self._put_snapshot(symbol, at)
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
