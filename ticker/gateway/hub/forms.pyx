"""Trades and quotes as messages of vendors' dialects, by the forms that the dialects declare.

A form is declared once, at import, by the dialect's file; a channel or message without a form has no
bytes, and nothing is sent of it.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memcpy

from ticker.gateway.hub.fields cimport CHANNELS, MESSAGE_CANCEL, Fields, Message
from ticker.gateway.sockets.connection cimport ENCODINGS
from ticker.gateway.wire.vendors cimport (
    VENDORS,
    Form,
    Style,
    begin_message,
    end_message,
    fill_form,
    put_conditions,
    put_fraction,
    put_id,
    put_letters,
    put_number,
    put_price,
    put_size,
    put_tape,
    put_time,
    put_venue,
    style_of,
    vendor_of,
    whole,
)
from ticker.shm.layout cimport ROW_HAS_ASK, ROW_HAS_BID, ROW_HAS_LAST

from collections.abc import Mapping

cdef enum:
    MESSAGES = MESSAGE_CANCEL + 1

cdef Form[VENDORS][CHANNELS][MESSAGES] FORMS


cdef int begin_form(
    uint8_t* out, int encoding, int channel, Message message, const char* symbol, size_t length
) noexcept nogil:
    """What never changes of a message, up to its symbol; the bytes written, at least 1."""
    return begin_message(
        out, &FORMS[encoding - ENCODINGS][channel][<int>message], style_of(encoding), symbol, length
    )


cdef int form_fields(
    uint8_t* out, int at, int encoding, int channel, Message message, const Fields* fields
) noexcept nogil:
    """The rest behind begin_form(); the bytes of the whole message, 0: there is none."""
    cdef const Form* form = &FORMS[encoding - ENCODINGS][channel][<int>message]
    cdef const Style* style = style_of(encoding)
    cdef uint32_t entries = 2  # the type and the symbol
    cdef uint32_t i
    cdef int end
    if not form.head_length:
        return 0
    for i in range(form.count):
        memcpy(out + at, form.fields[i].key, form.fields[i].key_length)
        end = put_value(
            out, at + form.fields[i].key_length, <Of>form.fields[i].of, style, fields
        )
        if end:
            at = end
            entries += 1
    return end_message(out, at, style, entries)


cdef int put_value(
    uint8_t* out, int at, Of of, const Style* style, const Fields* fields
) noexcept nogil:
    """One value; where it ends, 0: there is none."""
    if of == OF_PRICE:
        return put_price(out, at, style, fields.price if fields.has & ROW_HAS_LAST else 0)
    if of == OF_SIZE:
        return put_size(out, at, style, fields.size, fields.size_exponent)
    if of == OF_WHOLE_SIZE:
        return put_number(out, at, style, whole(fields.size, fields.size_exponent))
    if of == OF_FRACTIONAL_SIZE:
        return put_fraction(out, at, fields.size, fields.size_exponent) if fields.size_exponent else 0
    if of == OF_TIME:
        return put_time(out, at, style, fields.time)
    if of == OF_VENUE:
        return put_venue(out, at, style, fields.venue)
    if of == OF_TRADE_ID:
        return put_id(out, at, style, fields.trade_id)
    if of == OF_NEW_TRADE_ID:
        return put_id(out, at, style, fields.new_trade_id or fields.trade_id)
    if of == OF_SEQ:
        return put_number(out, at, style, fields.seq)
    if of == OF_CONDITIONS:
        return put_conditions(out, at, style, fields.conditions, fields.tape)
    if of == OF_OLD_PRICE:
        return put_price(out, at, style, fields.old_price)
    if of == OF_OLD_SIZE:
        return put_size(out, at, style, fields.old_size, fields.size_exponent)
    if of == OF_OLD_CONDITIONS:
        return put_conditions(out, at, style, fields.old_conditions, fields.tape)
    if of == OF_TAPE:
        return put_tape(out, at, style, fields.tape)
    if of == OF_CANCEL_ACTION:
        return put_letters(out, at, style, b"C", 1)
    return put_quote_value(out, at, of, style, fields)


cdef int put_quote_value(
    uint8_t* out, int at, Of of, const Style* style, const Fields* fields
) noexcept nogil:
    """The same of a quote: a side that is empty has price and size 0, and no venue."""
    cdef bint bid = fields.has & ROW_HAS_BID != 0
    cdef bint ask = fields.has & ROW_HAS_ASK != 0
    if of == OF_BID:
        return put_price(out, at, style, fields.bid if bid else 0)
    if of == OF_BID_SIZE:
        return put_size(out, at, style, fields.bid_size if bid else 0, fields.size_exponent)
    if of == OF_BID_VENUE:
        return put_venue(out, at, style, fields.bid_venue) if bid else 0
    if of == OF_ASK:
        return put_price(out, at, style, fields.ask if ask else 0)
    if of == OF_ASK_SIZE:
        return put_size(out, at, style, fields.ask_size if ask else 0, fields.size_exponent)
    if of == OF_ASK_VENUE:
        return put_venue(out, at, style, fields.ask_venue) if ask else 0
    if of == OF_QUOTE_TIME:
        return put_time(out, at, style, fields.quote_time or fields.time)
    if of == OF_QUOTES:
        return put_number(out, at, style, fields.quotes)
    return 0


def declare_form(
    encoding: int, channel: int, message: int, type_key: str, type_name: str, symbol_key: str,
    fields: Mapping[str, int],
) -> None:
    """The message of a channel: its type, its symbol, then `fields`, each key with its Of."""
    cdef Form* form = &FORMS[vendor_of(encoding)][<int>channel][<int>message]
    fill_form(form, style_of(encoding), type_key, type_name, symbol_key, fields)
