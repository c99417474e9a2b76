"""One flush: what a client is due, as the bytes of one send.

Law: latest wins. Nothing is queued per client but the bytes of one flush that a full socket
left over; what a client is due is derived from versions: of the topic, and as it was last seen.
A flush has a bound in bytes; what does not fit is due at the next one, which begins with it.
"""

from cpython.mem cimport PyMem_RawFree, PyMem_RawMalloc, PyMem_RawRealloc
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef extern from *:
    void prefetch "__builtin_prefetch"(const void* address) nogil

from ticker.gateway.hub.agenda cimport PHASE_BLOCKED, PHASE_NONE, Agenda
from ticker.gateway.sockets.connection cimport (
    CONNECTION_OPEN,
    Connection,
    ConnectionTable,
    Subscription,
)
from ticker.gateway.hub.encode cimport (
    CHANNEL_TRADES,
    JSON,
    MSGPACK,
    PROTOBUF,
    Frame,
    lagged_frame,
)
from ticker.gateway.hub.encode_protobuf cimport put_varint
from ticker.gateway.sockets.frames cimport OPCODE_BINARY, OPCODE_TEXT, SERVER_HEAD, write_head
from ticker.gateway.hub.shared_frames cimport SharedFrames, place_of
from ticker.gateway.hub.topics cimport CHANNEL_BITS, Sale, Topics
from ticker.gateway.hub.trade_log cimport Trade
from ticker.shm.counters cimport (
    GATEWAY_CLIENT_FLUSHES,
    GATEWAY_CONFLATED,
    GATEWAY_LAGGED,
    GATEWAY_UPDATES_SENT,
    count,
)
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport CACHE_LINE

cdef enum:
    CHANNEL_MASK = (1 << CHANNEL_BITS) - 1
    BATCH_ROOM = SERVER_HEAD + 6 # in front of a batch: the frame's head and the array's


