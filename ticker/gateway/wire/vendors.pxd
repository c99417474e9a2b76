"""What the messages of all vendors' dialects are made of: forms, styles, and values as bytes."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from ticker.gateway.sockets.connection cimport ALL_ENCODINGS, ENCODINGS

cdef enum:
    VENDORS = ALL_ENCODINGS - ENCODINGS
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


cdef const Style* style_of(int encoding) noexcept nogil
cdef int begin_message(
    uint8_t* out, const Form* form, const Style* style, const char* symbol, size_t length
) noexcept nogil
cdef int end_message(uint8_t* out, int at, const Style* style, uint32_t entries) noexcept nogil
cdef int put_price(uint8_t* out, int at, const Style* style, int64_t price) noexcept nogil
cdef int put_size(
    uint8_t* out, int at, const Style* style, uint64_t size, uint64_t exponent
) noexcept nogil
cdef int put_fraction(uint8_t* out, int at, uint64_t size, uint64_t exponent) noexcept nogil
cdef uint64_t whole(uint64_t size, uint64_t exponent) noexcept nogil
cdef int put_number(uint8_t* out, int at, const Style* style, uint64_t number) noexcept nogil
cdef int put_id(uint8_t* out, int at, const Style* style, uint64_t number) noexcept nogil
cdef int put_time(uint8_t* out, int at, const Style* style, int64_t ns) noexcept nogil
cdef int put_letters(
    uint8_t* out, int at, const Style* style, const char* text, int length
) noexcept nogil
cdef int put_venue(uint8_t* out, int at, const Style* style, const char* venue) noexcept nogil
cdef int put_tape(uint8_t* out, int at, const Style* style, uint64_t tape) noexcept nogil
cdef int put_conditions(
    uint8_t* out, int at, const Style* style, uint64_t conditions, uint64_t tape
) noexcept nogil
cdef int fill_form(
    Form* form, const Style* style, str type_key, str type_name, str symbol_key, object fields
) except -1
cdef int vendor_of(int encoding) except -1
