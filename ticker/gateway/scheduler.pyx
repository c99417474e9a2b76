"""When the hub has its next turn, and when the gateway may sleep until the doorbell.

In: the doorbell, the timer, word of new clients. Out: turns of the hub, and the next timer.
A turn flushes as many clients as fit into some 2 ms; what is left comes after the loop has
looked at its sockets. The bell is armed only while a client is idle, and not again at once when
it has just rung: under load nobody rings.
"""

from libc.stdint cimport int64_t

from ticker.clock cimport wall_ns
from ticker.gateway.connection cimport ConnectionTable
from ticker.gateway.hub cimport Hub
from ticker.gateway.topics cimport Topics
from ticker.shm.counters cimport GATEWAY_HISTOGRAM_FLUSH, record_duration
from ticker.shm.doorbell cimport Doorbell
from ticker.shm.header cimport Mapping

cdef enum:
    FIRST_BUDGET = 250           # clients in a turn, until it is known how many fit
    LEAST_BUDGET = 50
    MOST_BUDGET = 20000

cdef int64_t TURN_NS = 2000000
cdef int64_t BELL_QUIET_NS = 2000000
cdef int64_t BELL_PAUSE_NS = 1000000


cdef class Scheduler:
    """Belongs to one event loop `loop`; `reap` frees the connections that a turn has doomed."""

    cdef object loop
    cdef object reap
    cdef object timer
    cdef Hub hub
    cdef Topics topics
    cdef ConnectionTable connections
    cdef Doorbell doorbell
    cdef Mapping segment
    cdef int64_t timer_at
    cdef int64_t last_bell
    cdef int budget

    def __init__(
        self, loop: object, Hub hub not None, Topics topics not None,
        ConnectionTable connections not None, Doorbell doorbell not None,
        Mapping segment not None, reap: object,
    ) -> None:
        self.loop = loop
        self.reap = reap
        self.hub = hub
        self.topics = topics
        self.connections = connections
        self.doorbell = doorbell
        self.segment = segment
        self.budget = FIRST_BUDGET

    def on_bell(self) -> None:
        """A publisher rang: there is a tick for somebody idle."""
        self.doorbell.disarm()
        self.last_bell = wall_ns()
        self.turn()

    cpdef turn(self):
        """Let the hub work for a while, then arrange for its next turn."""
        cdef int64_t start = wall_ns()
        cdef int64_t wait, now
        self.cancel()
        wait = self.hub.take_turn(start, self.budget)
        if self.connections.doomed_count:
            self.reap()
        now = wall_ns()
        record_duration(self.segment.histograms, GATEWAY_HISTOGRAM_FLUSH, now - start)
        if wait == 0:
            self._aim(now - start)
            self._at(0, now)
            return
        if wait > 0:
            self._at(wait, now)
        if self.hub.idle_count:
            self._arm(now)

    cdef int _aim(self, int64_t took) except -1:
        """The budget was used up: a step towards what fits into TURN_NS."""
        cdef int64_t goal = self.budget * TURN_NS // max(took, 1)
        self.budget = <int>min(max((self.budget + goal) // 2, LEAST_BUDGET), MOST_BUDGET)
        return 0

    def wake(self) -> None:
        """Clients came or went: make sure that a turn will come when one is wanted."""
        if self.timer is None:
            self.turn()

    cpdef cancel(self):
        """Forget the next turn."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    cdef int _arm(self, int64_t now) except -1:
        if now - self.last_bell < BELL_QUIET_NS:
            self._at(BELL_PAUSE_NS, now)
            return 0
        self.doorbell.arm()
        if self.topics.records_wait():
            self.doorbell.disarm()
            self.last_bell = now
            self._at(0, now)
        return 0

    cdef int _at(self, int64_t wait, int64_t now) except -1:
        if self.timer is not None and self.timer_at <= now + wait:
            return 0
        self.cancel()
        self.timer_at = now + wait
        if wait:
            # uvloop's timers count in milliseconds: round up, or a turn comes before its time
            self.timer = self.loop.call_later(0.001 * (wait // 1000000 + 1), self.turn)
        else:
            self.timer = self.loop.call_soon(self.turn)
        return 0
