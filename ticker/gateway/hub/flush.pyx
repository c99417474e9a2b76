"""One flush: what a client is due, as the bytes of one send.

Law: latest wins. Nothing is queued per client but the bytes of one flush that a full socket
left over; what a client is due is derived from versions: of the topic, and as it was last seen.
A flush has a bound in bytes; what does not fit is due at the next one, which begins with it.
"""

from cpython.mem cimport PyMem_RawFree, PyMem_RawRealloc
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

cdef extern from *:
    void prefetch "__builtin_prefetch"(const void* address) nogil

from ticker.gateway.bars.book cimport Watched, is_told, newest_of
from ticker.gateway.books.encode cimport LongFrame
from ticker.gateway.books.views cimport Views
from ticker.gateway.hub.agenda cimport PHASE_BLOCKED, PHASE_NONE, PHASE_WAITING, Agenda
from ticker.gateway.hub.encode cimport Frame, lagged_frame
from ticker.gateway.hub.fields cimport (
    CHANNEL_DEPTH,
    CHANNEL_MOVERS,
    CHANNEL_TRADES,
    FIRST_BARS,
    MESSAGE_SNAPSHOT,
    MESSAGE_UPDATE,
)
from ticker.gateway.hub.parcel cimport Parcel
from ticker.gateway.hub.sales cimport Sale, Sales
from ticker.gateway.hub.shared_frames cimport SharedFrames, place_of
from ticker.gateway.hub.topics cimport CHANNEL_BITS, CHANNEL_MASK, Topics
from ticker.gateway.hub.trade_log cimport Trade
from ticker.gateway.sockets.connection cimport (
    CONNECTION_OPEN,
    ENCODINGS,
    Connection,
    ConnectionTable,
    Subscription,
)
from ticker.gateway.sockets.deflated cimport Deflater
from ticker.gateway.sockets.noted cimport Noted
from ticker.gateway.sockets.sender cimport Sender
from ticker.shm.counters cimport (
    GATEWAY_CLIENT_FLUSHES,
    GATEWAY_CONFLATED,
    GATEWAY_LAGGED,
    GATEWAY_UPDATES_SENT,
    count,
)
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport CACHE_LINE


