"""What the messages of all vendors' dialects are made of: forms, styles, and values as bytes.

A form names the fields of a message; a style is how an encoding writes what vendors write in
different ways: times, venues, tapes, conditions. Numbers stand for prices, in JSON with all digits,
in MessagePack as floats. The rooms that have values (hub/forms.pyx, bars/forms.pyx) put them.
Sources: RFC 8259; github.com/msgpack/msgpack/blob/master/spec.md (timestamp: extension type -1).
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from ticker.gateway.sockets.connection cimport ALL_ENCODINGS, ENCODINGS
from ticker.gateway.wire.msgpack cimport put_uint
from ticker.jsontext cimport put_symbol
from ticker.shm.layout cimport TRADE_EXTENDED, TRADE_ODD_LOT, VENUE_BYTES
from ticker.units cimport TIMESTAMP_TEXT, write_price, write_size, write_timestamp, write_uint

cdef Style[VENDORS] STYLES


cdef const Style* style_of(int encoding) noexcept nogil:
    return &STYLES[encoding - ENCODINGS]


cdef int begin_message(
    uint8_t* out, const Form* form, const Style* style, const char* symbol, size_t length
) noexcept nogil:
    """What never changes of a message, up to its symbol; the bytes written, at least 1."""
    cdef int at = form.head_length
    if not at:
        return 1
    memcpy(out, form.head, at)
    if style.packed:
        out[at] = <uint8_t>(0xA0 | length)
        memcpy(out + at + 1, symbol, length)
        return at + 1 + <int>length
    at = put_symbol(<char*>out, at, symbol, length)
    out[at] = c'"'
    return at + 1


cdef int end_message(uint8_t* out, int at, const Style* style, uint32_t entries) noexcept nogil:
    """Close a message with this many fields; the bytes of all of it."""
    if style.packed:
        out[0] = 0xDE
        out[1] = <uint8_t>(entries >> 8)
        out[2] = <uint8_t>entries
        return at
    out[at] = c"}"
    return at + 1


cdef int put_price(uint8_t* out, int at, const Style* style, int64_t price) noexcept nogil:
    """JSON: all digits. MessagePack: the nearest float, as the vendor has it."""
    if style.packed:
        return put_float(out, at, price / 1e9)
    return at + write_price(<char*>out + at, price)


cdef int put_size(
    uint8_t* out, int at, const Style* style, uint64_t size, uint64_t exponent
) noexcept nogil:
    cdef double power = 1
    if not style.packed:
        return at + write_size(<char*>out + at, size, exponent)
    if not exponent:
        return put_uint(<char*>out, at, size)
    while exponent:
        power *= 10
        exponent -= 1
    return put_float(out, at, size / power)


cdef int put_fraction(uint8_t* out, int at, uint64_t size, uint64_t exponent) noexcept nogil:
    """A size as text; only JSON has such a field."""
    out[at] = c'"'
    at += 1 + write_size(<char*>out + at + 1, size, exponent)
    out[at] = c'"'
    return at + 1


cdef uint64_t whole(uint64_t size, uint64_t exponent) noexcept nogil:
    while exponent:
        size //= 10
        exponent -= 1
    return size


cdef int put_float(uint8_t* out, int at, double value) noexcept nogil:
    """A float 64, big-endian."""
    cdef uint64_t bits
    memcpy(&bits, &value, 8)
    out[at] = 0xCB
    return put_eight(out, at + 1, bits)


cdef int put_eight(uint8_t* out, int at, uint64_t bits) noexcept nogil:
    cdef int i
    for i in range(8):
        out[at + i] = <uint8_t>(bits >> (8 * (7 - i)))
    return at + 8


cdef int put_number(uint8_t* out, int at, const Style* style, uint64_t number) noexcept nogil:
    if style.packed:
        return put_uint(<char*>out, at, number)
    return at + write_uint(<char*>out + at, number)


cdef int put_id(uint8_t* out, int at, const Style* style, uint64_t number) noexcept nogil:
    """A trade's number; as text where venues are numbers (Polygon)."""
    if not number:
        return 0
    if style.letters:
        return put_number(out, at, style, number)
    out[at] = c'"'
    at += 1 + write_uint(<char*>out + at + 1, number)
    out[at] = c'"'
    return at + 1


