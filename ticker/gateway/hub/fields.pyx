"""What a message about a price tells, before it is in any encoding."""

from libc.string cimport memcpy, memset

from ticker.shm.layout import names_of
from ticker.shm.table import HAS

CHANNEL_NAMES = names_of(Channel, "CHANNEL_", end="CHANNELS")
FIRST_BARS_CHANNEL = FIRST_BARS
MESSAGE_NAMES = names_of(Message, "MESSAGE_")


cdef int set_fields(Fields* fields, str venue, dict values) except -1:
    """Fill the fields from Python, by name; for tests. A price that is named is there, but None:
    that is none."""
    cdef bytes mic = venue.encode("ascii")
    if len(mic) > VENUE_ROOM:
        raise ValueError(f"venue {venue!r}: more than {VENUE_ROOM} characters")
    memset(fields, 0, sizeof(Fields))
    memcpy(fields.venue, <const char*>mic, len(mic))
    given = {name: value for name, value in values.items() if value is not None}
    for name in given.keys() & HAS.keys():
        fields.has |= HAS[name]
    fields.price = given.pop("price", 0)
    fields.time = given.pop("time", 0)
    fields.seq = given.pop("seq", 0)
    fields.size = given.pop("size", 0)
    fields.size_exponent = given.pop("size_exponent", 0)
    fields.trade_id = given.pop("trade_id", 0)
    fields.new_trade_id = given.pop("new_trade_id", 0)
    fields.ineligible = given.pop("ineligible", 0)
    fields.volume = given.get("volume", 0) & 0xFFFFFFFFFFFFFFFF
    fields.volume_high = given.pop("volume", 0) >> 64
    fields.trades = given.pop("trades", 0)
    fields.bid = given.pop("bid", 0)
    fields.bid_size = given.pop("bid_size", 0)
    fields.ask = given.pop("ask", 0)
    fields.ask_size = given.pop("ask_size", 0)
    fields.open = given.pop("open", 0)
    fields.high = given.pop("high", 0)
    fields.low = given.pop("low", 0)
    fields.previous_close = given.pop("previous_close", 0)
    fields.official_close = given.pop("official_close", 0)
    fields.extended_price = given.pop("extended_price", 0)
    fields.extended_time = given.pop("extended_time", 0)
    fields.quote_time = given.pop("quote_time", 0)
    fields.quotes = given.pop("quotes", 0)
    fields.tape = given.pop("tape", 0)
    fields.conditions = given.pop("conditions", 0)
    fields.old_price = given.pop("old_price", 0)
    fields.old_size = given.pop("old_size", 0)
    fields.old_conditions = given.pop("old_conditions", 0)
    if given.pop("quoted", 0):  # both sides are of `venue`
        memcpy(fields.bid_venue, fields.venue, VENUE_ROOM)
        memcpy(fields.ask_venue, fields.venue, VENUE_ROOM)
    if given:
        raise TypeError(f"unknown: {', '.join(given)}")
    return 0
