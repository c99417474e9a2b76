/* CRC-32C (Castagnoli, reflected 0x82F63B78), as in RFC 3720, B.4: with the SSE 4.2 instruction
 * where the processor has it, else from a table of 256 words. */
#ifndef TICKER_CRC32C_H
#define TICKER_CRC32C_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static uint32_t ticker_crc32c_table[256];

static inline void ticker_crc32c_fill(void) {
    uint32_t i, value;
    int bit;
    for (i = 0; i < 256; i++) {
        value = i;
        for (bit = 0; bit < 8; bit++) value = (value >> 1) ^ (0x82F63B78u & (0u - (value & 1)));
        ticker_crc32c_table[i] = value;
    }
}

static inline uint32_t ticker_crc32c_plain(uint32_t crc, const uint8_t *data, size_t length) {
    if (!ticker_crc32c_table[1]) ticker_crc32c_fill();
    while (length--) crc = (crc >> 8) ^ ticker_crc32c_table[(crc ^ *data++) & 0xFF];
    return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2")))
static inline uint32_t ticker_crc32c_sse(uint32_t crc, const uint8_t *data, size_t length) {
    uint64_t wide = crc, word;
    while (length >= 8) {
        memcpy(&word, data, 8);
        wide = __builtin_ia32_crc32di(wide, word);
        data += 8;
        length -= 8;
    }
    crc = (uint32_t)wide;
    while (length--) crc = __builtin_ia32_crc32qi(crc, *data++);
    return crc;
}
#endif

/* The register after `length` more bytes at `data`; it begins as all ones, and the checksum is its
 * complement. */
static inline uint32_t ticker_crc32c_more(uint32_t crc, const void *data, size_t length) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2"))
        return ticker_crc32c_sse(crc, (const uint8_t *)data, length);
#endif
    return ticker_crc32c_plain(crc, (const uint8_t *)data, length);
}

/* The checksum of `length` bytes at `data`. */
static inline uint32_t ticker_crc32c(const void *data, size_t length) {
    return ticker_crc32c_more(0xFFFFFFFFu, data, length) ^ 0xFFFFFFFFu;
}

#endif
