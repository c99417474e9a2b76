"""When the hub has its next turn, and when the gateway may sleep until the doorbell.

In: the doorbell, the timer, word of new clients. Out: turns of the hub, and the next timer.
A turn flushes as many clients as fit into some 2 ms; what is left comes after the loop has
looked at its sockets. The bell is armed only while a client is idle, and not again within the law's
gap: under load no feed rings, and a tick for an idle client waits for the next turn, which
is near. The timer is a timerfd, as the loop's own count in milliseconds.

The law (pacing/law.py) is told what the worker uses and what it leaves undone, and sets the interval of
the clients and the gap, unless the pace is fixed.
"""

from libc.errno cimport errno
from libc.stdint cimport int64_t, uint64_t
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, clockid_t, itimerspec, timespec
from posix.unistd cimport close, read

cdef extern from "<time.h>" nogil:
    clockid_t CLOCK_THREAD_CPUTIME_ID

cdef extern from "<sys/timerfd.h>" nogil:
    enum: TFD_NONBLOCK, TFD_CLOEXEC
    int timerfd_create(int clock, int flags)
    int timerfd_settime(int fd, int flags, const itimerspec* value, itimerspec* before)

from ticker.clock cimport steady_ns, wall_ns
from ticker.gateway.sockets.connection cimport ConnectionTable
from ticker.gateway.hub.hub cimport Hub
from ticker.gateway.hub.intake cimport Intake
from ticker.shm.atomics cimport load_relaxed
from ticker.shm.counters cimport GATEWAY_CLIENT_FLUSHES, GATEWAY_HISTOGRAM_FLUSH, record_duration
from ticker.shm.doorbell cimport Doorbell
from ticker.shm.header cimport Mapping

from ticker.gateway.pacing.law import Law, Sample
from ticker.shm.counters import Counters

cdef enum:
    FIRST_BUDGET = 250           # clients in a turn, until it is known how many fit
    LEAST_BUDGET = 50
    MOST_BUDGET = 20000

cdef int64_t TURN_NS = 2000000
cdef int64_t SAMPLE_NS = 20000000
cdef int64_t NS = 1000000000


cdef class Scheduler:
    """Belongs to one event loop `loop`, which calls on_timer when `timer_fd` is readable, and
    on_bell when the doorbell is; `reap` frees the connections that a turn has doomed. `paced`: the
    law's interval holds; else only its load is told."""

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
    cdef int64_t last_bell       # at an adaptive pace, the last turn that sent something, too
    cdef int budget
    cdef object law
    cdef bint paced
    cdef object gauges
    cdef int64_t gap             # between two bells
    cdef int64_t interval        # that the agenda has
    cdef bint gathers            # the same
    cdef int64_t sampled_at
    cdef int64_t cpu             # of this thread, then
    cdef uint64_t flushes        # of clients, until then
    cdef int64_t backlog         # ns since then in which clients waited for another turn
    cdef int64_t behind_since    # 0: nobody waits for another turn

    def __cinit__(self, *args: object, **options: object) -> None:
        self.timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)
        if self.timer_fd < 0:
            raise OSError(errno, "timerfd_create")

    def __dealloc__(self) -> None:
        if self.timer_fd >= 0:
            close(self.timer_fd)

    def __init__(
        self, loop: object, Hub hub not None, Intake intake not None,
        ConnectionTable connections not None, Doorbell doorbell not None,
        Mapping segment not None, reap: object, law: Law, paced: bool = False,
    ) -> None:
        self.loop = loop
        self.reap = reap
        self.hub = hub
        self.intake = intake
        self.connections = connections
        self.doorbell = doorbell
        self.segment = segment
        self.budget = FIRST_BUDGET
        self.law = law
        self.paced = paced
        self.gauges = Counters(segment)
        self.sampled_at = steady_ns()
        self.cpu = thread_ns()
        self._apply(self.sampled_at)

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
        self._note_backlog(wait == 0, now)
        if self.paced and self.hub.served:
            self.last_bell = start
        if now - self.sampled_at >= SAMPLE_NS and self._sample(now) and wait:
            wait = self.hub.agenda.next_turn(now)
        if wait == 0:
            self._aim(now - start)
            self._at(0, now)
            return
        if wait > 0:
            self._at(wait, now)
        if self.hub.agenda.idle_count:
            self._arm(now)

    cdef int _note_backlog(self, bint behind, int64_t now) except -1:
        """Clients wait for another turn, or none does."""
        if behind:
            if not self.behind_since:
                self.behind_since = now
        elif self.behind_since:
            self.backlog += now - self.behind_since
            self.behind_since = 0
        return 0

    cdef bint _sample(self, int64_t now) except -1:
        """Tell the law what has happened since it was told last; whether the interval is another
        one now."""
        cdef int64_t cpu = thread_ns()
        cdef uint64_t flushes = load_relaxed(self.segment.counters + GATEWAY_CLIENT_FLUSHES)
        if self.behind_since:
            self.backlog += now - self.behind_since
            self.behind_since = now
        self.law.observe(
            Sample(now - self.sampled_at, cpu - self.cpu, self.backlog, flushes - self.flushes)
        )
        self.sampled_at, self.cpu, self.flushes, self.backlog = now, cpu, flushes, 0
        return self._apply(now)

    cdef bint _apply(self, int64_t now) except -1:
        """Do as the law says, and tell of it; whether the interval is another one now."""
        cdef int64_t interval = self.law.interval
        cdef bint gathers = self.law.gathers
        cdef bint other
        self.gap = self.law.gap
        self.gauges.put("flush_interval_ns", interval)
        self.gauges.put("burst_gap_ns", self.gap)
        self.gauges.put("load_permille", round(1000 * self.law.load))
        other = self.paced and (
            gathers != self.gathers or abs(interval - self.interval) * 50 >= interval
        )
        if other:
            self.interval = interval
            self.gathers = gathers
            self.hub.agenda.set_interval(interval, gathers, now)
        return other

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
        cdef int64_t gap = self.last_bell + self.gap - now
        if 0 < gap <= self.gap:
            self._at(gap, now)
            return 0
        self.doorbell.arm()
        if self.intake.records_wait():
            self.doorbell.disarm()
            self.last_bell = now
            self._at(self.gap, now)
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
        when.it_value.tv_sec = wait // NS
        when.it_value.tv_nsec = wait % NS
        if timerfd_settime(self.timer_fd, 0, &when, NULL) < 0:
            raise OSError(errno, "timerfd_settime")
        return 0


cdef int64_t thread_ns() except -1:
    """CPU time of this thread."""
    cdef timespec used
    if clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used) < 0:
        raise OSError(errno, "clock_gettime")
    return <int64_t>used.tv_sec * NS + used.tv_nsec
