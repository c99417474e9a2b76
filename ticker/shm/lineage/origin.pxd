"""The origin of a row's last sale: the message that made it, in the words behind the row's own.

Of RowRest.reserved (layout.pxd) the first is the receive time of the message's packet, 0: none; the
second its number in its session; the third says the line, the channel and the session. A reader
compares the time with that of the row's values: they are of one message if they are equal.

Threads: the row's writer alone writes.
"""

from libc.stdint cimport UINT64_MAX, int64_t, uint64_t

from ticker.shm.atomics cimport store_relaxed, store_release
from ticker.shm.layout cimport RowRest

cdef enum:
    ORIGIN_TIME = 0
    ORIGIN_SEQUENCE
    ORIGIN_PLACE
    LINE_BITS = 8
    CHANNEL_BITS = 24            # and above them the tag of the session

# The message that is decoded now, as its session counts it.
cdef struct Origin:
    uint64_t sequence            # 0: its session has no numbers
    uint64_t place
    uint64_t told                # of a rebuild: readers know of all before it; UINT64_MAX: of all


cdef inline uint64_t tag_of(const uint64_t* session) noexcept nogil:
    """32 bits of a session's id, in the upper half."""
    cdef uint64_t mixed = (session[0] ^ session[1] * <uint64_t>0x9E3779B97F4A7C15)
    mixed *= <uint64_t>0xD6E8FEB86659FD93
    return mixed & ~<uint64_t>0xFFFFFFFF


cdef inline void number_from(
    Origin* origin, uint64_t sequence, int line, int channel, const uint64_t* session
) noexcept nogil:
    """The next message has this number of a channel of a session. Who passes several on counts
    `sequence` up behind each."""
    origin.sequence = sequence
    origin.place = (
        tag_of(session) | <uint64_t>(line & ((1 << LINE_BITS) - 1))
        | <uint64_t>(channel & ((1 << CHANNEL_BITS) - 1)) << LINE_BITS
    )


cdef inline void tell_from(Origin* origin, uint64_t number, uint64_t told) noexcept nogil:
    """The next message, which is `number` of its stream, and those behind it are news for readers
    from `told` of that stream on."""
    if told == UINT64_MAX:
        origin.told = told
    else:
        origin.told = origin.sequence + (told - number) if told > number else 0


cdef inline void keep_origin(RowRest* row, const Origin* origin, int64_t receive_time) noexcept nogil:
    """The row's last sale is of this message, if it has a number."""
    store_release(&row.reserved[ORIGIN_TIME], 0)
    store_release(&row.reserved[ORIGIN_SEQUENCE], origin.sequence)
    store_relaxed(&row.reserved[ORIGIN_PLACE], origin.place)
    store_release(&row.reserved[ORIGIN_TIME], <uint64_t>receive_time if origin.sequence else 0)


cdef inline void forget_origin(RowRest* row) noexcept nogil:
    """The row's last sale is not of the message that is decoded now."""
    store_release(&row.reserved[ORIGIN_TIME], 0)
