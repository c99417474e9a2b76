"""When the hub has its next turn, and when the gateway may sleep until the doorbell.

In: the doorbell, the timer, word of new clients. Out: turns of the hub, and the next timer.
A turn flushes as many clients as fit into some 2 ms; what is left comes after the loop has
looked at its sockets. The bell is armed only while a client is idle, and not again within
BELL_GAP_NS: under load no feed rings, and a tick for an idle client waits for the next turn, which
is near. The timer is a timerfd, as the loop's own count in milliseconds.
"""

from libc.errno cimport errno
from libc.stdint cimport int64_t, uint64_t
from posix.time cimport CLOCK_MONOTONIC, itimerspec
from posix.unistd cimport close, read

cdef extern from "<sys/timerfd.h>" nogil:
    enum: TFD_NONBLOCK, TFD_CLOEXEC
    int timerfd_create(int clock, int flags)
    int timerfd_settime(int fd, int flags, const itimerspec* value, itimerspec* before)

from ticker.clock cimport steady_ns, wall_ns
from ticker.gateway.sockets.connection cimport ConnectionTable
from ticker.gateway.hub.hub cimport Hub
from ticker.gateway.hub.intake cimport Intake
from ticker.shm.counters cimport GATEWAY_HISTOGRAM_FLUSH, record_duration
from ticker.shm.doorbell cimport Doorbell
from ticker.shm.header cimport Mapping

cdef enum:
    FIRST_BUDGET = 250           # clients in a turn, until it is known how many fit
    LEAST_BUDGET = 50
    MOST_BUDGET = 20000

cdef int64_t TURN_NS = 2000000
cdef int64_t BELL_GAP_NS = 200000


cdef class Scheduler:
    """Belongs to one event loop `loop`, which calls on_timer when `timer_fd` is readable, and
    on_bell when the doorbell is; `reap` frees the connections that a turn has doomed."""

    cdef object loop
    cdef object reap
    cdef readonly int timer_fd
    cdef object soon             # a turn that the loop is to take at once
    cdef Hub hub
    cdef Intake intake
    cdef ConnectionTable connections
    cdef Doorbell doorbell
    cdef Mapping segment
    cdef int64_t timer_at        # when timer_fd fires, 0: it won't
    cdef int64_t last_bell
    cdef int budget

    def __cinit__(self, *args: object) -> None:
        self.timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)
        if self.timer_fd < 0:
            raise OSError(errno, "timerfd_create")

    def __dealloc__(self) -> None:
        if self.timer_fd >= 0:
            close(self.timer_fd)

    def __init__(
        self, loop: object, Hub hub not None, Intake intake not None,
        ConnectionTable connections not None, Doorbell doorbell not None,
        Mapping segment not None, reap: object,
    ) -> None:
        self.loop = loop
        self.reap = reap
        self.hub = hub
        self.intake = intake
        self.connections = connections
        self.doorbell = doorbell
        self.segment = segment
        self.budget = FIRST_BUDGET

    def on_bell(self) -> None:
        """A publisher rang: there is a tick for an idle client."""
        self.doorbell.disarm()
        self.last_bell = steady_ns()
        self.turn()

    def on_timer(self) -> None:
        """The timer has fired, unless it was set anew in the meantime."""
        cdef uint64_t times
        if read(self.timer_fd, &times, sizeof(times)) == sizeof(times):
            self.timer_at = 0
            self.turn()

    cpdef turn(self):
        """Let the hub work for a while, then arrange for its next turn."""
        cdef int64_t start = steady_ns()
        cdef int64_t wait, now
        self.cancel()
        wait = self.hub.take_turn(wall_ns(), start, self.budget)
        if self.connections.doomed_count:
            self.reap()
        now = steady_ns()
        record_duration(self.segment.histograms, GATEWAY_HISTOGRAM_FLUSH, now - start)
        if wait == 0:
            self._aim(now - start)
            self._at(0, now)
            return
        if wait > 0:
            self._at(wait, now)
        if self.hub.agenda.idle_count:
            self._arm(now)

    cdef int _aim(self, int64_t took) except -1:
        """The budget was used up: a step towards what fits into TURN_NS."""
        cdef int64_t goal = self.budget * TURN_NS // max(took, 1)
        self.budget = <int>min(max((self.budget + goal) // 2, LEAST_BUDGET), MOST_BUDGET)
        return 0

    def wake(self) -> None:
        """Clients came or went: make sure that a turn will come when one is wanted."""
        if self.soon is None and not self.timer_at:
            self.turn()

    cpdef cancel(self):
        """Forget the next turn."""
        if self.soon is not None:
            self.soon.cancel()
            self.soon = None
        if self.timer_at:
            self._set_timer(0)
            self.timer_at = 0

    cdef int _arm(self, int64_t now) except -1:
        cdef int64_t gap = self.last_bell + BELL_GAP_NS - now
        if 0 < gap <= BELL_GAP_NS:
            self._at(gap, now)
            return 0
        self.doorbell.arm()
        if self.intake.records_wait():
            self.doorbell.disarm()
            self.last_bell = now
            self._at(BELL_GAP_NS, now)
        return 0

    cdef int _at(self, int64_t wait, int64_t now) except -1:
        if self.soon is not None or (self.timer_at and self.timer_at <= now + wait):
            return 0
        self.cancel()
        if wait:
            self.timer_at = now + wait
            self._set_timer(wait)
        else:
            self.soon = self.loop.call_soon(self.turn)
        return 0

    cdef int _set_timer(self, int64_t wait) except -1:
        """In so many ns, 0: never."""
        cdef itimerspec when
        when.it_interval.tv_sec = when.it_interval.tv_nsec = 0
        when.it_value.tv_sec = wait // 1000000000
        when.it_value.tv_nsec = wait % 1000000000
        if timerfd_settime(self.timer_fd, 0, &when, NULL) < 0:
            raise OSError(errno, "timerfd_settime")
        return 0
