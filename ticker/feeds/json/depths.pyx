"""Books whose vendor keeps only the best levels up to date, and their checksums.

Law: a level that falls out of the best `depth` is forgotten once the whole text is taken, not
before: a vendor tells of no level that was in the depth before the text and is in it after it.

Kraken's checksum (WebSocket v2, guide "Book checksum"): the best ten asks, the lowest first, then
the best ten bids, the highest first; of each level the digits of the price and of the quantity
without the point and without leading zeros; CRC-32 (ISO 3309, as zlib has it) of all these together.
The digits are those of the wire, where every price and every quantity of a symbol has the same
decimals. So they are made here from the numbers and from how many decimals the symbol is written
with.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free

from ticker.feeds.market.book cimport ASK, BID, Ladder
from ticker.units cimport write_uint

cdef enum:
    PROVEN_LEVELS = 10
    DIGITS = 20                  # of a uint64

cdef uint32_t[256] CRC
cdef uint32_t _crc
cdef int _byte, _bit
for _byte in range(256):
    _crc = <uint32_t>_byte
    for _bit in range(8):
        _crc = (_crc >> 1) ^ (<uint32_t>0xEDB88320 if _crc & 1 else 0)
    CRC[_byte] = _crc

cdef uint64_t[20] POWERS
POWERS[0] = 1
for _byte in range(1, 20):
    POWERS[_byte] = POWERS[_byte - 1] * 10


cdef class Depths:
    """The books of `market` whose sizes have `size_decimals`."""

    def __cinit__(self, Market market not None, int size_decimals) -> None:
        self.market = market
        self.size_decimals = size_decimals
        rows = market.rows.mapping.row_capacity
        self.written = <Written*>calloc(rows, sizeof(Written))
        self.touched = <Touched*>calloc(rows, sizeof(Touched))
        if self.written == NULL or self.touched == NULL:
            raise MemoryError("no memory for books")

    def __dealloc__(self) -> None:
        free(self.written)
        free(self.touched)

    cdef Touched* touch(self, int32_t row, uint32_t depth) noexcept nogil:
        cdef uint32_t place = self.written[row].place
        if not place:
            self.touched[self.count] = Touched(row, depth, False, 0)
            self.count += 1
            place = self.written[row].place = self.count
        return &self.touched[place - 1]

    cdef void note(
        self, int32_t row, const char* price, uint32_t price_length, const char* size,
        uint32_t size_length,
    ) noexcept nogil:
        """How a level of a row is written."""
        cdef Written* written = &self.written[row]
        cdef int prices = decimals_of(price, price_length)
        cdef int sizes = decimals_of(size, size_length)
        if prices < 0 or sizes < 0 or prices > 9 or sizes > self.size_decimals:
            written.unknown = True
            return
        written.price = <uint8_t>max(<int>written.price, prices)
        written.size = <uint8_t>max(<int>written.size, sizes)

    cdef void begin(self, int32_t row) noexcept nogil:
        """The book of a row begins anew."""
        self.written[row].price = self.written[row].size = 0
        self.written[row].unknown = self.written[row].wrong = False

    cdef Verdict settle(self, Touched* book) noexcept nogil:
        cdef int side
        self.written[book.row].place = 0
        for side in range(2):
            self.market.book.cut(<uint32_t>book.row, <uint32_t>side, book.depth)
        if not book.proves or self.written[book.row].unknown:
            return UNPROVEN
        return PROVEN if self.checksum(book.row) == book.checksum else WRONG

    cdef uint32_t checksum(self, int32_t row) noexcept nogil:
        cdef const Written* written = &self.written[row]
        cdef uint32_t crc = <uint32_t>0xFFFFFFFF
        cdef int64_t price
        cdef uint64_t size
        cdef uint32_t i
        cdef int asks
        cdef const Ladder* ladder
        for asks in range(1, -1, -1):
            ladder = &self.market.book.ladders[2 * row + (ASK if asks else BID)]
            for i in range(min(ladder.count, <uint32_t>PROVEN_LEVELS)):
                price = ladder.levels[ladder.count - 1 - i].rank
                size = ladder.levels[ladder.count - 1 - i].size
                price = -price if asks else price
                crc = with_digits(crc, <uint64_t>price // POWERS[9 - written.price])
                crc = with_digits(crc, size // POWERS[self.size_decimals - written.size])
        return crc ^ <uint32_t>0xFFFFFFFF


cdef uint32_t with_digits(uint32_t crc, uint64_t value) noexcept nogil:
    cdef char[DIGITS] digits
    cdef int i
    for i in range(write_uint(digits, value)):
        crc = CRC[(crc ^ <uint8_t>digits[i]) & 0xFF] ^ (crc >> 8)
    return crc


cdef int decimals_of(const char* text, uint32_t length) noexcept nogil:
    """Digits after the point of a number; -1: it has an exponent."""
    cdef uint32_t i
    cdef int found = 0
    cdef bint point = False
    for i in range(length):
        if text[i] == c"e" or text[i] == c"E":
            return -1
        found += point
        point = point or text[i] == c"."
    return found
