"""The base of protocols written in Python: one class, in one file, which a configuration names.

Law: what such a class raises ends the message, never the feed. A DecodeError is the message's
fault and counted; anything else is a mistake in the class, counted as well, and told once per
kind (sys.unraisablehook).
"""

from libc.stdint cimport int64_t, uint8_t

from ticker.feeds.calls cimport Calls
from ticker.feeds.market.market cimport Market
from ticker.feeds.protocol cimport Protocol
from ticker.shm.counters cimport FEED_BAD_MESSAGES, count

import sys
from types import SimpleNamespace

from ticker.errors import DecodeError


cdef class PythonProtocol(Protocol):
    """Override `decode_message`; `calls` is the market it speaks to (calls.pyx).

    A subclass names its usual session (`session = "moldudp64"` in the class body).
    """

    times_of_day = True

    cdef readonly Calls calls
    cdef set told                # kinds of mistakes

    def __init__(self, Market market not None, *, midnight_ns: int = 0) -> None:
        super().__init__(market, midnight_ns=midnight_ns)
        self.calls = Calls(market)
        self.told = set()

    def decode_message(self, message: bytes, receive_time: int) -> None:
        """One message, whole, and when it was received, ns since the epoch.

        Raises:
            DecodeError: the bytes are not what the specification says.
        """
        raise NotImplementedError(f"{type(self).__name__}.decode_message")

    def begin_session(self) -> None:
        """The session's first message is next; order references and matches start over."""
        self.calls.start_session(self.midnight_ns)

    cdef void message(self, const uint8_t* data, size_t length, int64_t receive_time) noexcept nogil:
        self.market.rows.received = receive_time
        with gil:
            self._guard(self.decode_message, (data[:length], receive_time))

    cdef void restart(self) noexcept nogil:
        with gil:
            self._guard(self.begin_session, ())

    cdef int _guard(self, object call, tuple arguments):
        try:
            call(*arguments)
        except DecodeError:
            count(self.market.counters, FEED_BAD_MESSAGES, 1)
        except Exception as error:
            count(self.market.counters, FEED_BAD_MESSAGES, 1)
            if (type(error), str(error)) not in self.told and len(self.told) < 100:
                self.told.add((type(error), str(error)))
                sys.unraisablehook(SimpleNamespace(
                    exc_type=type(error), exc_value=error, exc_traceback=error.__traceback__,
                    err_msg=f"Exception ignored in {type(self).__name__}", object=None,
                ))
        return 0
