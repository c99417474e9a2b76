"""JSON texts one after another in a stream: a line each, pretty-printed, or without any space.

A text that begins with a bracket ends where that is closed; any other ends with its line. The
stream comes in chunks of any size. A broken text must not take the ones behind it along: where
a value begins that cannot (after another one, without a comma) or a string runs over its line,
the text ends before the line of that place, and is left to the protocol to refuse.

Bound: a text without an end is given up at 16 MiB, with the rest of its line.
"""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memmove, memset

from ticker.feeds.session cimport Session
from ticker.shm.counters cimport (
    FEED_BYTES,
    FEED_MEMORY_FAILURES,
    FEED_MESSAGES,
    FEED_PACKETS,
    FEED_TOO_LONG,
    count,
)

cdef enum:
    LONGEST = 1 << 24
    FIRST_BUFFER = 1 << 19
    BLOCK = 32                   # texts between two flushes: about a packet's worth

cdef enum State:
    BETWEEN                      # texts
    INSIDE                       # brackets, after a value: what comes is a comma or a bracket
    BEFORE_VALUE                 # inside brackets, where a value or a name may begin
    STRING
    ESCAPE                       # in a string, after a backslash
    LINE                         # a text that ends with its line


cdef enum:
    MATTERS_IN_STRING = 1
    MATTERS_INSIDE = 2

# What is not here leaves these states as they are.
cdef uint8_t[256] MATTERS
memset(MATTERS, 0, sizeof(MATTERS))
for _mark in '"\\\n':
    MATTERS[<int>ord(_mark)] |= MATTERS_IN_STRING
for _mark in '{}[]",:\n':
    MATTERS[<int>ord(_mark)] |= MATTERS_INSIDE


cdef inline size_t next_that_matters(
    const uint8_t* bytes, size_t at, size_t end, uint8_t where
) noexcept nogil:
    while at < end and not MATTERS[bytes[at]] & where:
        at += 1
    return at


