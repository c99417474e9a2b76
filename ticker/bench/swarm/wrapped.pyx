"""What a client of another server says, and how that server wraps the price messages that it
carries: bytes in, pieces out.

- NATS: the client protocol as a byte stream over binary frames. A frame need not end with an
  operation, so the reader keeps what is left (docs.nats.io, "NATS client protocol" and
  "WebSocket").
- Centrifugo: its JSON protocol; a frame holds one or more objects, one per line, an empty
  object is a ping (centrifugal.dev, "Client protocol"). Its version 1 too, which Centrifugo spoke
  before its own version 4: commands with method and params, results instead of pushes.
- Socket.IO: Engine.IO packets of protocol 4 with Socket.IO packets of protocol 5 in them.
"""

from libc.stdint cimport int64_t
from libc.string cimport memchr, memcmp

cdef extern from "<string.h>" nogil:
    const void* memmem(const void* data, size_t length, const void* text, size_t size)

DIALECTS = {
    "plain": PLAIN,
    "nats": NATS,
    "centrifugo": CENTRIFUGO,
    "centrifuge": CENTRIFUGE,
    "socketio": SOCKETIO,
}
PATHS = {
    PLAIN: "/stream",
    NATS: "/",
    CENTRIFUGO: "/connection/websocket",
    CENTRIFUGE: "/connection/websocket",
    SOCKETIO: "/socket.io/?EIO=4&transport=websocket",
}
HELLOS = {
    PLAIN: b"",
    NATS: b'CONNECT {"verbose":false,"pedantic":false,"lang":"swarm","protocol":1}\r\nPING\r\n',
    CENTRIFUGO: b'{"id":1,"connect":{}}',
    CENTRIFUGE: b'{"id":1,"params":{}}',
    SOCKETIO: b"40",
}
PONGS = {PLAIN: b"", NATS: b"PONG\r\n", CENTRIFUGO: b"{}", CENTRIFUGE: b"", SOCKETIO: b"3"}


def subscription(dialect: int, symbols: list[str]) -> bytes:
    """What subscribes to the symbols."""
    if dialect == NATS:
        asked = "".join(f"SUB {symbol} {sid}\r\n" for sid, symbol in enumerate(symbols, 1))
        return f"{asked}PING\r\n".encode()
    if dialect in (CENTRIFUGO, CENTRIFUGE):
        verb = '"subscribe"' if dialect == CENTRIFUGO else '"method":1,"params"'
        return "\n".join(
            f'{{"id":{number},{verb}:{{"channel":"{symbol}"}}}}'
            for number, symbol in enumerate(symbols, 2)
        ).encode()
    names = ",".join(f'"{symbol}"' for symbol in symbols)
    if dialect == SOCKETIO:
        return f'42["subscribe",[{names}]]'.encode()
    return f'{{"action":"subscribe","symbols":[{names}]}}'.encode()


cdef bint has_snapshots(int dialect) noexcept nogil:
    return dialect != NATS and dialect != CENTRIFUGO and dialect != CENTRIFUGE


cdef inline bint begins(
    const char* data, size_t length, const char* text, size_t size
) noexcept nogil:
    return length >= size and memcmp(data, text, size) == 0


cdef inline bint holds(
    const char* data, size_t length, const char* text, size_t size
) noexcept nogil:
    return memmem(data, length, text, size) != NULL


cdef int64_t next_piece(
    int dialect, const char* data, size_t length, Piece* out
) noexcept nogil:
    """The first piece of a frame, or for NATS of the stream: bytes used, 0 when it is not
    whole yet, -1 when it is not of the dialect."""
    out.kind = PIECE_OTHER
    out.body = NULL
    out.length = 0
    if dialect == NATS:
        return nats_piece(data, length, out)
    if dialect == CENTRIFUGO:
        return centrifugo_piece(data, length, out)
    if dialect == CENTRIFUGE:
        return centrifuge_piece(data, length, out)
    return socketio_piece(data, length, out)


cdef int64_t nats_piece(const char* data, size_t length, Piece* out) noexcept nogil:
    """One operation: MSG <subject> <sid> [reply-to] <bytes>, PING, PONG, INFO, +OK, -ERR."""
    cdef const char* end = <const char*>memchr(data, c"\n", length)
    cdef size_t line, at
    cdef size_t size = 0
    if end == NULL:
        return 0 if length < 65536 else -1
    line = end - data + 1
    if begins(data, line, b"PING\r", 5):
        out.kind = PIECE_PING
    elif begins(data, line, b"PONG\r", 5):
        # PING goes out after CONNECT, and after all SUB of a client
        out.kind = PIECE_WELCOME
    elif begins(data, line, b"-ERR ", 5):
        out.kind = PIECE_REFUSED
    elif begins(data, line, b"MSG ", 4):
        at = line - 2
        while at > 4 and data[at - 1] != c" ":
            at -= 1
        while at < line - 2:
            if not c"0" <= data[at] <= c"9" or size > (1 << 20):
                return -1
            size = size * 10 + <size_t>(data[at] - c"0")
            at += 1
        if length < line + size + 2:
            return 0
        out.kind = PIECE_PRICE
        out.body = data + line
        out.length = size
        return <int64_t>(line + size + 2)
    elif not begins(data, line, b"INFO ", 5) and not begins(data, line, b"+OK", 3):
        return -1
    return <int64_t>line


