"""What clients have seen, held against what they may see. No socket, no clock.

A message's symbol must be one that the client asked for, its timestamp and `seq` may not go back,
its price must belong to its timestamp (publisher.price_at) where that is to be verified, a
snapshot comes before the first update; on `trades` each `seq` follows the one before, or `lagged`
has said how many were skipped; a delta of a book goes on from the `seq` seen last. What `seq` jumps over on the other channels is counted as merged.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from ticker.bench.swarm.histogram cimport Histogram
from ticker.bench.swarm.message cimport (
    MESSAGE_ERROR,
    MESSAGE_LAGGED,
    MESSAGE_MALFORMED,
    MESSAGE_SNAPSHOT,
    MESSAGE_UPDATE,
    Message,
)
from ticker.bench.swarm.synthetic cimport price_of
from ticker.bench.swarm.watchlist cimport Watchlists

from ticker.shm.layout import names_of

COUNTS = names_of(Count, "", end="COUNT_END")
VIOLATIONS = COUNTS[<int>MALFORMED:]


cdef class Checks:
    """For the clients of `lists`. With `raw` only the form of messages is looked at; with `verify`
    a price must be that of its time; with `each_trade` no trade may be missing without a word;
    with `snapshots` the server sends one for each subscription, before its first update.
    """

    def __cinit__(
        self, Watchlists lists not None, *, raw: bool = False, verify: bool = False,
        each_trade: bool = False, snapshots: bool = True,
    ) -> None:
        self.lists = lists
        self.raw = raw
        self.verify = verify
        self.each_trade = each_trade
        self.snapshots = snapshots
        self.refused = -1
        self.latency = Histogram()
        self.first_answer = Histogram()
        self.subscribers = <Subscriber*>calloc(lists.clients + 1, sizeof(Subscriber))
        self.slots = <Slot*>calloc(<size_t>lists.clients * lists.per_client + 1, sizeof(Slot))
        if self.subscribers == NULL or self.slots == NULL:
            raise MemoryError(f"what {lists.clients} clients see")

    def __dealloc__(self) -> None:
        free(self.subscribers)
        free(self.slots)

    cdef void asked(self, int number, int64_t now) noexcept nogil:
        """A client subscribes to its whole list at `now` (ns)."""
        self._forget(number, 0)
        self.subscribers[number].due = self.lists.per_client
        self.subscribers[number].asked = now
        self.waiting += self.lists.per_client

    cdef void taken_back(self, int number) noexcept nogil:
        """A client unsubscribes; what is under way for it still comes."""
        self._forget(number, -1)

    cdef void _forget(self, int number, int64_t time) noexcept nogil:
        cdef uint32_t j
        for j in range(self.lists.per_client):
            self.slots[<size_t>number * self.lists.per_client + j].time = time

    cdef void lost(self, int number) noexcept nogil:
        """The server has closed a client's connection."""
        self.counts[<int>DISCONNECTED] += 1
        self.waiting -= self.subscribers[number].due
        self.subscribers[number].due = 0

    cdef void confirmed(self, int number, uint32_t symbols, int64_t now) noexcept nogil:
        """A server without snapshots confirmed so many of a client's subscriptions, or all."""
        cdef Subscriber* subscriber = &self.subscribers[number]
        symbols = min(symbols, subscriber.due)
        subscriber.due -= symbols
        self.waiting -= symbols
        if symbols:
            self.first_answer.add(now - subscriber.asked)

    cdef void take(self, int number, Message* message, int64_t now) noexcept nogil:
        """A message that client `number` received at `now` (ns)."""
        if message.kind == MESSAGE_UPDATE:
            self.counts[<int>UPDATES] += 1
            if now < message.time:
                self.counts[<int>AHEAD] += 1
            self.latency.add(now - message.time)
            self.last_update = now
        elif message.kind == MESSAGE_SNAPSHOT:
            self.counts[<int>SNAPSHOTS] += 1
        elif message.kind == MESSAGE_MALFORMED:
            self.counts[<int>MALFORMED] += 1
            return
        elif message.kind == MESSAGE_LAGGED:
            self._lagged(number, message)
            return
        elif message.kind == MESSAGE_ERROR:
            self.counts[<int>ERRORS] += 1
            self.refused = message.code
            return
        else:
            self.counts[<int>OTHERS] += 1
            return
        if not self.raw:
            self._price(number, message, now)

    cdef void _lagged(self, int number, Message* message) noexcept nogil:
        cdef int64_t place
        self.counts[<int>LAGGED] += 1
        self.counts[<int>SKIPPED] += <uint64_t>message.skipped
        if message.symbol_length:
            place = self.lists.place(number, message.symbol, message.symbol_length)
            if place < 0:
                self.counts[<int>UNASKED] += 1
            else:
                self.slots[<size_t>number * self.lists.per_client + <size_t>place].skipped += (
                    message.skipped
                )

    cdef void _price(self, int number, Message* message, int64_t now) noexcept nogil:
        """Check one price against what the client asked for and has seen."""
        cdef Slot* slot
        cdef int64_t place = self.lists.place(number, message.symbol, message.symbol_length)
        if place < 0:
            self.counts[<int>UNASKED] += 1
            return
        slot = &self.slots[<size_t>number * self.lists.per_client + <size_t>place]
        if slot.time < 0:
            return  # sent before the server read the unsubscribe
        if message.time < slot.time or (message.seq >= 0 and message.seq < slot.seq):
            self.counts[<int>BACKWARDS] += 1
        if self.verify and not message.is_book and message.price != price_of(message.time):
            self.counts[<int>MISMATCHED] += 1
        if message.is_book and message.kind == MESSAGE_UPDATE and message.previous_seq != slot.seq:
            self.counts[<int>GAPS] += 1
        if slot.time == 0 and self.snapshots:
            if message.kind == MESSAGE_UPDATE:
                self.counts[<int>BEFORE_SNAPSHOT] += 1
            self.confirmed(number, 1, now)
        elif slot.seq >= 0 and message.kind == MESSAGE_UPDATE and message.seq > slot.seq:
            self.counts[<int>MERGED] += <uint64_t>(message.seq - slot.seq - 1)
            if self.each_trade and message.seq != slot.seq + slot.skipped + 1:
                self.counts[<int>GAPS] += 1
        slot.time = message.time
        slot.price = message.price
        slot.seq = message.seq
        slot.skipped = 0

    # ---- results ----------------------------------------------------------------------------

    def as_dict(self) -> dict[str, int]:
        """The counts by name (COUNTS)."""
        cdef int i
        return {name: self.counts[i] for i, name in enumerate(COUNTS)}

    def reset(self) -> None:
        """Forget counts and latencies; what clients have seen stays."""
        memset(self.counts, 0, sizeof(self.counts))
        self.last_update = 0
        self.latency.clear()
        self.first_answer.clear()

    def behind(self, times: list[int], clients: int, prices: list[int] | None = None) -> int:
        """How many prices of the first `clients` clients are not the newest; `times` has the
        newest exchange time (ns) of each symbol.

        With `prices` (1e-9) each must be that one; its time may then be newer, as that of a
        trade that was taken back stays.
        """
        cdef int number
        cdef uint32_t j, symbol
        cdef int64_t newest
        cdef Slot* slot
        cdef uint64_t missed = 0
        for number in range(<int>clients):
            for j in range(self.lists.per_client):
                symbol = self.lists.symbol_at(number, j)
                newest = times[symbol] // 1000 * 1000
                slot = &self.slots[<size_t>number * self.lists.per_client + j]
                if prices is None:
                    missed += slot.time != newest
                else:
                    missed += slot.time < newest or slot.price != <int64_t>prices[symbol]
        return missed