cdef class Flush:
    """`segment`: the gateway's own, for its counters. `max_symbols`: subscriptions of a
    connection at most."""

    def __cinit__(
        self, Topics topics not None, Sales sales not None, Views views not None,
        SharedFrames frames not None, ConnectionTable connections not None, Sender sender not None,
        Agenda agenda not None, Mapping segment not None, max_symbols: int,
    ) -> None:
        self.topics = topics
        self.sales = sales
        self.views = views
        self.frames = frames
        self.connections = connections
        self.sender = sender
        self.agenda = agenda
        self.counters = segment.counters
        self.parcel = Parcel(connections.max_outbound)
        self.deflater = Deflater(segment)
        self.noted = Noted(connections)
        self.reserve(max_symbols)

    def __dealloc__(self) -> None:
        PyMem_RawFree(self.due_slots)

    cdef int reserve(self, uint32_t subscriptions) except -1:
        """A connection may have this many subscriptions; _due writes one place past the last."""
        cdef uint32_t* grown
        if subscriptions < self.due_capacity:
            return 0
        grown = <uint32_t*>PyMem_RawRealloc(
            self.due_slots, (<size_t>subscriptions + 1) * sizeof(uint32_t)
        )
        if grown == NULL:
            raise MemoryError
        self.due_slots = grown
        self.due_capacity = subscriptions + 1
        return 0

    cdef int flush(self, uint32_t number, int64_t now) noexcept nogil:
        """Gather all that a connection is due for one send; how many updates that are. Its phase
        changes with the send, for which finish() is called at the latest."""
        cdef Connection* connection = self.connections.table + number
        cdef int due
        if connection.state != CONNECTION_OPEN:
            self.agenda.set_phase(number, PHASE_NONE)
            return 0
        if connection.wants_write:
            self.agenda.set_phase(number, PHASE_BLOCKED)
            return 0
        self.agenda.pending[number] = 0
        due = self._due(connection)
        if not due:
            return 0
        self.parcel.begin(connection.encoding, connection.batch)
        self._fill(connection, number, due, False, now)
        if self.parcel.length():
            self._deflate(connection)
            if self.noted.count:
                self._note(number)
            self._gather(number)
        count(self.counters, GATEWAY_CLIENT_FLUSHES, 1)
        count(self.counters, GATEWAY_UPDATES_SENT, self.parcel.items)
        return <int>self.parcel.items

    cdef int _due(self, Connection* connection) noexcept nogil:
        """The subscriptions whose topic has moved into `due_slots`; how many."""
        cdef Subscription* subscription = connection.subscriptions
        cdef uint32_t total = connection.subscription_count
        cdef uint32_t slot = connection.resume if connection.resume < total else 0
        cdef uint32_t i, topic
        cdef int due = 0
        cdef char* frame
        for i in range(total):
            topic = subscription[slot].topic
            self.due_slots[due] = slot
            if self.topics.versions[topic] != subscription[slot].seen:
                due += 1
                frame = <char*>place_of(self.frames, topic, connection.encoding)
                prefetch(frame)
                prefetch(frame + CACHE_LINE)
            slot += 1
            if slot == total:
                slot = 0
        return due

    cdef void _deflate(self, const Connection* connection) noexcept nogil:
        """Make the parcel shorter, for a connection that has agreed to it."""
        if connection.window_bits:
            self.parcel.at = self.parcel.start + self.deflater.shrink(
                self.parcel.out + self.parcel.start, self.parcel.length(), connection.window_bits
            )

    cdef void _note(self, uint32_t number) noexcept nogil:
        """Somebody asks about connections, and maybe about this one."""
        cdef uint32_t place
        for place in range(self.noted.count):
            self.noted.flushed(
                place, number, self.sales.sales[self.noted.topic(place) >> CHANNEL_BITS].seq
            )

    cdef void _gather(self, uint32_t number) noexcept nogil:
        if not self.sender.put(
            number, self.parcel.out + self.parcel.start, self.parcel.length()
        ):
            self._sent(number)
        elif not self.parcel.leave() or self.sender.full():
            self.finish()

    cdef void finish(self) noexcept nogil:
        """Send what was gathered: after this, nothing is on its way."""
        cdef uint32_t i
        self.sender.send_all()
        for i in range(self.sender.count):
            self._sent(self.sender.gathered[i].number)
        self.sender.forget()
        self.parcel.rewind()

    cdef void _sent(self, uint32_t number) noexcept nogil:
        """A client has been sent what it was due: when it is told again."""
        cdef Connection* connection = self.connections.table + number
        if self.noted.count:
            self.noted.sent(number)
        if connection.state != CONNECTION_OPEN:
            self.agenda.set_phase(number, PHASE_NONE)
        elif connection.wants_write:
            self.agenda.set_phase(number, PHASE_BLOCKED)
        elif self.agenda.phases[number] == PHASE_WAITING:
            self.agenda.wait_from_last(number)
        else:
            self.agenda.wait(number)

    cdef int _fill(
        self, Connection* connection, uint32_t number, int due, bint fresh, int64_t now
    ) noexcept nogil:
        """Put the frames of the first `due` of `due_slots` into the parcel, which was begun; how
        many had room. `fresh`: the subscriptions are new."""
        cdef int put = self._put_prices(connection, due, fresh, now)
        self.parcel.finish()
        if put < due:
            self.agenda.pending[number] = 1
        return put

    cdef int send(self, uint32_t number, int due, int64_t now) noexcept nogil:
        """Send the first `due` of `due_slots`, whose subscriptions are new, at once, in the parcel,
        which was begun; how many went."""
        cdef Connection* connection = self.connections.table + number
        cdef int sent = self._fill(connection, number, due, True, now)
        if not self.parcel.length():
            return sent
        self._deflate(connection)
        if self.noted.count:
            self._note(number)
        if self.connections.deliver(
            number, self.parcel.out + self.parcel.start, self.parcel.length()
        ) == 0:
            self.agenda.set_phase(number, PHASE_BLOCKED)
        elif connection.state != CONNECTION_OPEN:
            self.agenda.set_phase(number, PHASE_NONE)
        if self.noted.count:
            self.noted.sent(number)
        return sent

    cdef int _put_prices(
        self, Connection* connection, int due, bint fresh, int64_t now
    ) noexcept nogil:
        cdef Subscription* subscription
        cdef uint32_t version
        cdef uint64_t conflated = 0
        cdef int i = 0
        connection.resume = 0
        while i < due:
            subscription = connection.subscriptions + self.due_slots[i]
            version = self.topics.versions[subscription.topic]
            if subscription.topic & CHANNEL_MASK == CHANNEL_TRADES:
                if not self._put_trades(subscription, fresh, now):
                    break
            elif subscription.topic & CHANNEL_MASK >= FIRST_BARS:
                if not self._put_bars(subscription, fresh, connection.bar_states):
                    break
            elif self.parcel.full():
                break
            elif subscription.topic & CHANNEL_MASK == CHANNEL_DEPTH:
                if not self._put_depth(subscription):
                    break
                conflated += version - subscription.seen - 1 if subscription.seen else 0
                subscription.seen = version
            elif subscription.topic & CHANNEL_MASK == CHANNEL_MOVERS:
                if not self._put_movers(subscription):
                    break
                conflated += version - subscription.seen - 1 if subscription.seen else 0
                subscription.seen = version
            else:
                if self.parcel.encoding >= ENCODINGS:
                    self._put_vendor(subscription, now)
                elif subscription.seen:
                    self.parcel.put(self.frames.update(subscription.topic, self.parcel.encoding, now))
                    conflated += version - subscription.seen - 1
                else:
                    self.parcel.put(self.frames.snapshot(subscription.topic, self.parcel.encoding))
                subscription.seen = version
            i += 1
        if i < due:
            connection.resume = self.due_slots[i]
        count(self.counters, GATEWAY_CONFLATED, conflated)
        return i

    cdef void _put_vendor(self, Subscription* due, int64_t now) noexcept nogil:
        """The quote of a vendor's dialect, if it is another one than the client had."""
        if self.frames.quote_news(due.topic >> CHANNEL_BITS, due.seen):
            self.parcel.put(self.frames.update(due.topic, self.parcel.encoding, now))

    cdef bint _put_depth(self, const Subscription* due) noexcept nogil:
        """What changed in a book since the one seen last, or all of it, or nothing where there is
        no book yet; False: there is no room."""
        cdef uint32_t view = due.topic >> CHANNEL_BITS
        cdef const LongFrame* frame
        if not self.views.has_book(view):
            return True
        frame = self.views.frame(view, due.seen, self.parcel.encoding)
        return frame != NULL and self.parcel.put_long(frame)

    cdef bint _put_movers(self, const Subscription* due) noexcept nogil:
        """The newest frame of a list of movers; False: there is no room."""
        cdef const LongFrame* frame = self.frames.movers.frame(
            due.topic >> CHANNEL_BITS, self.parcel.encoding
        )
        return frame == NULL or self.parcel.put_long(frame)

    cdef int _put_trades(self, Subscription* due, bint fresh, int64_t now) noexcept nogil:
        """All trades, corrections and cancels since the one seen last, each by itself; those that
        the log has lost, as `lagged`. 0 when there is no room for all: then `seen` is the last that had room."""
        cdef uint32_t symbol = due.topic >> CHANNEL_BITS
        cdef uint32_t version = self.topics.versions[due.topic]
        cdef Sale* sale = self.sales.sales + symbol
        cdef uint32_t found = 0 if fresh else self.sales.log.find(symbol, due.seen)
        cdef Trade* trade
        cdef Frame frame
        if not due.seen and found != version:  # the first there is, or it is too late for it
            if self.parcel.full():
                return 0
            self.parcel.put(self.frames.snapshot(due.topic, self.parcel.encoding))
            due.seen = version
            return 1
        while found:
            if self.parcel.full():
                return 0
            found -= 1
            trade = self.sales.log.trades + self.sales.log.found[found]
            if not due.seen and trade.message == MESSAGE_UPDATE:
                self.frames.trade_frame(&frame, trade, self.parcel.encoding, MESSAGE_SNAPSHOT)
                self.parcel.put(&frame)
            else:
                self._put_lagged(sale, trade.version - due.seen - 1)
                self.parcel.put(self.frames.trade(trade, self.parcel.encoding, now))
            due.seen = trade.version
        if self.parcel.full():
            return 0
        self._put_lagged(sale, version - due.seen)
        due.seen = version
        return 1

    cdef int _put_bars(self, Subscription* due, bint fresh, uint8_t states) noexcept nogil:
        """The bars that have changed since the client was told last, each as it is now; where the
        subscription is new, the newest one. 0 when there is no room for all: then `seen` is the last that had room."""
        cdef uint32_t symbol = due.topic >> CHANNEL_BITS
        cdef uint32_t version = self.topics.versions[due.topic]
        cdef Sale* sale = self.sales.sales + symbol
        cdef const Watched* watched = self.frames.bars.of(
            symbol, (due.topic & CHANNEL_MASK) - FIRST_BARS
        )
        cdef uint32_t seen = due.seen
        cdef uint32_t i = 0
        cdef bint vendor = self.parcel.encoding >= ENCODINGS
        if watched == NULL or self.parcel.full():
            return watched == NULL
        if fresh:
            i = newest_of(watched)
        elif seen and <int32_t>(watched.lost - seen) > 0:
            self._put_lagged(sale, watched.lost - seen)
            due.seen = seen = watched.lost
        while i < watched.count:
            if not seen or <int32_t>(watched.slots[i].version - seen) > 0:
                if self.parcel.full():
                    return 0
                if is_told(watched, &watched.slots[i], seen, states, vendor):
                    self.parcel.put(<const Frame*>self.frames.bars.frame(
                        due.topic, &watched.slots[i], self.parcel.encoding, sale.name,
                        sale.name_length,
                    ))
                if fresh:
                    break
                due.seen = watched.slots[i].version
            i += 1
        due.seen = version
        return 1

    cdef void _put_lagged(self, Sale* sale, uint32_t skipped) noexcept nogil:
        cdef Frame frame
        if not skipped:
            return
        count(self.counters, GATEWAY_LAGGED, skipped)
        if self.parcel.encoding >= ENCODINGS:
            return  # no vendor has a word for it
        lagged_frame(&frame, self.parcel.encoding, sale.name, sale.name_length, skipped)
        self.parcel.put(&frame)
