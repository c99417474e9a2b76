"""Waking a gateway that sleeps because it has nothing to do.

Law: the sleeper arms its flag, fences, and looks at the rings once more before it sleeps; the
publisher writes the rings, fences, and then looks at the flag. One of the two sees the other
(Dekker; C11 7.17.4 with two sequentially consistent fences), so no tick is slept through.
The flag is a count, odd while armed, so that a publisher knows an arming that it has answered:
each is answered by one write at most per publisher. A publisher that is late rings a sleeper
that is already up; it then wakes once for nothing.
"""

from libc.stdint cimport uint64_t
from posix.fcntl cimport F_GETFL, O_NONBLOCK, fcntl
from posix.unistd cimport read, write

from ticker.shm.atomics cimport fence_full, load_relaxed, store_relaxed
from ticker.shm.header cimport Mapping

from ticker.errors import SegmentError

cdef enum:
    MAX_GATEWAYS = 64


cdef class Doorbell:
    """Owned by one gateway. `fd` is a non-blocking eventfd inherited from the supervisor."""

    def __cinit__(self, Mapping mapping not None, fd: int) -> None:
        if not mapping.writable:
            raise SegmentError("a doorbell needs the gateway's own, writable segment")
        cdef int flags = fcntl(fd, F_GETFL)
        if flags < 0 or not flags & O_NONBLOCK:
            raise SegmentError(f"doorbell: fd {fd} is not an open, non-blocking eventfd")
        self.mapping = mapping
        self.state = mapping.gateway_state()
        self.fd = fd
        # A predecessor that died asleep left the flag armed; the count goes on from there.
        self.disarm()

    cdef void arm(self) noexcept nogil:
        """After this the caller must look at the rings again before it sleeps."""
        store_relaxed(&self.state.doorbell_armed, load_relaxed(&self.state.doorbell_armed) | 1)
        fence_full()

    cdef void disarm(self) noexcept nogil:
        """Awake: take the bell back and silence it. The caller then reads the rings."""
        cdef uint64_t ticket = load_relaxed(&self.state.doorbell_armed)
        cdef uint64_t drained
        if ticket & 1:
            store_relaxed(&self.state.doorbell_armed, ticket + 1)
        read(self.fd, &drained, sizeof(drained))

    def arm_from_python(self) -> None:
        self.arm()

    def disarm_from_python(self) -> None:
        self.disarm()


cdef class DoorbellRinger:
    """Owned by one feed worker. `doors`: (gateway's mapping, eventfd) of each gateway slot."""

    def __cinit__(self, doors: list[tuple[Mapping, int]], *args: object) -> None:
        cdef Mapping mapping
        if len(doors) > MAX_GATEWAYS:
            raise SegmentError(f"{len(doors)} gateways: at most {MAX_GATEWAYS}")
        self.mappings = [door[0] for door in doors]
        for mapping, fd in doors:
            self.states[self.used] = mapping.gateway_state()
            self.fds[self.used] = fd
            self.used += 1

    cdef int ring(self) noexcept nogil:
        """Ring every armed gateway once; how many were rung. Call after the rings are written."""
        cdef int i
        cdef int rung = 0
        cdef uint64_t ticket
        cdef uint64_t one = 1
        fence_full()
        for i in range(self.used):
            ticket = load_relaxed(&self.states[i].doorbell_armed)
            if ticket & 1 and ticket != self.rung[i]:
                if write(self.fds[i], &one, sizeof(one)) == sizeof(one):
                    self.rung[i] = ticket
                    rung += 1
        return rung

    def ring_from_python(self) -> int:
        return self.ring()


cdef class Onlooker(DoorbellRinger):
    """A publisher's only reader, in its own process: `look` is called after each publication, and
    must not raise."""

    cdef object look

    def __init__(self, doors: list[tuple[Mapping, int]], look: object) -> None:
        self.look = look

    cdef int ring(self) noexcept nogil:
        with gil:
            self.look()
        return 1
