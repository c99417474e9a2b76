"""FIX tag=value text: fields and frames, read where the bytes are.

Pointers into a frame live as long as the frame. Source: FIX 4.4 volume 1 ("Message Format",
"Field Delimiter", "Data Types"), volume 2 ("Garbled messages").
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t


cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    #ifdef __SSE2__
    typedef char ticker_16 __attribute__((vector_size(16), aligned(1)));
    #endif
    /* The first SOH in [at, end), or end: 16 bytes at a time where the machine can, or 8. */
    static inline const uint8_t *ticker_soh(const uint8_t *at, const uint8_t *end) {
    #ifdef __SSE2__
        const ticker_16 soh = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
        while (end - at >= 16) {
            ticker_16 bytes;
            memcpy(&bytes, at, 16);
            unsigned found = (unsigned)__builtin_ia32_pmovmskb128(bytes == soh);
            if (found) return at + __builtin_ctz(found);
            at += 16;
        }
    #endif
        while (end - at >= 8) {
            uint64_t word, zero;
            memcpy(&word, at, 8);
            word ^= 0x0101010101010101ULL;
            zero = (word - 0x0101010101010101ULL) & ~word & 0x8080808080808080ULL;
            if (zero) return at + (__builtin_ctzll(zero) >> 3);
            at += 8;
        }
        while (at < end && *at != 1) at++;
        return at;
    }
    /* Sum of bytes mod 256: wraps in the eight bits that count, so that it vectorises. */
    static inline uint8_t ticker_byte_sum(const uint8_t *at, size_t length) {
        uint8_t sum = 0;
        for (size_t i = 0; i < length; i++) sum = (uint8_t)(sum + at[i]);
        return sum;
    }
    """
    const uint8_t* find_soh "ticker_soh"(const uint8_t* at, const uint8_t* end) noexcept nogil
    uint8_t byte_sum "ticker_byte_sum"(const uint8_t* at, size_t length) noexcept nogil


cdef enum:
    TRAILER = 7                  # "10=ccc" and its SOH
    LONGEST_BEGIN_STRING = 16
    MOST_LENGTH_DIGITS = 9

cdef enum FrameState:
    FRAME_WHOLE = 0
    FRAME_CUT = 1                # more bytes are needed to say
    FRAME_GARBLED = 2

cdef struct Frame:
    const uint8_t* begin_string
    size_t begin_string_length
    const uint8_t* body          # "35=..." up to and including the SOH before "10="
    size_t body_length
    size_t length                # of the whole frame; garbled: of what it claims to be
    const uint8_t* after         # a garbled frame's successor starts here or later

cdef struct Field:
    uint32_t tag
    uint32_t length              # of the value
    const uint8_t* value

cdef struct Cursor:
    const uint8_t* at
    const uint8_t* end
    uint32_t data_tag            # a length field came: the next field's value is this long,
    uint64_t data_length         # any bytes
    bint malformed               # the walk ended before the end

cdef struct Header:
    uint32_t kind                # MsgType, its (one or two) characters as a big-endian number
    uint64_t sequence            # 0: none
    int64_t sending_time         # ns since the epoch, 0: none or not a time
    Field sender
    Field target
    bint possible_duplicate
    const uint8_t* end           # where the first field of the body proper begins
    bint whole                   # every field that the standard requires was there, well formed


cdef FrameState read_frame(
    const uint8_t* data, const uint8_t* end, size_t longest, Frame* frame
) noexcept nogil
cdef const uint8_t* find_start(const uint8_t* data, const uint8_t* end) noexcept nogil
cdef void read_header(const uint8_t* body, size_t length, Header* header) noexcept nogil
cdef bint next_field(Cursor* cursor, Field* field) noexcept nogil


cdef inline void walk(Cursor* cursor, const uint8_t* data, size_t length) noexcept nogil:
    cursor.at = data
    cursor.end = data + length
    cursor.data_tag = 0
    cursor.data_length = 0
    cursor.malformed = False
