"""The hub: from topics that changed to one send per client and flush.

In: topics.pyx's list of changes. Out: frames to connections (flush.pyx). Owned by one event
loop, which calls take_turn() (scheduler.pyx).
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy

from ticker.gateway.hub.agenda cimport (
    MOST_TURNS,
    PHASE_BLOCKED,
    PHASE_IDLE,
    PHASE_NONE,
    PHASE_READY,
    PHASE_WAITING,
    QUEUED_DUE,
    QUEUED_READY,
    QUEUED_WHEEL,
    TURNS,
)
from ticker.gateway.sockets.connection cimport CONNECTION_OPEN, Connection, ConnectionTable
from ticker.gateway.hub.encode cimport CHANNEL_QUOTE
from ticker.gateway.hub.flush cimport SPARE, Flush
from ticker.gateway.hub.shared_frames cimport SharedFrames
from ticker.gateway.hub.topics cimport Sale, Topics, topic_of
from ticker.shm.atomics cimport store_relaxed
from ticker.shm.counters cimport (
    GATEWAY_FLUSHES,
    GATEWAY_SNAPSHOTS_SENT,
    GATEWAY_SUBSCRIPTIONS,
    GATEWAY_WAKEUPS,
    count,
)
from ticker.shm.header cimport Mapping


cdef class Hub(Flush):
    """`segment`: the gateway's own. `interval_ns`: a client is flushed once in it at most, and
    the first tick after a quiet interval goes out at once. `max_symbols`: per connection."""

    def __cinit__(
        self, Topics topics not None, SharedFrames frames not None,
        ConnectionTable connections not None, Mapping segment not None, interval_ns: int,
        now_ns: int, max_symbols: int,
    ) -> None:
        self.interval = interval_ns

    # -- turns ----------------------------------------------------------------------------

    cdef int64_t take_turn(self, int64_t now, int budget) except? -2:
        """Read the rings, then flush at most `budget` connections that may be flushed now.

        Returns ns until the next turn is wanted: 0 when the budget was used up, -1 when only a
        doorbell can bring work.
        """
        cdef int left = budget
        self.now = now
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

    cdef int _drain(self) except -1:
        self.topics.drain()
        if self.frames.symbol_capacity != self.topics.symbol_capacity:
            self.frames.grow()
        return 0

    cdef void _serve_due(self, uint32_t number) noexcept nogil:
        """A connection's interval is over: send what it is due, or let it be idle.

        Its next turn counts from the one that it had, not from when it was served: whoever is
        served late does not fall behind. Only one that has missed its next turn takes the next
        there is.
        """
        cdef int32_t ahead
        if self.phases[number] != PHASE_WAITING or self.queued[number] & QUEUED_WHEEL:
            return
        ahead = <int32_t>(
            self.wheel_turn[number] + self._turns(number) - <uint32_t>self.turn_index
        )
        if not self.pending[number] or self._flush(number) == 0:
            if self.phases[number] == PHASE_WAITING:
                self._set_phase(number, PHASE_IDLE)
        elif self.phases[number] == PHASE_WAITING:
            self._enter_wheel(number, self.turn_index + (ahead if ahead > 0 else 0))

    cdef void _serve_ready(self, uint32_t number) noexcept nogil:
        if self.phases[number] != PHASE_READY:
            return
        if self._flush(number) == 0 and self.phases[number] == PHASE_READY:
            self._set_phase(number, PHASE_IDLE)
        elif self.phases[number] == PHASE_READY:
            self._enter_wheel(number, self.turn_index + self._turns(number))

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
                    self._enter_wheel(number, self.turn_index + self._turns(number))
        self.connections.drained_count = 0

    # -- commands -------------------------------------------------------------------------

    def subscribe(
        self, number: int, symbols: list[int], channel: int, now_ns: int,
        seen: dict[int, int] | None = None, before: bytes = b"",
    ) -> int:
        """Subscribe to symbols by number and send their snapshots at once, in one send.

        `before`: ready frames that go out in front of them. `seen`: exchange time in
        microseconds of the price that the client has, by symbol; whoever has the newest gets no
        snapshot. A symbol already subscribed gets its snapshot again; one that has not traded
        gets it with its first trade. Returns the snapshots sent.
        """
        cdef Connection* connection = self.connections._checked(number)
        cdef uint32_t place = number
        cdef int due, sent = 0
        if connection.state != CONNECTION_OPEN:
            return 0
        self.now = now_ns
        self._drain()
        self.reserve(connection.subscription_count + <uint32_t>len(symbols))
        due = self._take_symbols(connection, place, symbols, channel, seen)
        self.at = 0
        if connection.batch or not due or <size_t>len(before) + SPARE > self.out_capacity:
            if before:
                self.connections.deliver(place, before, len(before))
        else:
            memcpy(self.out, <const uint8_t*>before, len(before))
            self.at = len(before)
        if connection.state == CONNECTION_OPEN and due and not connection.wants_write:
            sent = self._send(place, due, True)
        elif self.at:
            self.connections.deliver(place, self.out, self.at)
        if sent < due:
            self.pending[place] = 1
        count(self.counters, GATEWAY_SNAPSHOTS_SENT, sent)
        store_relaxed(self.counters + GATEWAY_SUBSCRIPTIONS, self.subscription_total)
        if connection.state == CONNECTION_OPEN and self.phases[place] in (PHASE_NONE, PHASE_IDLE):
            self._enter_wheel(place, self.turn_index + self._turns(place))
        return sent

    cdef int _take_symbols(
        self, Connection* connection, uint32_t number, list symbols, uint32_t channel, dict seen
    ) except -1:
        """Subscribe; those whose snapshot is due into `due_slots`, how many."""
        cdef uint32_t symbol, topic
        cdef int64_t slot
        cdef int due = 0
        for wanted in symbols:
            symbol = wanted
            topic = topic_of(symbol, channel)
            slot = self._find(connection, topic)
            if slot < 0:
                self._attach(connection, number, topic)
                slot = connection.subscription_count - 1
            connection.subscriptions[slot].seen = 0
            if not self.topics.versions[topic]:
                continue
            if channel == CHANNEL_QUOTE:
                self.topics.read_quote(symbol)
            if seen is not None and self._has_newest(symbol, channel, seen.get(wanted)):
                connection.subscriptions[slot].seen = self.topics.versions[topic]
                continue
            self.due_slots[due] = <uint32_t>slot
            due += 1
        return due

    cdef bint _has_newest(self, uint32_t symbol, uint32_t channel, object moment) except -1:
        """Whether a client that has seen this time (us) of a symbol has its newest price. Quotes
        change without a trade, so nobody is known to have the newest of `quote`."""
        cdef Sale* sale = self.topics.sales + symbol
        return channel != CHANNEL_QUOTE and not sale.ambiguous and moment == sale.time // 1000

    def configure(
        self, number: int, max_rate: float | None, batch: bool | None
    ) -> tuple[float, bool]:
        """Set a connection's flushes per second and whether a flush is one message; what holds
        now. A rate is rounded down to a whole number of flush intervals."""
        cdef Connection* connection = self.connections._checked(number)
        cdef double interval = self.interval * 1e-9
        cdef double intervals
        if batch is not None:
            connection.batch = batch
        if max_rate is not None:
            intervals = 1 / (<double>max_rate * interval)
            # 1e-6: a rate that is a whole number of intervals but for rounding is that number
            connection.turns = <uint16_t>min(TURNS * -((1e-6 - intervals) // 1), MOST_TURNS)
            if connection.turns <= TURNS:
                connection.turns = 0
            if self.phases[<uint32_t>number] == PHASE_WAITING:
                self._enter_wheel(number, self.turn_index + self._turns(number))
        return TURNS / (interval * self._turns(number)), bool(connection.batch)

    def forget(self, number: int) -> None:
        """The connection is gone: remove all its subscriptions."""
        cdef Connection* connection = self.connections._checked(number)
        while connection.subscription_count:
            self._detach(connection, connection.subscription_count - 1)
        self._set_phase(number, PHASE_NONE)
        self.pending[<uint32_t>number] = 0
