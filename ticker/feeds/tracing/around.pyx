"""A decoder around another one, that stands between it and its session.

Law: what the decoder hears, and when, is what it hears without it.
"""

from libc.stdint cimport int64_t, uint8_t

from ticker.feeds.protocol cimport Protocol


cdef class Around(Protocol):
    """Passes all on to `decoder`. A subclass does more about a message."""

    def __init__(self, Protocol decoder not None) -> None:
        super().__init__(None, midnight_ns=decoder.midnight_ns)
        self.decoder = decoder
        self.market = decoder.market
        self.origin = decoder.origin

    cdef void message(self, const uint8_t* data, size_t length, int64_t receive_time) noexcept nogil:
        self.decoder.unit = self.unit
        self.decoder.message(data, length, receive_time)

    cdef void announce(self, const uint8_t* data, size_t length) noexcept nogil:
        self.decoder.announce(data, length)

    cdef void rebuild(self, const uint8_t* data, size_t length, int64_t receive_time) noexcept nogil:
        self.decoder.unit = self.unit
        self.decoder.rebuild(data, length, receive_time)

    cdef void restart(self) noexcept nogil:
        self.decoder.restart()

    cdef void begin(self) noexcept nogil:
        self.decoder.begin()
