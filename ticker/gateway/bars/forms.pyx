"""Bars as messages of vendors' dialects, by the forms that the dialects declare.

A vendor tells of a bar when its time is over, and some tell when it changed after that; a span or a
state without a form has no bytes, and nothing is sent of it.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from ticker.gateway.sockets.connection cimport ENCODINGS
from ticker.gateway.wire.vendors cimport (
    VENDORS,
    Form,
    Style,
    begin_message,
    end_message,
    fill_form,
    put_fraction,
    put_number,
    put_price,
    put_size,
    put_time,
    style_of,
    vendor_of,
    whole,
)
from ticker.shm.bars.published cimport (
    BAR_HAS_PRICE,
    BAR_HAS_RANGE,
    BAR_HAS_VWAP,
    BAR_UPDATED,
    SPANS,
    BarRecord,
)

from collections.abc import Mapping

cdef enum:
    BAR_STATES = BAR_UPDATED + 1

cdef Form[VENDORS][SPANS][BAR_STATES] FORMS
cdef int64_t[SPANS] SECONDS
SECONDS[:] = [1, 60, 300, 3600, 86400]


cdef int bar_form(
    uint8_t* out, int encoding, const char* symbol, size_t length, const BarRecord* bar
) noexcept nogil:
    """The bytes of a whole message; 0: the dialect has none of such a bar, or it has no trade."""
    cdef const Form* form = &FORMS[encoding - ENCODINGS][bar.span][bar.state]
    cdef const Style* style = style_of(encoding)
    cdef uint32_t entries = 2  # the type and the symbol
    cdef uint32_t i
    cdef int at, end
    if not form.head_length or not bar.flags & BAR_HAS_PRICE:
        return 0
    at = begin_message(out, form, style, symbol, length)
    for i in range(form.count):
        memcpy(out + at, form.fields[i].key, form.fields[i].key_length)
        end = put_bar_value(
            out, at + form.fields[i].key_length, <OfBar>form.fields[i].of, style, bar
        )
        if end:
            at = end
            entries += 1
    return end_message(out, at, style, entries)


cdef int put_bar_value(
    uint8_t* out, int at, OfBar of, const Style* style, const BarRecord* bar
) noexcept nogil:
    """One value; where it ends, 0: there is none. A volume beyond 64 bits is the most there is."""
    cdef uint64_t volume = <uint64_t>-1 if bar.volume_high else bar.volume
    cdef bint ranged = bar.flags & BAR_HAS_RANGE != 0
    if of == OF_OPEN:
        return put_price(out, at, style, bar.open)
    if of == OF_HIGH:
        return put_price(out, at, style, bar.high if ranged else max(bar.open, bar.close))
    if of == OF_LOW:
        return put_price(out, at, style, bar.low if ranged else min(bar.open, bar.close))
    if of == OF_CLOSE:
        return put_price(out, at, style, bar.close)
    if of == OF_VOLUME:
        return put_size(out, at, style, volume, bar.size_exponent)
    if of == OF_WHOLE_VOLUME:
        return put_number(out, at, style, whole(volume, bar.size_exponent))
    if of == OF_FRACTIONAL_VOLUME:
        return put_fraction(out, at, volume, bar.size_exponent) if bar.size_exponent else 0
    if of == OF_TRADES:
        return put_number(out, at, style, bar.trades)
    if of == OF_VWAP:
        return put_price(out, at, style, bar.vwap) if bar.flags & BAR_HAS_VWAP else 0
    if of == OF_AVERAGE_SIZE:
        if not bar.trades:
            return 0
        return put_number(out, at, style, whole(volume, bar.size_exponent) // bar.trades)
    if of == OF_START:
        return put_time(out, at, style, bar.start)
    return put_time(out, at, style, bar.start + SECONDS[bar.span] * 1000000000)


def declare_bar(
    encoding: int, span: int, state: int, type_key: str, type_name: str, symbol_key: str,
    fields: Mapping[str, int],
) -> None:
    """The message of a bar of this span in this BarState: its type, its symbol, then `fields`, each
    key with its OfBar."""
    cdef Form* form = &FORMS[vendor_of(encoding)][<int>span][<int>state]
    fill_form(form, style_of(encoding), type_key, type_name, symbol_key, fields)
