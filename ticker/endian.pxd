"""Unsigned integers at any address, as exchanges send them: be* big-endian, le* little-endian.

The caller has checked that the bytes are there.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t


cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    static inline uint16_t ticker_be16(const uint8_t *at) {
        uint16_t value;
        memcpy(&value, at, 2);
        return __builtin_bswap16(value);
    }
    static inline uint32_t ticker_be32(const uint8_t *at) {
        uint32_t value;
        memcpy(&value, at, 4);
        return __builtin_bswap32(value);
    }
    static inline uint64_t ticker_be48(const uint8_t *at) {
        return ((uint64_t)ticker_be16(at) << 32) | ticker_be32(at + 2);
    }
    static inline uint64_t ticker_be64(const uint8_t *at) {
        uint64_t value;
        memcpy(&value, at, 8);
        return __builtin_bswap64(value);
    }
    static inline uint16_t ticker_le16(const uint8_t *at) {
        uint16_t value;
        memcpy(&value, at, 2);
        return value;
    }
    static inline uint32_t ticker_le32(const uint8_t *at) {
        uint32_t value;
        memcpy(&value, at, 4);
        return value;
    }
    static inline void ticker_put_be16(uint8_t *at, uint16_t value) {
        value = __builtin_bswap16(value);
        memcpy(at, &value, 2);
    }
    static inline void ticker_put_le16(uint8_t *at, uint16_t value) {
        memcpy(at, &value, 2);
    }
    static inline uint64_t ticker_le64(const uint8_t *at) {
        uint64_t value;
        memcpy(&value, at, 8);
        return value;
    }
    """
    uint16_t be16 "ticker_be16"(const uint8_t* at) nogil
    uint32_t be32 "ticker_be32"(const uint8_t* at) nogil
    uint64_t be48 "ticker_be48"(const uint8_t* at) nogil
    uint64_t be64 "ticker_be64"(const uint8_t* at) nogil
    uint16_t le16 "ticker_le16"(const uint8_t* at) nogil
    uint32_t le32 "ticker_le32"(const uint8_t* at) nogil
    uint64_t le64 "ticker_le64"(const uint8_t* at) nogil
    void put_be16 "ticker_put_be16"(uint8_t* at, uint16_t value) nogil
    void put_le16 "ticker_put_le16"(uint8_t* at, uint16_t value) nogil
