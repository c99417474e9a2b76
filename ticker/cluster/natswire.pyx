"""The text protocol of NATS, as a client speaks it: bytes in, events out, and bytes of commands.

Law: any bytes give events or a DecodeError, after which the connection is of no use. No I/O, no
clock. An event is whole or has not come yet; chunks of any size give the same events.
Bound: a control line has LONGEST_LINE bytes, a message `longest`.
Source: https://docs.nats.io/reference/reference-protocols/nats-protocol
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free, PyMem_Realloc
from libc.stdint cimport uint8_t
from libc.string cimport memchr, memcpy

from collections.abc import Sequence
from enum import IntEnum

from ticker.errors import DecodeError

LONGEST_LINE = 64 * 1024
LONGEST_MESSAGE = 8 << 20
PING = b"PING\r\n"
PONG = b"PONG\r\n"


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
    MOST_WORDS = 16              # of the subject of an acknowledgement, which has 9 or 12
    MOST_DIGITS = 20             # of a 64-bit number
    COMMAND_BYTES = 9            # of a message, beside its subjects, its length and its payload


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
        cdef const char* at
        cdef size_t left = view.shape[0]
        cdef size_t step
        cdef size_t took = 0
        events = []
        if not left:
            return events
        at = <const char*>&view[0]
        while self.used and left:  # of an event that began before: what it lacks, and no more
            step = min(self._lack(at, left), left)
            self._append(at, step)
            at += step
            left -= step
            event = self._next(self.buffer, self.used, &took)
            if event is not None:
                events.append(event)
                self.used = 0
        while left:
            event = self._next(at, left, &took)
            if event is None:
                self._append(at, left)
                break
            events.append(event)
            at += took
            left -= took
        return events

    cdef size_t _lack(self, const char* at, size_t left) noexcept:
        """Bytes that end what waits, or its control line; `left` are there."""
        cdef const char* end
        if self.wanted:
            return self.wanted
        end = <const char*>memchr(at, c"\n", left)
        return left if end == NULL else <size_t>(end - at) + 1

    cdef int _append(self, const char* data, size_t length) except -1:
        cdef size_t room = self.room if self.room else FIRST_ROOM
        cdef char* grown
        while room < self.used + length:
            room *= 2
        if room != self.room:
            grown = <char*>PyMem_Realloc(self.buffer, room)
            if grown == NULL:
                raise MemoryError("no memory for what a server sends")
            self.buffer = grown
            self.room = room
        memcpy(self.buffer + self.used, data, length)
        self.used += length
        return 0

    cdef object _next(self, const char* line, size_t left, size_t* took):
        """The event at `line`, and how many bytes it takes; None: it is not whole."""
        cdef const char* end = <const char*>memchr(line, c"\n", left)
        cdef size_t length
        self.wanted = 0
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
                return self._message(line, 4, length, left, took)
        elif length > 5 and line[0] == c"H":
            if line[1] == c"M" and line[2] == c"S" and line[3] == c"G" and line[4] == c" ":
                return self._message(line, 5, length, left, took)
        took[0] = length + 2
        return _control(PyBytes_FromStringAndSize(line, length))

    cdef object _message(
        self, const char* start, size_t word, size_t whole, size_t left, size_t* took
    ):
        """MSG subject sid [reply] bytes, or HMSG subject sid [reply] bytes-of-headers bytes, a line of
        `whole` bytes that begins with a word of `word`; then the payload."""
        cdef const char* line = start + word
        cdef size_t length = whole - word
        cdef bint headers = word == 5
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
        took[0] = whole + size + 4
        if left < took[0]:
            self.wanted = took[0] - left
            return None
        payload = start + whole + 2
        if payload[size] != c"\r" or payload[size + 1] != c"\n":
            raise DecodeError(f"NATS: a payload that does not end: {_shown(line, length)}")
        return (
            MESSAGE_KIND, sid, PyBytes_FromStringAndSize(fields[0], lengths[0]),
            PyBytes_FromStringAndSize(payload + head, size - head),
            PyBytes_FromStringAndSize(fields[2], lengths[2]) if count > least else b"",
        )


def place_of(reply: bytes) -> tuple[int, int, int]:
    """The number in the stream, the number in this reading, and how many are left behind it, from
    the subject of an acknowledgement of JetStream.

    Raises:
        DecodeError: it is none.
    Source: https://docs.nats.io/reference/reference-protocols/nats_api_reference
    """
    cdef const char* words[MOST_WORDS]
    cdef size_t lengths[MOST_WORDS]
    cdef const char* at = reply
    cdef const char* end = at + len(reply)
    cdef const char* dot
    cdef int count = 0
    cdef int first
    cdef long long number = -1
    cdef long long in_order = -1
    cdef long long left = -1
    while count < MOST_WORDS:
        dot = <const char*>memchr(at, c".", end - at)
        words[count] = at
        lengths[count] = (end if dot == NULL else dot) - at
        count += 1
        if dot == NULL:
            break
        at = dot + 1
    first = 5 if count == 9 else 7
    if count > first + 3:
        number = _number(words[first], lengths[first])
        in_order = _number(words[first + 1], lengths[first + 1])
        left = _number(words[first + 3], lengths[first + 3])
    if number < 0 or in_order < 0 or left < 0:
        raise DecodeError(f"no acknowledgement of JetStream: {reply[:80]!r}")
    return number, in_order, left


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
    return publish_all([(subject, payload, reply)])


def publish_all(messages: Sequence[tuple]) -> bytes:
    """Messages in one go, each (subject, payload) or (subject, payload, reply).

    Raises:
        DecodeError: a subject would be another command.
    """
    cdef size_t length = 0
    cdef bytes made
    cdef char* at
    for message in messages:
        length += _length_of(message)
    made = PyBytes_FromStringAndSize(NULL, length)
    at = made
    for message in messages:
        at = _put_message(at, message)
    return made


cdef size_t _length_of(tuple message) except 0:
    """Bytes of a message. Raises DecodeError: a subject of it is none."""
    cdef bytes subject = message[0]
    cdef bytes payload = message[1]
    cdef bytes reply
    cdef char[MOST_DIGITS] digits
    cdef size_t length = COMMAND_BYTES + len(subject) + len(payload)
    _check(subject)
    length += _digits_of(len(payload), digits)
    if len(message) > 2:
        reply = message[2]
        if reply:
            _check(reply)
            length += len(reply) + 1
    return length


cdef char* _put_message(char* at, tuple message) except NULL:
    cdef bytes payload = message[1]
    cdef bytes reply
    cdef char[MOST_DIGITS] digits
    cdef size_t count = _digits_of(len(payload), digits)
    at = _put(at, b"PUB ", 4)
    at = _put(at, <bytes>message[0], len(<bytes>message[0]))
    at = _put(at, b" ", 1)
    if len(message) > 2:
        reply = message[2]
        if reply:
            at = _put(at, reply, len(reply))
            at = _put(at, b" ", 1)
    at = _put(at, digits, count)
    at = _put(at, b"\r\n", 2)
    at = _put(at, payload, len(payload))
    return _put(at, b"\r\n", 2)


cdef inline char* _put(char* at, const char* what, size_t length) noexcept nogil:
    memcpy(at, what, length)
    return at + length


cdef size_t _digits_of(size_t number, char* digits) noexcept nogil:
    """Write a number; how many digits it has."""
    cdef size_t count = 1
    cdef size_t left = number // 10
    cdef size_t at
    while left:
        count += 1
        left = left // 10
    left = number
    for at in range(count):
        digits[count - 1 - at] = <char>(c"0" + left % 10)
        left = left // 10
    return count


cdef bytes _subject(bytes subject):
    _check(subject)
    return subject


cdef int _check(bytes subject) except -1:
    """Raises DecodeError: it would be another command."""
    cdef const uint8_t* at = subject
    cdef size_t length = len(subject)
    cdef bint in_word = False
    cdef size_t i
    for i in range(length):
        if at[i] == c".":
            if not in_word:
                break
            in_word = False
        elif at[i] <= 32 or at[i] == 127:
            in_word = False
            break
        else:
            in_word = True
    if not in_word:
        raise DecodeError(f"NATS: {subject!r} is no subject")
    return 0
