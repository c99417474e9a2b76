"""The hub: from topics that changed to one send per client and flush.

In: records (intake.pyx), and topics.pyx's list of changes. Out: frames to connections (flush.pyx). Owned by one event
loop, which calls take_turn() (scheduler.pyx).
"""

from libc.stdint cimport int64_t, uint32_t

from ticker.gateway.hub.agenda cimport (
    PHASE_BLOCKED,
    PHASE_IDLE,
    PHASE_NONE,
    PHASE_READY,
    PHASE_WAITING,
    Agenda,
)
from ticker.gateway.hub.fields cimport CHANNEL_PRICE, CHANNEL_QUOTE, CHANNEL_TRADES, FIRST_BARS
from ticker.gateway.hub.flush cimport Flush
from ticker.gateway.hub.intake cimport Intake
from ticker.gateway.hub.sales cimport Sale, Sales
from ticker.gateway.hub.shared_frames cimport SharedFrames
from ticker.gateway.hub.subscriptions cimport Subscriptions
from ticker.gateway.hub.topics cimport CHANNEL_MASK, Topics, topic_of
from ticker.gateway.sockets.connection cimport CONNECTION_OPEN, Connection, ConnectionTable
from ticker.gateway.sockets.sender cimport Sender
from ticker.shm.atomics cimport store_relaxed
from ticker.shm.counters cimport (
    GATEWAY_FLUSHES,
    GATEWAY_SNAPSHOTS_SENT,
    GATEWAY_SUBSCRIPTIONS,
    GATEWAY_WAKEUPS,
    count,
)
from ticker.shm.header cimport Mapping

from ticker.gateway.pacing.rates import Rates