cdef int put_time(uint8_t* out, int at, const Style* style, int64_t ns) noexcept nogil:
    cdef int64_t second = ns // 1000000000
    cdef int64_t rest = ns - second * 1000000000
    if ns < 0:
        ns = second = rest = 0
    if style.times == TIMES_MS:
        return put_number(out, at, style, <uint64_t>(ns // 1000000))
    if style.times == TIMES_STAMP:  # timestamp 64: 30 bits of ns, 34 bits of s
        out[at] = 0xD7
        out[at + 1] = 0xFF
        return put_eight(out, at + 2, <uint64_t>rest << 34 | <uint64_t>second)
    out[at] = c'"'
    write_timestamp(<char*>out + at + 1, ns)
    at += TIMESTAMP_TEXT  # on its Z: three digits go before it
    rest %= 1000
    out[at] = <uint8_t>(c"0" + rest // 100)
    out[at + 1] = <uint8_t>(c"0" + rest // 10 % 10)
    out[at + 2] = <uint8_t>(c"0" + rest % 10)
    out[at + 3] = c"Z"
    out[at + 4] = c'"'
    return at + 5


cdef int put_letters(
    uint8_t* out, int at, const Style* style, const char* text, int length
) noexcept nogil:
    """A short text."""
    out[at] = <uint8_t>(0xA0 | length) if style.packed else <uint8_t>c'"'
    memcpy(out + at + 1, text, length)
    at += 1 + length
    if not style.packed:
        out[at] = c'"'
        at += 1
    return at


cdef int put_venue(uint8_t* out, int at, const Style* style, const char* venue) noexcept nogil:
    cdef const Venue* found = &style.other
    cdef uint64_t mic
    cdef uint32_t i
    memcpy(&mic, venue, VENUE_BYTES)
    for i in range(style.venue_count):
        if style.venues[i].mic == mic:
            found = &style.venues[i]
            break
    if not found.length:
        return 0
    if style.letters:
        return put_letters(out, at, style, found.name, found.length)
    memcpy(out + at, found.name, found.length)
    return at + found.length


cdef int put_tape(uint8_t* out, int at, const Style* style, uint64_t tape) noexcept nogil:
    cdef char letter = <char>(c"A" + tape - 1)
    if not style.letters:
        return put_number(out, at, style, tape) if tape else 0
    return put_letters(out, at, style, &letter, 1 if tape else 0)


cdef int put_conditions(
    uint8_t* out, int at, const Style* style, uint64_t conditions, uint64_t tape
) noexcept nogil:
    """Letters of the tape that the symbol is on (a regular sale is a blank on CTA's tapes A and B, @
    on UTP's), or Polygon's numbers, none for a regular sale."""
    cdef bint extended = conditions & TRADE_EXTENDED != 0
    cdef bint odd = conditions & TRADE_ODD_LOT != 0
    if not style.letters:
        return put_numbers(out, at, extended, odd)
    if style.packed:
        out[at] = <uint8_t>(0x91 + extended + odd)
    else:
        out[at] = c"["
    at = put_letters(out, at + 1, style, b" " if tape == 1 or tape == 2 else b"@", 1)
    if extended:
        at = put_further(out, at, style, b"T")
    if odd:
        at = put_further(out, at, style, b"I")
    if not style.packed:
        out[at] = c"]"
        at += 1
    return at


cdef int put_further(uint8_t* out, int at, const Style* style, const char* letter) noexcept nogil:
    if not style.packed:
        out[at] = c","
        at += 1
    return put_letters(out, at, style, letter, 1)


cdef int put_numbers(uint8_t* out, int at, bint extended, bint odd) noexcept nogil:
    """12: form T, extended hours; 37: an odd lot."""
    cdef const char* text = b"[12,37]" if extended and odd else b"[12]" if extended else b"[37]"
    cdef int length = 7 if extended and odd else 4
    if not extended and not odd:
        return 0
    memcpy(out + at, text, length)
    return at + length


# -- declarations ---------------------------------------------------------------------------


def declare_style(
    encoding: int, packed: bool, times: str, letters: bool, venues: dict[str, str], other: str = ""
) -> None:
    """How an encoding writes times ("text", "stamp" or "ms"), venues (a name for each MIC, `other` for
    the rest, "" to leave the field out), and whether codes are letters."""
    cdef Style* style = &STYLES[vendor_of(encoding)]
    if len(venues) > MOST_VENUES:
        raise ValueError(f"{len(venues)} venues: {MOST_VENUES} at most")
    style.packed = packed
    style.times = ("text", "stamp", "ms").index(times)
    style.letters = letters
    style.venue_count = len(venues)
    for i, (mic, name) in enumerate(venues.items()):
        style.venues[<uint32_t>i] = venue_of(mic, name)
    style.other = venue_of("", other)


cdef Venue venue_of(str mic, str name) except *:
    cdef Venue venue
    cdef bytes key = mic.encode("ascii")
    cdef bytes text = name.encode("ascii")
    if len(key) > VENUE_BYTES or len(text) > MOST_NAME:
        raise ValueError(f"venue {mic!r}: {name!r} is too long")
    memset(&venue, 0, sizeof(Venue))
    memcpy(&venue.mic, <const char*>key, len(key))
    memcpy(venue.name, <const char*>text, len(text))
    venue.length = <uint8_t>len(text)
    return venue


cdef int fill_form(
    Form* form, const Style* style, str type_key, str type_name, str symbol_key, object fields
) except -1:
    """A message: its type, its symbol, then `fields`, each key with the number of its value."""
    cdef bytes head
    if style.packed:
        head = bytes(MAP_HEAD) + short(type_key) + short(type_name) + short(symbol_key)
    else:
        head = f'{{"{type_key}":"{type_name}","{symbol_key}":"'.encode()
    if len(head) > MOST_HEAD or len(fields) > MOST_FIELDS:
        raise ValueError(f"form {type_name!r}: its head or its fields are too many")
    form.head_length = <uint8_t>len(head)
    memcpy(form.head, <const uint8_t*>head, len(head))
    form.count = len(fields)
    for i, (key, of) in enumerate(fields.items()):
        set_field(
            &form.fields[<uint32_t>i], short(key) if style.packed else f',"{key}":'.encode(), of
        )
    return 0


cdef int set_field(Field* field, bytes key, int of) except -1:
    if len(key) > MOST_KEY or not 0 <= of < 256:
        raise ValueError(f"field {key!r}: its key is too long, or {of} is no number of a value")
    field.of = <uint8_t>of
    field.key_length = <uint8_t>len(key)
    memcpy(field.key, <const uint8_t*>key, len(key))
    return 0


cdef bytes short(str text):
    """A MessagePack string of at most 31 bytes."""
    if len(text) > 31:
        raise ValueError(f"{text!r}: more than 31 characters")
    return bytes([0xA0 | len(text)]) + text.encode("ascii")


cdef int vendor_of(int encoding) except -1:
    if not ENCODINGS <= encoding < ALL_ENCODINGS:
        raise ValueError(f"encoding {encoding}: not one of a vendor")
    return encoding - ENCODINGS