cdef inline size_t first_line(const char* data, size_t length, int64_t* used) noexcept nogil:
    """How long it is; `used` with its end."""
    cdef const char* end = <const char*>memchr(data, c"\n", length)
    cdef size_t line = length if end == NULL else <size_t>(end - data)
    used[0] = <int64_t>(line if end == NULL else line + 1)
    return line


cdef inline bint price_in(const char* data, size_t line, Piece* out) noexcept nogil:
    """The price message in a line's "data"; False when it never ends. A line without one (joins,
    leaves and the like) stays what it is."""
    cdef const char* body = <const char*>memmem(data, line, <const char*>b'"data":{"type"', 14)
    cdef const char* last
    if body == NULL:
        return True
    body += 7
    last = <const char*>memchr(body, c"}", line - <size_t>(body - data))
    if last == NULL:
        return False
    out.kind = PIECE_PRICE
    out.body = body
    out.length = <size_t>(last - body) + 1
    return True


cdef int64_t centrifugo_piece(const char* data, size_t length, Piece* out) noexcept nogil:
    """One line: {"push":{"channel":…,"pub":{"data":{…}}}}, a reply, or {}."""
    cdef int64_t used
    cdef size_t line = first_line(data, length, &used)
    if begins(data, line, b'{"push":', 8):
        if not price_in(data, line, out):
            return -1
    elif line == 2 and begins(data, line, b"{}", 2):
        out.kind = PIECE_PING
    elif holds(data, line, b'"error":', 8):
        out.kind = PIECE_REFUSED
    elif holds(data, line, b'"connect":', 10):
        out.kind = PIECE_WELCOME
    elif holds(data, line, b'"subscribe":', 12):
        out.kind = PIECE_SUBSCRIBED
    elif line == 0 or data[0] != c"{":
        return -1
    return used


cdef int64_t centrifuge_piece(const char* data, size_t length, Piece* out) noexcept nogil:
    """One line: {"result":{"channel":…,"data":{"data":{…}}}}, or a reply with its number: 1 is
    that to connect, the others those to subscribe."""
    cdef int64_t used
    cdef size_t line = first_line(data, length, &used)
    if begins(data, line, b'{"result":', 10):
        if not price_in(data, line, out):
            return -1
    elif not begins(data, line, b'{"id":', 6):
        return -1
    elif holds(data, line, b'"error":', 8):
        out.kind = PIECE_REFUSED
    elif begins(data, line, b'{"id":1,', 8):
        out.kind = PIECE_WELCOME
    else:
        out.kind = PIECE_SUBSCRIBED
    return used


cdef int64_t socketio_piece(const char* data, size_t length, Piece* out) noexcept nogil:
    """One packet: 42["price",{…}], 40{…}, 0{…}, 2."""
    cdef const char* body
    if begins(data, length, b"42[", 3):
        body = <const char*>memchr(data, c"{", length)
        if body != NULL and data[length - 1] == c"]":
            out.kind = PIECE_PRICE
            out.body = body
            out.length = length - <size_t>(body - data) - 1
    elif length == 1 and data[0] == c"2":
        out.kind = PIECE_PING
    elif begins(data, length, b"40{", 3):
        out.kind = PIECE_WELCOME
    elif begins(data, length, b"44", 2):
        out.kind = PIECE_REFUSED
    elif not begins(data, length, b"0{", 2):
        return -1
    return <int64_t>length


def pieces(dialect: int, data: bytes) -> tuple[list[tuple[str, bytes]], int]:
    """What next_piece finds in the bytes, and how many it took; -1: not of the dialect."""
    cdef Piece piece
    cdef const char* raw = data
    cdef size_t used = 0
    cdef int64_t step
    names = ("other", "price", "ping", "welcome", "subscribed", "refused")
    found = []
    while used < <size_t>len(data):
        step = next_piece(dialect, raw + used, len(data) - used, &piece)
        if step < 0:
            return found, -1
        if step == 0:
            break
        used += <size_t>step
        found.append((names[<int>piece.kind], piece.body[:piece.length] if piece.body else b""))
    return found, used
