"""The messages of vendors' dialects as bytes, by the forms that the dialects declare."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from ticker.gateway.hub.fields cimport MESSAGE_CANCEL, Fields, Message
from ticker.gateway.sockets.connection cimport ALL_ENCODINGS, ENCODINGS


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

cdef enum:
    VENDORS = ALL_ENCODINGS - ENCODINGS
    MESSAGES = MESSAGE_CANCEL + 1
    MOST_FIELDS = 16
    MOST_KEY = 12                # bytes in front of a value: its key, and what parts it from the last
    MOST_HEAD = 40               # bytes in front of the symbol
    MOST_VENUES = 32
    MOST_NAME = 4
    MAP_HEAD = 3                 # map 16

# How an encoding writes what vendors write in different ways.
cdef enum Times:
    TIMES_TEXT = 0               # RFC 3339 with nanoseconds
    TIMES_STAMP = 1              # MessagePack's timestamp
    TIMES_MS = 2

cdef struct Field:
    uint8_t of
    uint8_t key_length
    uint8_t key[MOST_KEY]

cdef struct Form:
    uint8_t head_length          # 0: there is no such message
    uint8_t head[MOST_HEAD]
    uint32_t count
    Field[MOST_FIELDS] fields

cdef struct Venue:
    uint64_t mic
    uint8_t length
    char name[MOST_NAME]

cdef struct Style:
    uint8_t packed               # MessagePack, else JSON
    uint8_t times
    uint8_t letters              # venues, tapes, conditions are letters and ids numbers; else numbers, and text
    uint32_t venue_count
    Venue[MOST_VENUES] venues
    Venue other                  # of a venue that has no name here; length 0: the field is left out


cdef int begin_form(
    uint8_t* out, int encoding, int channel, Message message, const char* symbol, size_t length
) noexcept nogil
cdef int form_fields(
    uint8_t* out, int at, int encoding, int channel, Message message, const Fields* fields
) noexcept nogil
