"""Other servers' wrappings of a price message, see wrapped.pyx."""

from libc.stdint cimport int64_t

cdef enum Dialect:
    PLAIN = 0
    NATS
    CENTRIFUGO
    CENTRIFUGE                  # its protocol before version 2
    SOCKETIO

cdef enum PieceKind:
    PIECE_OTHER = 0
    PIECE_PRICE                 # `body` is a price message
    PIECE_PING                  # wants pong()
    PIECE_WELCOME               # the connection is accepted
    PIECE_SUBSCRIBED            # one symbol is
    PIECE_REFUSED               # the server's error

# `body` points into the caller's bytes.
cdef struct Piece:
    PieceKind kind
    const char* body
    size_t length


# Whether a subscriber is sent the last price; if not, it is only told that it is one.
cdef bint has_snapshots(int dialect) noexcept nogil

cdef int64_t next_piece(
    int dialect, const char* data, size_t length, Piece* out
) noexcept nogil
