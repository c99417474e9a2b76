"""The base of all protocol decoders, and one that only keeps what it is given."""

from libc.stdint cimport int64_t, uint8_t


cdef class Protocol:
    """Ignores every message; real decoders override `message` (protocol.pxd)."""

    cdef void message(self, const uint8_t* data, size_t length, int64_t receive_time) noexcept nogil:
        pass

    cdef void announce(self, const uint8_t* data, size_t length) noexcept nogil:
        pass

    cdef void restart(self) noexcept nogil:
        pass


cdef class MessageLog(Protocol):
    """Keeps every message as bytes, in order: to look into a capture, and to test sessions."""

    cdef readonly list messages

    def __init__(self) -> None:
        self.messages = []

    cdef void message(self, const uint8_t* data, size_t length, int64_t receive_time) noexcept nogil:
        with gil:
            self.messages.append(data[:length])