cdef class Hub:
    """`segment`: the gateway's own. `rates`: a client is flushed once in its interval at most, and
    the first tick after a quiet interval goes out at once. `max_symbols`: per connection."""

    def __cinit__(
        self, Intake intake not None, SharedFrames frames not None,
        ConnectionTable connections not None, Sender sender not None, Mapping segment not None,
        rates: Rates, steady_ns: int, max_symbols: int,
    ) -> None:
        self.intake = intake
        self.topics = intake.topics
        self.sales = intake.sales
        self.frames = frames
        self.connections = connections
        self.counters = segment.counters
        self.rates = rates
        self.subscriptions = Subscriptions(
            self.topics, intake.views, frames, connections, segment
        )
        self.agenda = Agenda(
            connections, self.topics, self.subscriptions, rates.interval, steady_ns, rates.paced
        )
        self.flush = Flush(
            self.topics, self.sales, intake.views, frames, connections, sender, self.agenda,
            segment, max_symbols,
        )

    # -- turns ----------------------------------------------------------------------------

    cdef int64_t take_turn(self, int64_t now, int64_t steady, int budget) except? -2:
        """Read the rings, then flush at most `budget` connections that may be flushed now.
        `now` by the wall clock, `steady` by the monotonic one, which turns go by.

        Returns ns until the next turn is wanted: 0 when the budget was used up, -1 when only a
        doorbell can bring work.
        """
        cdef Agenda agenda = self.agenda
        cdef int left = budget
        self._drain()
        with nogil:
            agenda.mark()
            self._serve_drained(now)
            agenda.take_buckets(steady)
            while left > 0 and agenda.ready.count:
                left -= 1
                self._serve_ready(agenda.next_ready(), now)
            while left > 0 and agenda.due.count:
                left -= 1
                self._serve_due(agenda.next_due(), now)
            self.flush.finish()
        count(self.counters, GATEWAY_WAKEUPS, 1)
        self.served = budget - left
        if left != budget:
            count(self.counters, GATEWAY_FLUSHES, 1)
        return agenda.next_turn(steady)

    cdef int _drain(self) except -1:
        self.intake.drain()
        if self.frames.symbol_capacity != self.topics.symbol_capacity:
            self.frames.grow()
        return 0

    cdef void _serve_due(self, uint32_t number, int64_t now) noexcept nogil:
        """A connection's interval is over: send what it is due, or let it be idle."""
        if self.agenda.phases[number] != PHASE_WAITING or self.agenda.stands(number):
            return
        if not self.agenda.pending[number] or self.flush.flush(number, now) == 0:
            if self.agenda.phases[number] == PHASE_WAITING:
                self.agenda.set_phase(number, PHASE_IDLE)

    cdef void _serve_ready(self, uint32_t number, int64_t now) noexcept nogil:
        if self.agenda.phases[number] != PHASE_READY:
            return
        if self.flush.flush(number, now) == 0 and self.agenda.phases[number] == PHASE_READY:
            self.agenda.set_phase(number, PHASE_IDLE)

    cdef void _serve_drained(self, int64_t now) noexcept nogil:
        """Sockets that took all that waited: their clients get the newest of what changed."""
        cdef uint32_t i, number
        cdef Connection* connection
        for i in range(self.connections.drained_count):
            number = self.connections.drained[i]
            connection = self.connections.table + number
            if self.agenda.phases[number] != PHASE_BLOCKED or connection.gathered:
                continue
            if not self.flush.flush(number, now) and not connection.wants_write:
                if self.agenda.phases[number] == PHASE_BLOCKED:
                    self.agenda.wait(number)
        self.connections.drained_count = 0

    # -- commands -------------------------------------------------------------------------

    def subscribe(
        self, number: int, symbols: list[int], channel: int, now_ns: int,
        seen: dict[int, int] | None = None, before: bytes = b"",
    ) -> int:
        """Subscribe to symbols by number and send their snapshots at once, in one send.

        `before`: ready frames that go out in front of them. `seen`: exchange time in
        microseconds of the price that the client has, by symbol; a client that has the newest
        gets no snapshot. A symbol already subscribed gets its snapshot again; one that has not traded
        gets it with its first trade. On `depth`, `symbols` are views. Returns the snapshots sent.
        """
        cdef Connection* connection = self.connections.checked(number)
        cdef Agenda agenda = self.agenda
        cdef Flush flush = self.flush
        cdef uint32_t place = number
        cdef int due, sent = 0
        if connection.state != CONNECTION_OPEN:
            return 0
        self._drain()
        flush.reserve(connection.subscription_count + <uint32_t>len(symbols))
        due = self._take_symbols(connection, place, symbols, channel, seen)
        flush.parcel.begin(connection.encoding, connection.batch)
        behind = before and due and flush.parcel.begin_behind(before)
        if before and not behind:
            self.connections.deliver(place, before, len(before))
        if connection.state == CONNECTION_OPEN and due and not connection.wants_write:
            sent = flush.send(place, due, now_ns)
        elif behind:
            self.connections.deliver(place, flush.parcel.out, flush.parcel.length())
        if sent < due:
            agenda.pending[place] = 1
        count(self.counters, GATEWAY_SNAPSHOTS_SENT, sent)
        store_relaxed(self.counters + GATEWAY_SUBSCRIPTIONS, self.subscriptions.total)
        if connection.state == CONNECTION_OPEN and agenda.phases[place] in (PHASE_NONE, PHASE_IDLE):
            agenda.wait(place)
        return sent

    def follow(self, number: int, symbols: list[int], channel: int) -> None:
        """Subscribe without snapshots: what comes from now on. For the dialects of vendors, whose
        clients may want thousands of symbols at once."""
        cdef Connection* connection = self.connections.checked(number)
        cdef uint32_t place = number
        cdef uint32_t topic
        if connection.state != CONNECTION_OPEN:
            return
        self._drain()
        self.flush.reserve(connection.subscription_count + <uint32_t>len(symbols))
        held = set(self.subscriptions.subscribed(number, channel))
        for symbol in symbols:
            if symbol in held:
                continue
            topic = topic_of(symbol, channel)
            if channel >= FIRST_BARS and not self.topics.topics[topic].subscriber_count:
                self.intake.watch_bars(symbol, channel - FIRST_BARS)
            self.subscriptions.attach(connection, number, topic)
            connection.subscriptions[connection.subscription_count - 1].seen = (
                self.topics.versions[topic]
            )
        store_relaxed(self.counters + GATEWAY_SUBSCRIPTIONS, self.subscriptions.total)
        if self.agenda.phases[place] in (PHASE_NONE, PHASE_IDLE):
            self.agenda.wait(place)

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
            slot = self.subscriptions.find(connection, topic)
            if slot < 0:
                if channel >= FIRST_BARS and not self.topics.topics[topic].subscriber_count:
                    self.intake.watch_bars(symbol, channel - FIRST_BARS)
                self.subscriptions.attach(connection, number, topic)
                slot = connection.subscription_count - 1
            connection.subscriptions[slot].seen = 0
            if not self.topics.versions[topic]:
                continue
            if channel == CHANNEL_QUOTE:
                self.sales.read_quote(symbol)
            if seen is not None and self._has_newest(symbol, channel, seen.get(wanted)):
                connection.subscriptions[slot].seen = self.topics.versions[topic]
                continue
            self.flush.due_slots[due] = <uint32_t>slot
            due += 1
        return due

    cdef bint _has_newest(self, uint32_t symbol, uint32_t channel, object moment) except -1:
        """Whether a client that has seen this time (us) of a symbol has its newest price. Quotes
        change without a trade, and bars with time, so no client is known to have the newest of
        these."""
        cdef Sale* sale = self.sales.sales + symbol
        return channel != CHANNEL_QUOTE and channel < FIRST_BARS and not sale.ambiguous and moment == sale.time // 1000

    def configure(
        self, number: int, max_rate: float | None, batch: bool | None, pace: int | None = None
    ) -> tuple[float, bool, int]:
        """Set a connection's flushes per second, whether a flush is one message, and its pace
        (PACES); what holds now. A rate is rounded down to a whole number of turns (Rates)."""
        cdef Connection* connection = self.connections.checked(number)
        cdef uint32_t place = number
        if batch is not None:
            connection.batch = batch
        if pace is not None:
            connection.pace = pace
        if max_rate is not None:
            connection.max_rate = max_rate
        if max_rate is not None or pace is not None:
            turns, at_once = self.rates.settle(connection.max_rate, connection.pace)
            connection.turns, connection.at_once = turns, at_once
            if self.agenda.phases[place] == PHASE_WAITING:
                if at_once:
                    self.agenda.hurry(place)
                else:
                    self.agenda.wait(place)
        rate = self.rates.rate_of(connection.turns, bool(connection.at_once))
        return rate, bool(connection.batch), connection.pace

    @property
    def noted(self) -> object:
        """The names of connections, and what was sent to some of them (Noted)."""
        return self.flush.noted

    def ask(self, number: int, symbol: int) -> dict[str, object]:
        """When a connection was sent a symbol's price: Noted.ask, with the channel as `topic`."""
        channels = (CHANNEL_PRICE, CHANNEL_TRADES, CHANNEL_QUOTE)
        found = self.flush.noted.ask(number, [topic_of(symbol, channel) for channel in channels])
        if found["topic"] is not None:
            found["topic"] = found["topic"] & CHANNEL_MASK
        return found

    @property
    def movers(self) -> object:
        """The frames of the lists of movers (MoverFrames)."""
        return self.frames.movers

    def reserve(self, count: int) -> None:
        """Room for topics of this many lists."""
        self.sales.reserve(count)

    def renew(self, number: int, channel: int) -> None:
        """A list has a new frame: its watchers are told of it."""
        self.topics.touch(topic_of(number, channel), 1)

    def choose_bars(self, number: int, states: int) -> None:
        """Tell a connection of bars in these states only: a bit for each BarState; 0: of all."""
        self.connections.checked(number).bar_states = states

    def forget(self, number: int) -> None:
        """The connection is gone: remove all its subscriptions."""
        self.subscriptions.forget(number)
        self.agenda.set_phase(number, PHASE_NONE)
        self.agenda.pending[<uint32_t>number] = 0
