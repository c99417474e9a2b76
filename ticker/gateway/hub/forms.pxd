"""Trades and quotes as messages of vendors' dialects, by the forms that the dialects declare."""

from libc.stdint cimport uint8_t

from ticker.gateway.hub.fields cimport Fields, Message


# What a field of a form tells. A value that is not there leaves its field out.
cpdef enum Of:
    OF_PRICE = 0
    OF_SIZE
    OF_WHOLE_SIZE                # without the fraction of a share
    OF_FRACTIONAL_SIZE           # the whole size as text, where the venue has fractions
    OF_TIME
    OF_VENUE
    OF_TRADE_ID
    OF_NEW_TRADE_ID              # the old one, if it stays
    OF_SEQ
    OF_CONDITIONS
    OF_OLD_PRICE
    OF_OLD_SIZE
    OF_OLD_CONDITIONS
    OF_TAPE
    OF_BID
    OF_BID_SIZE
    OF_BID_VENUE
    OF_ASK
    OF_ASK_SIZE
    OF_ASK_VENUE
    OF_QUOTE_TIME
    OF_QUOTES
    OF_CANCEL_ACTION             # that a trade was cancelled
    OF_COUNT


cdef int begin_form(
    uint8_t* out, int encoding, int channel, Message message, const char* symbol, size_t length
) noexcept nogil
cdef int form_fields(
    uint8_t* out, int at, int encoding, int channel, Message message, const Fields* fields
) noexcept nogil
