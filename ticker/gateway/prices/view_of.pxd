"""A symbol's consolidated values as a PriceView."""

from ticker.gateway.prices.consolidate cimport Consolidated


cdef object view_of(
    const Consolidated* found, str symbol, str venue, str currency, str state, bint stale,
    str bid_venue, str ask_venue,
)