cdef class Flush(Agenda):
    """`max_symbols`: subscriptions of a connection at most."""

    def __cinit__(
        self, Topics topics not None, SharedFrames frames not None,
        ConnectionTable connections not None, Mapping segment not None, interval_ns: int,
        now_ns: int, max_symbols: int,
    ) -> None:
        self.out_capacity = max(connections.max_outbound, 2 * SPARE)
        self.out = <uint8_t*>PyMem_RawMalloc(self.out_capacity)
        if self.out == NULL:
            raise MemoryError
        self.reserve(max_symbols)

    def __dealloc__(self) -> None:
        PyMem_RawFree(self.out)
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

    cdef int _flush(self, uint32_t number) noexcept nogil:
        """Send all that a connection is due in one send; how many updates that were."""
        cdef Connection* connection = self.connections.table + number
        cdef int due
        if connection.state != CONNECTION_OPEN:
            self._set_phase(number, PHASE_NONE)
            return 0
        if connection.wants_write:
            self._set_phase(number, PHASE_BLOCKED)
            return 0
        self.pending[number] = 0
        due = self._due(connection)
        if not due:
            return 0
        self.at = 0
        self._send(number, due, False)
        count(self.counters, GATEWAY_CLIENT_FLUSHES, 1)
        count(self.counters, GATEWAY_UPDATES_SENT, self.items)
        return <int>self.items

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

    cdef int _send(self, uint32_t number, int due, bint fresh) noexcept nogil:
        """Append the frames of the first `due` of `due_slots` to `out`, and send it; how many
        went. `fresh`: the subscriptions are new."""
        cdef Connection* connection = self.connections.table + number
        cdef int sent
        self.batch = connection.batch
        self.encoding = connection.encoding
        self.items = 0
        if self.batch:
            self.at = BATCH_ROOM
        sent = self._put_prices(connection, due, fresh)
        if self.batch:
            self.begin = self._end_batch()
        else:
            self.begin = 0
        if sent < due:
            self.pending[number] = 1
        if self.at == self.begin:
            return sent
        if self.connections.deliver(number, self.out + self.begin, self.at - self.begin) == 0:
            self._set_phase(number, PHASE_BLOCKED)
        elif connection.state != CONNECTION_OPEN:
            self._set_phase(number, PHASE_NONE)
        return sent

    cdef int _put_prices(self, Connection* connection, int due, bint fresh) noexcept nogil:
        cdef Subscription* subscription
        cdef uint32_t version
        cdef uint64_t conflated = 0
        cdef int i = 0
        connection.resume = 0
        while i < due:
            subscription = connection.subscriptions + self.due_slots[i]
            version = self.topics.versions[subscription.topic]
            if subscription.topic & CHANNEL_MASK == CHANNEL_TRADES:
                if not self._put_trades(subscription, fresh):
                    break
            elif self._full():
                break
            else:
                if subscription.seen:
                    self._put(self.frames.update(subscription.topic, self.encoding, self.now))
                    conflated += version - subscription.seen - 1
                else:
                    self._put(self.frames.snapshot(subscription.topic, self.encoding))
                subscription.seen = version
            i += 1
        if i < due:
            connection.resume = self.due_slots[i]
        count(self.counters, GATEWAY_CONFLATED, conflated)
        return i

    cdef int _put_trades(self, Subscription* due, bint fresh) noexcept nogil:
        """All trades since the one seen last, each by itself; those that the log has lost, as
        `lagged`. 0 when there is no room for all: then `seen` is the last that had room."""
        cdef uint32_t symbol = due.topic >> CHANNEL_BITS
        cdef uint32_t version = self.topics.versions[due.topic]
        cdef Sale* sale = self.topics.sales + symbol
        cdef uint32_t found = 0 if fresh else self.topics.log.find(symbol, due.seen)
        cdef Trade* trade
        cdef Frame frame
        if not due.seen and found != version:  # the first there is, or it is too late for it
            if self._full():
                return 0
            self._put(self.frames.snapshot(due.topic, self.encoding))
            due.seen = version
            return 1
        while found:
            if self._full():
                return 0
            found -= 1
            trade = self.topics.log.trades + self.topics.log.found[found]
            if not due.seen:
                self.frames.trade_frame(&frame, trade, self.encoding, True)
                self._put(&frame)
            else:
                self._put_lagged(sale, trade.version - due.seen - 1)
                self._put(self.frames.trade(trade, self.encoding, self.now))
            due.seen = trade.version
        if self._full():
            return 0
        self._put_lagged(sale, version - due.seen)
        due.seen = version
        return 1

    cdef void _put_lagged(self, Sale* sale, uint32_t skipped) noexcept nogil:
        cdef Frame frame
        if not skipped:
            return
        lagged_frame(&frame, self.encoding, sale.name, sale.name_length, skipped)
        self._put(&frame)
        count(self.counters, GATEWAY_LAGGED, skipped)

    cdef bint _full(self) noexcept nogil:
        return self.at + SPARE > self.out_capacity

    cdef void _put(self, const Frame* frame) noexcept nogil:
        """Append a frame, or as an item of the batch only its message."""
        cdef size_t length = frame.length
        if not self.batch:
            memcpy(self.out + self.at, frame.bytes + frame.start, length)
            self.at += length
            self.items += 1
            return
        length -= frame.message - frame.start
        if self.encoding <= JSON:
            self.out[self.at] = c"," if self.items else c"["
            self.at += 1
        elif self.encoding == PROTOBUF:
            self.out[self.at] = 1 << 3 | 2
            self.at = put_varint(<char*>self.out, <int>self.at + 1, length)
        memcpy(self.out + self.at, frame.bytes + frame.message, length)
        self.at += length
        self.items += 1

    cdef size_t _end_batch(self) noexcept nogil:
        """Write what stands in front of the items; where the frame begins."""
        cdef uint8_t[SERVER_HEAD] head
        cdef char[6] array
        cdef int before = 0
        cdef int size
        if not self.items:
            return self.at
        if self.encoding <= JSON:
            self.out[self.at] = c"]"
            self.at += 1
        elif self.encoding == MSGPACK:
            array[0] = <char>0xDC  # array 16
            array[1] = <char>(self.items >> 8)
            array[2] = <char>self.items
            before = 3
        else:
            array[0] = <char>(15 << 3 | 2)
            before = put_varint(array, 1, self.at - BATCH_ROOM)
        size = write_head(
            head, OPCODE_TEXT if self.encoding <= JSON else OPCODE_BINARY,
            self.at - BATCH_ROOM + before,
        )
        memcpy(self.out + BATCH_ROOM - before, array, before)
        memcpy(self.out + BATCH_ROOM - before - size, head, size)
        return BATCH_ROOM - before - size