@cython.final
cdef class JsonStream(Session):
    """Reads one connection or file. Messages have the receive time of their last chunk."""

    cdef uint8_t* buffer         # from the start of the text at hand on
    cdef size_t capacity
    cdef size_t used
    cdef size_t at               # what is before it has been looked at
    cdef size_t start            # of the text at hand
    cdef size_t line             # start of the line that `at` is in, or 0
    cdef int depth
    cdef State state
    cdef uint64_t since_flush

    def __cinit__(self, *args: object, **options: object) -> None:
        self.capacity = FIRST_BUFFER
        self.buffer = <uint8_t*>malloc(self.capacity)
        self.state = BETWEEN
        if self.buffer == NULL:
            raise MemoryError("no memory for a stream of JSON texts")

    def __dealloc__(self) -> None:
        free(self.buffer)

    cdef void receive(
        self, const uint8_t* data, size_t length, int line, int64_t receive_time
    ) noexcept nogil:
        cdef size_t part
        self.last_packet_ns = receive_time
        count(self.counters, FEED_PACKETS, 1 if length else 0)
        count(self.counters, FEED_BYTES, length)
        while length:
            part = min(length, <size_t>FIRST_BUFFER)
            if not self._reserve(part):
                count(self.counters, FEED_MEMORY_FAILURES, 1)
                self._forget()
                return
            memcpy(self.buffer + self.used, data, part)
            self.used += part
            data += part
            length -= part
            self._scan(receive_time)
            self._move_up(receive_time)
        self._flush(receive_time)

    cdef void finish(self, int64_t now_ns) noexcept nogil:
        if self.state != BETWEEN:
            self._text(self.used, now_ns)
        self._forget()
        self._flush(now_ns)

    cdef bint _reserve(self, size_t more) noexcept nogil:
        cdef size_t wanted = self.capacity
        cdef uint8_t* larger
        while wanted < self.used + more:
            wanted *= 2
        if wanted != self.capacity:
            larger = <uint8_t*>realloc(self.buffer, wanted)
            if larger == NULL:
                return False
            self.buffer = larger
            self.capacity = wanted
        return True

    cdef void _forget(self) noexcept nogil:
        self.used = self.at = self.start = self.line = 0
        self.depth = 0
        self.state = BETWEEN

    cdef void _move_up(self, int64_t receive_time) noexcept nogil:
        """The text at hand to the buffer's start, unless it is too long to go on with."""
        if self.state == BETWEEN:
            self.start = self.used
        elif self.used - self.start > LONGEST:
            count(self.counters, FEED_TOO_LONG, 1)
            self._text(self.used, receive_time)
            self.start = self.used
            self.state = LINE
        self.used -= self.start
        memmove(self.buffer, self.buffer + self.start, self.used)
        self.at -= self.start
        self.line -= min(self.line, self.start)
        self.start = 0

    cdef void _scan(self, int64_t receive_time) noexcept nogil:
        """Hand on every text that ends before `used`. What is called moves `at`, `state`, `depth`."""
        cdef const uint8_t* bytes = self.buffer
        cdef size_t at = self.at
        cdef size_t used = self.used
        cdef State state = self.state
        cdef uint8_t byte
        cdef bint again
        while at < used:
            if state == STRING or state == INSIDE:
                at = next_that_matters(
                    bytes, at, used, MATTERS_IN_STRING if state == STRING else MATTERS_INSIDE
                )
                if at == used:
                    break
            byte = bytes[at]
            if state == STRING:
                if byte == c'"':
                    state = INSIDE
                elif byte == c"\\":
                    state = ESCAPE
                elif byte == c"\n":
                    # A string runs over its line's end: so does the text, which thus ends here.
                    state = LINE
                    continue
            elif state == ESCAPE:
                state = STRING
            elif (byte == c"," or byte == c":") and (state == INSIDE or state == BEFORE_VALUE):
                state = BEFORE_VALUE
            elif byte == c'"' and state == BEFORE_VALUE:
                state = STRING
            else:
                self.at = at
                self.state = state
                again = self._take(byte, receive_time)
                at = self.at
                state = self.state
                if again:
                    continue
            at += 1
        self.at = at
        self.state = state

    cdef bint _take(self, uint8_t byte, int64_t receive_time) noexcept nogil:
        """A byte at `at` that begins or ends something. True: look at what is at `at` now."""
        if self.state == LINE:
            if byte == c"\n":
                self._text(self.at, receive_time)
        elif self.state == BETWEEN:
            self._begin(byte)
        elif byte == c"{" or byte == c"[" or byte == c'"':
            if self.state == INSIDE:
                return self._break_off_before_line(receive_time)
            self.depth += 1
        elif byte == c"}" or byte == c"]":
            self.depth -= 1
            self.state = INSIDE
            if not self.depth:
                self._text(self.at + 1, receive_time)
        elif byte == c"\n":
            self.line = self.at + 1
        elif byte != c" " and byte != c"\t" and byte != c"\r":
            self.state = INSIDE
        return False

    cdef void _begin(self, uint8_t byte) noexcept nogil:
        """A byte between two texts: the first of the next one, unless it is a space."""
        if byte <= 0x20:
            return
        self.start = self.line = self.at
        self.depth = 1
        self.state = BEFORE_VALUE if byte == c"{" or byte == c"[" else LINE

    cdef bint _break_off_before_line(self, int64_t receive_time) noexcept nogil:
        """A value where none can be. If the text began on an earlier line, it ends with that,
        and another one begins here: True, look at this line once more."""
        if self.line > self.start:
            self.at = self.line
            self._text(self.line, receive_time)
            return True
        self.state = LINE
        return False

    cdef void _text(self, size_t end, int64_t receive_time) noexcept nogil:
        """[start, end) is a text, or what there is of it."""
        self.state = BETWEEN
        self.depth = 0
        if end == self.start:
            return
        count(self.counters, FEED_MESSAGES, 1)
        self.next_expected_sequence += 1
        self.protocol.message(self.buffer + self.start, end - self.start, receive_time)
        self.since_flush += 1
        if self.since_flush == BLOCK:
            self._flush(receive_time)

    cdef void _flush(self, int64_t publish_time) noexcept nogil:
        self.since_flush = 0
        if self.protocol.market is not None:
            self.protocol.market.flush(publish_time)
