"""What a message about a price tells, before it is in any encoding."""

from libc.string cimport memcpy, memset

from ticker.shm.layout import names_of

CHANNEL_NAMES = names_of(Channel, "CHANNEL_", end="CHANNELS")


cdef int set_fields(Fields* fields, str venue, dict values) except -1:
    """Fill the fields from Python, by name; for tests."""
    cdef bytes mic = venue.encode("ascii")
    if len(mic) > VENUE_ROOM:
        raise ValueError(f"venue {venue!r}: more than {VENUE_ROOM} characters")
    memset(fields, 0, sizeof(Fields))
    memcpy(fields.venue, <const char*>mic, len(mic))
    fields.price = values.pop("price", 0)
    fields.time = values.pop("time", 0)
    fields.seq = values.pop("seq", 0)
    fields.size = values.pop("size", 0)
    fields.size_exponent = values.pop("size_exponent", 0)
    fields.volume = values.pop("volume", 0)
    fields.trades = values.pop("trades", 0)
    fields.bid = values.pop("bid", 0)
    fields.bid_size = values.pop("bid_size", 0)
    fields.ask = values.pop("ask", 0)
    fields.ask_size = values.pop("ask_size", 0)
    fields.open = values.pop("open", 0)
    fields.high = values.pop("high", 0)
    fields.low = values.pop("low", 0)
    fields.previous_close = values.pop("previous_close", 0)
    if values:
        raise TypeError(f"unknown: {', '.join(values)}")
    return 0
