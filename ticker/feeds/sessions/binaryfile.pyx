"""BinaryFILE 1.0: how Nasdaq keeps a day on disk. No sequence numbers, hence no gaps.

    +-----------+---------------------------+-----------+------
    | u16 n, BE | message of n bytes        | u16 n, BE | ...
    +-----------+---------------------------+-----------+------

A length of 0 ends the session; what follows is not read. The stream comes in chunks of any size;
a message cut by a chunk's end is kept until its rest comes. What is not read, and what the file's
end cuts, is counted (`unread_bytes`).
"""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcpy

from ticker.endian cimport be16
from ticker.feeds.session cimport Session
from ticker.shm.counters cimport FEED_BYTES, FEED_MESSAGES, FEED_UNREAD_BYTES, count

cdef enum:
    PREFIX = 2
    LONGEST = PREFIX + 65535
    BLOCK = 32                   # messages between two flushes: about a packet's worth
    AHEAD = 12                   # messages between the announced one and the decoded one


@cython.final
cdef class BinaryFile(Session):
    """Reads one file as one session. `receive_time` of a chunk is that of its messages, and
    the publish time of what they change."""

    cdef uint8_t[LONGEST] cut    # the start of a message whose rest is in the next chunk
    cdef size_t cut_length

    cdef void receive(
        self, const uint8_t* data, size_t length, int line, int64_t receive_time
    ) noexcept nogil:
        cdef const uint8_t* end = data + length
        count(self.counters, FEED_BYTES, length)
        self.last_packet_ns = receive_time
        if self.cut_length:
            data = self._complete(data, end, receive_time)
        if self.ended:
            count(self.counters, FEED_UNREAD_BYTES, <uint64_t>(end - data))
            return
        self._walk(data, end, receive_time)

    cdef void finish(self, int64_t now_ns) noexcept nogil:
        count(self.counters, FEED_UNREAD_BYTES, self.cut_length)
        self.cut_length = 0

    cdef const uint8_t* _complete(
        self, const uint8_t* data, const uint8_t* end, int64_t receive_time
    ) noexcept nogil:
        """Finish the message that the last chunk cut, as far as this chunk goes."""
        cdef size_t whole = 0
        cdef size_t part
        while data < end and self.cut_length != whole:
            whole = PREFIX + be16(self.cut) if self.cut_length >= PREFIX else PREFIX
            part = min(whole - self.cut_length, <size_t>(end - data))
            memcpy(self.cut + self.cut_length, data, part)
            self.cut_length += part
            data += part
            if self.cut_length == PREFIX:
                whole = PREFIX + be16(self.cut)
        if self.cut_length >= PREFIX and self.cut_length == <size_t>PREFIX + be16(self.cut):
            whole = self.cut_length
            self.cut_length = 0
            self._walk(self.cut, self.cut + whole, receive_time)
        return data

    cdef void _walk(
        self, const uint8_t* data, const uint8_t* end, int64_t receive_time
    ) noexcept nogil:
        """Decode all whole messages; [data, ahead) are `announced` of them, known to be whole."""
        cdef const uint8_t* ahead = data
        cdef size_t announced = 0
        cdef uint64_t messages = 0
        cdef size_t length
        while not self.ended:
            while announced < AHEAD and whole_message(ahead, end):
                length = be16(ahead)
                self.protocol.announce(ahead + PREFIX, length)
                ahead += PREFIX + length
                announced += 1
            if not announced:
                break
            length = be16(data)
            if not length:
                self.ended = True
                count(self.counters, FEED_UNREAD_BYTES, <uint64_t>(end - data) - PREFIX)
                break
            self.protocol.message(data + PREFIX, length, receive_time)
            data += PREFIX + length
            announced -= 1
            messages += 1
            if messages % BLOCK == 0:
                self._flush(receive_time)
        self._flush(receive_time)
        self.next_expected_sequence += messages
        count(self.counters, FEED_MESSAGES, messages)
        if not self.ended and data < end:
            # Less than one message, so it fits.
            self.cut_length = <size_t>(end - data)
            memcpy(self.cut, data, self.cut_length)

    cdef void _flush(self, int64_t publish_time) noexcept nogil:
        if self.protocol.market is not None:
            self.protocol.market.flush(publish_time)


cdef inline bint whole_message(const uint8_t* data, const uint8_t* end) noexcept nogil:
    return end - data >= PREFIX and end - data - PREFIX >= be16(data)
