"""Who has subscribed to what: each connection's list, and each topic's.

Law: the two lists point at each other's places, so an entry comes and goes in constant time
once it is found; a connection's list lies in one piece, which a flush reads from end to end.
"""

from cpython.mem cimport PyMem_RawRealloc
from libc.stdint cimport int64_t, uint32_t, uint64_t

from ticker.gateway.books.views cimport Views
from ticker.gateway.hub.fields cimport CHANNEL_DEPTH, CHANNEL_MOVERS, FIRST_BARS
from ticker.gateway.sockets.connection cimport Connection, ConnectionTable, Subscription
from ticker.gateway.hub.shared_frames cimport SharedFrames
from ticker.gateway.hub.topics cimport CHANNEL_BITS, CHANNEL_MASK, Subscriber, Topic, Topics, topic_of
from ticker.shm.atomics cimport store_relaxed, store_release
from ticker.shm.counters cimport GATEWAY_SUBSCRIPTIONS
from ticker.shm.header cimport Mapping
from ticker.shm.shards.watchers cimport watchers_of

cdef class Subscriptions:
    """`segment`: the gateway's own, for its counts."""

    def __cinit__(
        self, Topics topics not None, Views views not None, SharedFrames frames not None,
        ConnectionTable connections not None, Mapping segment not None,
    ) -> None:
        self.topics = topics
        self.views = views
        self.frames = frames
        self.connections = connections
        self.counters = segment.counters
        self.segment = segment
        self.words = watchers_of(segment)
        store_release(&self.words.bars, 0)

    def count_watchers(self, WatcherCounts watchers) -> None:
        """Count in there who watches symbols of which shard. There are no subscriptions yet."""
        self.by_shard = watchers

    cdef int64_t find(self, Connection* connection, uint32_t topic) noexcept nogil:
        cdef uint32_t slot
        for slot in range(connection.subscription_count):
            if connection.subscriptions[slot].topic == topic:
                return slot
        return -1

    cdef int attach(self, Connection* connection, uint32_t number, uint32_t wanted) except -1:
        """A new subscription at the end of the connection's list, nothing seen yet."""
        cdef Topic* topic = self.topics.topics + wanted
        cdef Subscription* slots = connection.subscriptions
        cdef Subscriber* subscribers = topic.subscribers
        cdef uint32_t capacity = connection.subscription_capacity
        cdef bint counts = self.by_shard is not None and of_symbol(wanted)
        self.frames.open(connection.encoding, wanted & CHANNEL_MASK)
        if counts:
            self.by_shard.learn(wanted >> CHANNEL_BITS)
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
        slots.topic = wanted
        slots.position = topic.subscriber_count
        slots.seen = 0
        subscribers[topic.subscriber_count].connection = number
        subscribers[topic.subscriber_count].slot = connection.subscription_count
        connection.subscription_count += 1
        topic.subscriber_count += 1
        self.total += 1
        if counts:
            self.by_shard.came(wanted >> CHANNEL_BITS)
        if wanted & CHANNEL_MASK >= FIRST_BARS:
            self.bars += 1
            store_release(&self.words.bars, self.bars)
        return 0

    cdef void detach(self, Connection* connection, uint32_t slot) noexcept nogil:
        """Remove a subscription: the last one of each list takes its place."""
        cdef Subscription gone = connection.subscriptions[slot]
        cdef Topic* topic = self.topics.topics + gone.topic
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
            self.topics.topics[last.topic].subscribers[last.position].slot = slot
        self.total -= 1
        if self.by_shard is not None and of_symbol(gone.topic):
            self.by_shard.left(gone.topic >> CHANNEL_BITS)
        if gone.topic & CHANNEL_MASK >= FIRST_BARS:
            self.bars -= 1
            store_release(&self.words.bars, self.bars)
        store_relaxed(self.counters + GATEWAY_SUBSCRIPTIONS, self.total)

    def unsubscribe(self, number: int, symbols: list[int], channel: int) -> list[int]:
        """Remove subscriptions; the symbols that were not subscribed."""
        cdef Connection* connection = self.connections.checked(number)
        cdef int64_t slot
        missing = []
        for symbol in symbols:
            slot = self.find(connection, topic_of(symbol, channel))
            if slot < 0:
                missing.append(symbol)
            else:
                self.detach(connection, <uint32_t>slot)
        return missing

    def subscribed(self, number: int, channel: int) -> list[int]:
        """Numbers of the symbols, on `depth` of the views, that a connection has subscribed on a
        channel."""
        cdef Connection* connection = self.connections.checked(number)
        cdef uint32_t slot
        found = []
        for slot in range(connection.subscription_count):
            if connection.subscriptions[slot].topic & CHANNEL_MASK == <uint32_t>channel:
                found.append(connection.subscriptions[slot].topic >> CHANNEL_BITS)
        return found

    def forget(self, number: int) -> None:
        """Remove all subscriptions of a connection."""
        cdef Connection* connection = self.connections.checked(number)
        while connection.subscription_count:
            self.detach(connection, connection.subscription_count - 1)

    def count_of(self, number: int) -> int:
        """How many subscriptions a connection has, over all channels."""
        return self.connections.checked(number).subscription_count

    def subscribers(self, symbol: int) -> set[int]:
        """Numbers of the connections that watch a symbol on any channel."""
        cdef uint32_t channel
        found = set()
        if not 0 <= symbol < self.topics.symbol_count:
            raise IndexError(f"symbol {symbol}: there are {self.topics.symbol_count}")
        for channel in range(<uint32_t>(1 << CHANNEL_BITS)):
            if channel != CHANNEL_DEPTH and channel != CHANNEL_MOVERS:
                self._add_subscribers(topic_of(symbol, channel), found)
        for view in self.views.opened():
            if self.views.about(view)[0] == symbol:
                self._add_subscribers(topic_of(view, CHANNEL_DEPTH), found)
        return found

    cdef int _add_subscribers(self, uint32_t number, set found) except -1:
        cdef Topic* topic = self.topics.topics + number
        cdef uint32_t i
        for i in range(topic.subscriber_count):
            found.add(topic.subscribers[i].connection)
        return 0

    def watched(self) -> list[int]:
        """Numbers of the symbols that a client watches on any channel."""
        cdef uint32_t symbol, channel
        found = {}
        for symbol in range(self.topics.symbol_count):
            for channel in range(<uint32_t>(1 << CHANNEL_BITS)):
                if channel == CHANNEL_DEPTH or channel == CHANNEL_MOVERS:
                    continue
                if self.topics.topics[topic_of(symbol, channel)].subscriber_count:
                    found[symbol] = None
                    break
        for view in self.views.opened():
            if self.topics.topics[topic_of(view, CHANNEL_DEPTH)].subscriber_count:
                found[self.views.about(view)[0]] = None
        return list(found)

    def connections_of(self, number: int, channel: int) -> set[int]:
        """Numbers of the connections that watch a topic, by its number on its channel."""
        found = set()
        if <uint32_t>number < self.topics.symbol_capacity:
            self._add_subscribers(topic_of(number, channel), found)
        return found

    def watchers(self, number: int, channel: int) -> int:
        """How many connections watch a topic, by its number on its channel."""
        cdef uint32_t wanted = number
        if wanted >= self.topics.symbol_capacity:
            return 0
        return self.topics.topics[topic_of(wanted, channel)].subscriber_count

    def unwatched(self) -> list[int]:
        """Numbers of the open views that no client watches."""
        return [
            view for view in self.views.opened()
            if not self.topics.topics[topic_of(view, CHANNEL_DEPTH)].subscriber_count
        ]


cdef inline bint of_symbol(uint32_t topic) noexcept nogil:
    """Whether a topic's number has that of a symbol."""
    return topic & CHANNEL_MASK != CHANNEL_DEPTH and topic & CHANNEL_MASK != CHANNEL_MOVERS
