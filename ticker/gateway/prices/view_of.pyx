"""A symbol's consolidated values as a PriceView.

In: values of rows, consolidated, and the words for whose they are. Out: a view. Pure.
"""

from ticker.gateway.prices.consolidate cimport Consolidated
from ticker.shm.figures cimport corrected_time
from ticker.shm.layout cimport (
    ROW_HAS_ASK,
    ROW_HAS_BID,
    ROW_HAS_EXTENDED,
    ROW_HAS_HIGH_LOW,
    ROW_HAS_LAST,
    ROW_HAS_OFFICIAL_CLOSE,
    ROW_HAS_OPEN,
    ROW_HAS_PREVIOUS_CLOSE,
    Values,
)

from ticker.gateway.prices.view import PriceView
from ticker.shm.layout import TRADING_STATUSES


cdef object view_of(
    const Consolidated* found, str symbol, str venue, str currency, str state, bint stale,
    str bid_venue, str ask_venue,
):
    cdef const Values* values = &found.values
    return PriceView(
        symbol=symbol,
        venue=venue,
        currency=currency,
        size_exponent=found.size_exponent,
        status=state,
        trading_status=TRADING_STATUSES[values.status],
        stale=bool(stale),
        price=values.price if values.flags & ROW_HAS_LAST else None,
        size=values.size,
        volume=int(values.volume_high) << 64 | int(values.volume),
        trades=values.trades, seq=values.seq,
        open=values.open if values.flags & ROW_HAS_OPEN else None,
        high=values.high if values.flags & ROW_HAS_HIGH_LOW else None,
        low=values.low if values.flags & ROW_HAS_HIGH_LOW else None,
        previous_close=values.previous_close if values.flags & ROW_HAS_PREVIOUS_CLOSE else None,
        official_close=values.official_close if values.flags & ROW_HAS_OFFICIAL_CLOSE else None,
        extended_price=values.extended_price if values.flags & ROW_HAS_EXTENDED else None,
        extended_time=values.extended_time,
        bid=values.bid if values.flags & ROW_HAS_BID else None,
        bid_size=values.bid_size,
        ask=values.ask if values.flags & ROW_HAS_ASK else None,
        ask_size=values.ask_size, exchange_time=values.exchange_time,
        corrected_time=corrected_time(values), receive_time=values.receive_time,
        publish_time=values.publish_time, quote_time=values.quote_time, quotes=values.quotes,
        bid_venue=bid_venue,
        ask_venue=ask_venue,
    )
