"""The text protocol of NATS, as a client speaks it: bytes in, events out, and bytes of commands.

Law: any bytes give events or a DecodeError, after which the connection is of no use. No I/O, no
clock. An event is whole or has not come yet; chunks of any size give the same events.
Bound: a control line has LONGEST_LINE bytes, a message `longest`.
Source: https://docs.nats.io/reference/reference-protocols/nats-protocol
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from libc.stdint cimport uint8_t
from libc.string cimport memchr, memcpy, memmove

import re
from enum import IntEnum

from ticker.errors import DecodeError

LONGEST_LINE = 64 * 1024
LONGEST_MESSAGE = 8 << 20
PING = b"PING\r\n"
PONG = b"PONG\r\n"
SUBJECT = re.compile(rb"[^\s\x00-\x1f\x7f.]+(\.[^\s\x00-\x1f\x7f.]+)*\Z")


class Kind(IntEnum):
    """What came. An event is (kind, sid, text, payload, reply).

    `text` is the subject of a message, the JSON of an INFO, the words of an error.
    """

    INFO = 1
    MESSAGE = 2
    PING = 3
    PONG = 4
    OK = 5
    ERROR = 6


cdef object INFO_KIND = Kind.INFO
cdef object MESSAGE_KIND = Kind.MESSAGE
cdef object PING_EVENT = (Kind.PING, 0, b"", b"", b"")
cdef object PONG_EVENT = (Kind.PONG, 0, b"", b"", b"")
cdef object OK_EVENT = (Kind.OK, 0, b"", b"", b"")
cdef size_t LINE = LONGEST_LINE

cdef enum:
    FIRST_ROOM = 64 * 1024
    MOST_FIELDS = 5


cdef class NatsReader:
    """What a server sends, from the first byte of a connection on.

    Args:
        longest: bytes of a message that are taken.
    """

    def __init__(self, longest: int = LONGEST_MESSAGE) -> None:
        self.longest = longest

    def __dealloc__(self) -> None:
        PyMem_Free(self.buffer)

    def receive_data(self, data: bytes) -> list[tuple]:
        """The events that are whole now.

        Raises:
            DecodeError: this is no NATS server.
        """
        cdef const uint8_t[::1] view = data
        if not len(data):
            return []
        self._append(&view[0], view.shape[0])
        events = []
        while True:
            event = self._next()
            if event is None:
                break
            events.append(event)
        memmove(self.buffer, self.buffer + self.taken, self.used - self.taken)
        self.used -= self.taken
        self.taken = 0
        return events

    cdef int _append(self, const uint8_t* data, size_t length) except -1:
        cdef size_t room = self.room if self.room else FIRST_ROOM
        cdef uint8_t* grown
        while room < self.used + length:
            room *= 2
        if room != self.room:
            grown = <uint8_t*>PyMem_Realloc(self.buffer, room)
            if grown == NULL:
                raise MemoryError("no memory for what a server sends")
            self.buffer = grown
            self.room = room
        memcpy(self.buffer + self.used, data, length)
        self.used += length
        return 0

    cdef object _next(self):
        """The next event, None: it is not whole."""
        cdef const char* line = <const char*>self.buffer + self.taken
        cdef size_t left = self.used - self.taken
        cdef const char* end = <const char*>memchr(line, c"\n", left)
        cdef size_t length
        if end == NULL:
            if left > LINE:
                raise DecodeError(f"NATS: a control line of more than {LONGEST_LINE} bytes")
            return None
        length = end - line
        if not 0 < length <= LINE or line[length - 1] != c"\r":
            raise DecodeError(f"NATS: a control line that does not end: {_shown(line, length)}")
        length -= 1
        if length > 4 and line[0] == c"M":
            if line[1] == c"S" and line[2] == c"G" and line[3] == c" ":
                return self._message(line + 4, length - 4, length + 2, False)
        elif length > 5 and line[0] == c"H":
            if line[1] == c"M" and line[2] == c"S" and line[3] == c"G" and line[4] == c" ":
                return self._message(line + 5, length - 5, length + 2, True)
        self.taken += length + 2
        return _control(PyBytes_FromStringAndSize(line, length))

    cdef object _message(self, const char* line, size_t length, size_t behind, bint headers):
        """MSG subject sid [reply] bytes, or HMSG subject sid [reply] bytes-of-headers bytes; then
        the payload, which begins `behind` bytes after this operation did."""
        cdef const char* fields[MOST_FIELDS]
        cdef size_t lengths[MOST_FIELDS]
        cdef int count = _split(line, length, fields, lengths)
        cdef int least = 4 if headers else 3
        cdef long long size, sid, head
        cdef const char* payload
        if not least <= count <= least + 1:
            raise DecodeError(f"NATS: no message: {_shown(line, length)}")
        sid = _number(fields[1], lengths[1])
        size = _number(fields[count - 1], lengths[count - 1])
        head = _number(fields[count - 2], lengths[count - 2]) if headers else 0
        if sid < 0 or size < 0 or not 0 <= head <= size:
            raise DecodeError(f"NATS: no message: {_shown(line, length)}")
        if <size_t>size > self.longest:
            raise DecodeError(f"NATS: a message of {size} bytes; {self.longest} are taken")
        if self.used - self.taken < behind + size + 2:
            return None
        payload = <const char*>self.buffer + self.taken + behind
        if payload[size] != c"\r" or payload[size + 1] != c"\n":
            raise DecodeError(f"NATS: a payload that does not end: {_shown(line, length)}")
        self.taken += behind + size + 2
        return (
            MESSAGE_KIND, sid, PyBytes_FromStringAndSize(fields[0], lengths[0]),
            PyBytes_FromStringAndSize(payload + head, size - head),
            PyBytes_FromStringAndSize(fields[2], lengths[2]) if count > least else b"",
        )


cdef int _split(
    const char* line, size_t length, const char** fields, size_t* lengths
) noexcept:
    """The fields of a control line, MOST_FIELDS + 1: there are more."""
    cdef size_t at = 0
    cdef size_t start
    cdef int count = 0
    while True:
        while at < length and (line[at] == c" " or line[at] == c"\t"):
            at += 1
        if at == length:
            return count
        start = at
        while at < length and line[at] != c" " and line[at] != c"\t":
            at += 1
        if count == MOST_FIELDS:
            return MOST_FIELDS + 1
        fields[count] = line + start
        lengths[count] = at - start
        count += 1


cdef long long _number(const char* text, size_t length) noexcept:
    """-1: it is none, or too long."""
    cdef long long value = 0
    cdef size_t at
    if not 0 < length <= 15:
        return -1
    for at in range(length):
        if not c"0" <= text[at] <= c"9":
            return -1
        value = 10 * value + (text[at] - c"0")
    return value


cdef object _control(bytes line):
    word, _, rest = line.partition(b" ")
    word = word.upper()
    if word == b"PING":
        return PING_EVENT
    if word == b"PONG":
        return PONG_EVENT
    if word == b"+OK":
        return OK_EVENT
    if word == b"INFO":
        return (INFO_KIND, 0, rest.strip(), b"", b"")
    if word == b"-ERR":
        return (Kind.ERROR, 0, rest.strip(b" '"), b"", b"")
    raise DecodeError(f"NATS: no operation of a server: {line[:40]!r}")


cdef object _shown(const char* line, size_t length):
    return repr(PyBytes_FromStringAndSize(line, min(length, <size_t>40)))


def connect(options: bytes) -> bytes:
    """The first command of a client; `options` are a JSON object."""
    return b"CONNECT " + options + b"\r\n"


def subscribe(subject: bytes, sid: int) -> bytes:
    """Ask for messages of a subject, which may have the wildcards * and >."""
    return b"SUB %b %d\r\n" % (_subject(subject), sid)


def unsubscribe(sid: int) -> bytes:
    return b"UNSUB %d\r\n" % sid


def publish(subject: bytes, payload: bytes, reply: bytes = b"") -> bytes:
    """A message; `reply`: the subject that an answer is to come by."""
    if reply:
        return b"PUB %b %b %d\r\n%b\r\n" % (
            _subject(subject), _subject(reply), len(payload), payload
        )
    return b"PUB %b %d\r\n%b\r\n" % (_subject(subject), len(payload), payload)


def _subject(subject: bytes) -> bytes:
    """Raises DecodeError: it would be another command."""
    if not SUBJECT.match(subject):
        raise DecodeError(f"NATS: {subject!r} is no subject")
    return subject
