"""How much a client may ask for: commands a second, and messages that were refused.

Law: what is counted stands in the connection's own place, so it ends with the connection.
"""

from libc.stdint cimport uint8_t

from ticker.gateway.sockets.connection cimport Connection, ConnectionTable


cdef class Restraint:
    """Of all connections of a table; times are the table's."""

    cdef ConnectionTable connections

    def __cinit__(self, ConnectionTable connections not None) -> None:
        self.connections = connections

    def take_token(self, number: int, rate: float, burst: float) -> bool:
        """One command of a token bucket: `rate` a second, `burst` at once."""
        cdef Connection* connection = self.connections.checked(number)
        cdef double tokens = burst
        cdef double passed
        if connection.tokens_at:
            passed = (self.connections.now - connection.tokens_at) * 1e-9
            tokens = min(connection.tokens + passed * <double>rate, <double>burst)
        connection.tokens_at = self.connections.now
        connection.tokens = <float>(tokens - 1 if tokens >= 1 else tokens)
        return tokens >= 1

    def strike(self, number: int, weight: int) -> int:
        """One more refused message; the weight of all that there have been."""
        cdef Connection* connection = self.connections.checked(number)
        connection.strikes = <uint8_t>min(connection.strikes + <int>weight, 255)
        return connection.strikes
