"""What exchanges send of an instrument itself: its symbol, padded, and where it is listed."""

from libc.stdint cimport uint8_t


cdef inline size_t symbol_length(const uint8_t* symbol, size_t length, bint loose) noexcept nogil:
    """Bytes of a symbol without the spaces that pad it; 0: it is none, or cannot be one.

    `loose`: zeros pad it too, and a kind of share may follow a space (BRK A)."""
    cdef size_t i
    while length and (symbol[length - 1] == c" " or (loose and not symbol[length - 1])):
        length -= 1
    for i in range(length):
        if not 0x20 < symbol[i] < 0x7F and not (loose and i and symbol[i] == c" "):
            return 0
    return length


cdef inline const char* listing_venue(uint8_t exchange) noexcept nogil:
    """The MIC of an exchange code of the consolidated tape, NULL: none that is known."""
    if exchange == c"N":
        return b"XNYS"
    if exchange == c"P":
        return b"ARCX"
    if exchange == c"A":
        return b"XASE"
    if exchange == c"Q":
        return b"XNAS"
    if exchange == c"Z":
        return b"BATS"
    if exchange == c"V":
        return b"IEXG"
    return NULL
