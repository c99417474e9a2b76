"""What every session is to its transport: packets or stream bytes in, messages out."""

from libc.stdint cimport int64_t, uint8_t, uint64_t

from ticker.feeds.protocol cimport Protocol


cdef class Session:
    """Frames, sequences and arbitrates what one or more lines bring.

    No I/O and no clock: times come in, requests to send come out of `data_to_send`.
    The bytes at `data` belong to the caller and live until the call returns.
    """

    cdef Protocol protocol
    cdef uint64_t* counters
    cdef readonly uint64_t next_expected_sequence

    # One datagram (or one chunk of a stream) of line 0 (A), 1 (B), or 2 (retransmission).
    cdef void receive(
        self, const uint8_t* data, size_t length, int line, int64_t receive_time
    ) noexcept nogil
