"""Connections by name, and when one that somebody asks about was sent a symbol's price.

In: the numbers of connections, as flushes go to them. Out: what the newest flushes brought, and their
times. Owned by one gateway worker.

A connection's name is unlike that of any other connection of this run of the server: the gateway, the
place in its table, and how often that place was used. It is below 2^53, so that every JSON reader
takes it as it is.

Law: while nobody asks, a flush costs a look at one word. Bound: the newest MOST_NOTED wishes.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memset

from ticker.clock cimport wall_ns
from ticker.gateway.sockets.connection cimport (
    CONNECTION_FREE,
    CONNECTION_HEAD,
    CONNECTION_OPEN,
    Connection,
    ConnectionTable,
)

cdef enum:
    PLACE_BITS = 24
    LIFE_BITS = 20
    LIVES = 1 << LIFE_BITS


cdef class Noted:
    """Of the connections in a table."""

    def __cinit__(self, ConnectionTable connections not None) -> None:
        self.connections = connections

    def name(self, number: int) -> int:
        """The name of a connection."""
        cdef Connection* connection = self.connections.checked(number)
        return (
            (<uint64_t>self.worker + 1) << (PLACE_BITS + LIFE_BITS)
            | <uint64_t>number << LIFE_BITS | connection.generation & (LIVES - 1)
        )

    def find(self, name: int) -> tuple[int, int]:
        """The gateway of a connection and its number there; -1: it is another gateway's, or gone."""
        cdef object worker = (name >> (PLACE_BITS + LIFE_BITS)) - 1
        cdef object number = name >> LIFE_BITS & ((1 << PLACE_BITS) - 1)
        if worker != self.worker or number >= self.connections.high_water:
            return worker, -1
        cdef Connection* connection = self.connections.checked(number)
        if connection.state in (CONNECTION_FREE, CONNECTION_HEAD) or self.name(number) != name:
            return worker, -1
        return worker, number

    def ask(self, number: int, topics: list[int]) -> dict[str, object]:
        """Of the first topic that the connection is subscribed to: `topic` (None: of none), the
        newest flushes that had news of it since the first question, `notes` of (seq, flushed,
        sent), newest first, times in ns since the epoch, None: not yet; `since`. Of all topics:
        `sent_ago`, ns since it was sent something; `waiting`: whether its socket is full."""
        cdef Connection* connection = self.connections.checked(number)
        cdef uint32_t place = number
        cdef NotedConnection* noted = NULL
        cdef uint32_t i
        cdef object found = None
        held = {connection.subscriptions[i].topic for i in range(connection.subscription_count)}
        found = next((topic for topic in topics if topic in held), None)
        if found is not None and connection.state == CONNECTION_OPEN:
            noted = self.all + <uint32_t>self._place(place, found)
        return {
            "topic": found,
            "notes": [] if noted == NULL else notes_of(noted),
            "since": None if noted == NULL else noted.since,
            "sent_ago": self.connections.now - connection.sent_at if connection.sent_at else None,
            "waiting": bool(connection.wants_write),
        }

    def _place(self, uint32_t number, uint32_t topic) -> int:
        """Where a wish is; it is noted from now on, in place of the oldest one if there are many."""
        cdef Connection* connection = self.connections.table + number
        cdef NotedConnection* noted
        cdef uint32_t i
        for i in range(self.count):
            noted = self.all + i
            if (noted.number == number and noted.topic == topic
                    and noted.generation == connection.generation):
                return i
        if self.count < MOST_NOTED:
            i = self.count
            self.count += 1
        else:
            i = self.oldest
            self.oldest = (self.oldest + 1) % MOST_NOTED
        noted = self.all + i
        memset(noted, 0, sizeof(NotedConnection))
        noted.number = number
        noted.generation = connection.generation
        noted.topic = topic
        noted.since = wall_ns()
        noted.seen = self._seen(noted)
        return i

    cdef uint32_t topic(self, uint32_t place) noexcept nogil:
        return self.all[place].topic

    cdef uint32_t _seen(self, const NotedConnection* noted) noexcept nogil:
        """The version of its topic that a connection was sent last; as before, if it is gone."""
        cdef Connection* connection = self.connections.table + noted.number
        cdef uint32_t i
        if connection.state == CONNECTION_OPEN and connection.generation == noted.generation:
            for i in range(connection.subscription_count):
                if connection.subscriptions[i].topic == noted.topic:
                    return connection.subscriptions[i].seen
        return noted.seen

    cdef void flushed(self, uint32_t place, uint32_t number, uint64_t seq) noexcept nogil:
        """A flush for a connection was made; `seq` is that of the price of this wish's symbol."""
        cdef NotedConnection* noted = self.all + place
        cdef uint32_t seen
        cdef Note* note
        if noted.number != number:
            return
        seen = self._seen(noted)
        if seen == noted.seen:
            return
        noted.seen = seen
        note = &noted.notes[noted.count % NOTES]
        noted.count += 1
        note.seq = seq
        note.flushed = wall_ns()
        note.sent = 0

    cdef void sent(self, uint32_t number) noexcept nogil:
        """A send to a connection has returned. What its full socket left waits for the next one."""
        cdef NotedConnection* noted
        cdef uint32_t i, back
        cdef int64_t now = 0
        if self.connections.table[number].wants_write:
            return
        for i in range(self.count):
            noted = self.all + i
            if noted.number != number:
                continue
            for back in range(min(noted.count, <uint64_t>NOTES)):
                if noted.notes[(noted.count - 1 - back) % NOTES].sent:
                    break
                if not now:
                    now = wall_ns()
                noted.notes[(noted.count - 1 - back) % NOTES].sent = now


cdef list notes_of(const NotedConnection* noted):
    cdef const Note* note
    cdef uint64_t back
    found = []
    for back in range(min(noted.count, <uint64_t>NOTES)):
        note = &noted.notes[(noted.count - 1 - back) % NOTES]
        found.append((note.seq, note.flushed, note.sent or None))
    return found
