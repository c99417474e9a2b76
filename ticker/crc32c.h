/* CRC-32C (Castagnoli, reflected 0x82F63B78), as in RFC 3720, B.4: with the SSE 4.2 instruction
 * where the processor has it, else from a table of 256 words.
 *
 * The instruction takes three cycles, and another one may begin in each of them. So long blocks are
 * taken as three streams beside each other. The registers of the first two are then moved behind the
 * bytes that follow them: that is linear, a table for each byte of a register.
 * Source: M. Adler's crc32c.c, and V. Gopal et al., "Fast CRC Computation for iSCSI Polynomial Using
 * CRC32 Instruction", Intel 2011. */
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
#define TICKER_CRC32C_STREAM ((size_t)256)

static uint32_t ticker_crc32c_moves[4][256];

/* Fill the table that moves a register behind TICKER_CRC32C_STREAM bytes of zeros. */
__attribute__((constructor)) static void ticker_crc32c_fill_moves(void) {
    static const uint8_t zeros[TICKER_CRC32C_STREAM];
    uint32_t place, value, bit;
    for (place = 0; place < 4; place++) {
        for (bit = 0; bit < 8; bit++)
            ticker_crc32c_moves[place][1u << bit] =
                ticker_crc32c_plain(1u << (8 * place + bit), zeros, TICKER_CRC32C_STREAM);
        for (value = 1; value < 256; value++)
            ticker_crc32c_moves[place][value] =
                ticker_crc32c_moves[place][value & (value - 1)]
                ^ ticker_crc32c_moves[place][value & (0u - value)];
    }
}

static inline uint32_t ticker_crc32c_moved(uint32_t crc) {
    return ticker_crc32c_moves[0][crc & 0xFF] ^ ticker_crc32c_moves[1][crc >> 8 & 0xFF]
        ^ ticker_crc32c_moves[2][crc >> 16 & 0xFF] ^ ticker_crc32c_moves[3][crc >> 24];
}

__attribute__((target("sse4.2")))
static inline uint32_t ticker_crc32c_sse(uint32_t crc, const uint8_t *data, size_t length) {
    uint64_t wide = crc, second, third, words[3];
    size_t at;
    while (length >= 3 * TICKER_CRC32C_STREAM) {
        second = third = 0;
        for (at = 0; at < TICKER_CRC32C_STREAM; at += 8) {
            memcpy(&words[0], data + at, 8);
            memcpy(&words[1], data + TICKER_CRC32C_STREAM + at, 8);
            memcpy(&words[2], data + 2 * TICKER_CRC32C_STREAM + at, 8);
            wide = __builtin_ia32_crc32di(wide, words[0]);
            second = __builtin_ia32_crc32di(second, words[1]);
            third = __builtin_ia32_crc32di(third, words[2]);
        }
        wide = ticker_crc32c_moved((uint32_t)wide) ^ second;
        wide = ticker_crc32c_moved((uint32_t)wide) ^ third;
        data += 3 * TICKER_CRC32C_STREAM;
        length -= 3 * TICKER_CRC32C_STREAM;
    }
    while (length >= 8) {
        memcpy(&words[0], data, 8);
        wide = __builtin_ia32_crc32di(wide, words[0]);
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
