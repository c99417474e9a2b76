"""A stream that may be about to replace the current one.

Law: no single packet replaces a stream. A second one has to confirm it: one of the other line, or
one more of the same line, with a message in either of them. A heartbeat that is repeated confirms
nothing. Against a stream that is alive it always takes a message: one sender may write to both
lines. What the first packets brought is held until then, in bounded room, so that a change of
session costs no message. No I/O, no clock.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from ticker.feeds.sequence.reorder cimport Held, ReorderBuffer

cdef enum:
    ROOM = 1 << 18                 # bytes of packets that are held
    TWO = 2
    THREE = 3


cdef class Candidate:
    """What was heard of one stream that is not the current one."""

    def __cinit__(self) -> None:
        self.held = ReorderBuffer(ROOM)

    cdef bint confirmed_by(
        self, const uint64_t* words, uint64_t sequence, uint32_t messages, int line,
        bint against, int64_t quiet_ns, int64_t now_ns,
    ) noexcept nogil:
        """One more packet of another stream. True: it is believed. Packets that are further apart
        than `quiet_ns`, or of a third stream, begin anew. `against`: it has to be believed against
        a stream that is alive; then it takes a message, and a third packet unless it begins at 1.
        """
        cdef int needed
        if (self.words[0] != words[0] or self.words[1] != words[1]
                or not 0 <= now_ns - self.heard_ns < quiet_ns):
            self.forget()
        if not self.packets:
            self.words[0] = words[0]
            self.words[1] = words[1]
            self.first = sequence
        elif line != self.line:
            self.lines_agree = True
        elif sequence == self.last_sequence and messages == self.last_messages:
            self.heard_ns = now_ns
            return False
        self.packets += 1
        self.first = min(self.first, sequence)
        self.last_sequence = sequence
        self.last_messages = messages
        self.line = line
        self.brought = self.brought or messages > 0
        self.heard_ns = now_ns
        needed = THREE if against and self.first != 1 else TWO
        return self.packets >= needed and (self.brought or (self.lines_agree and not against))

    cdef void hold(
        self, const uint8_t* data, size_t length, uint64_t sequence, uint32_t messages,
        int64_t now_ns,
    ) noexcept nogil:
        """Keep a packet with messages, if there is room."""
        cdef Held* packet = self.held.reserve(length)
        if packet != NULL:
            self.held.hold(packet, sequence, messages, data, 0, now_ns)

    cdef void forget(self) noexcept nogil:
        self.packets = 0
        self.lines_agree = False
        self.brought = False
        self.held.clear()
