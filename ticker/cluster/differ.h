/* Which words of two rows differ: a bit for each of 32, from the lowest on. Words change at random, so
 * there is no branch for each; with AVX2, where the processor has it, four are compared at once. */
#ifndef TICKER_DIFFER_H
#define TICKER_DIFFER_H

#include <stdint.h>

#define TICKER_DIFFER_WORDS 32

static inline uint32_t ticker_differing_plain(const uint64_t *one, const uint64_t *other) {
    uint32_t mask = 0;
    int word;
    for (word = 0; word < TICKER_DIFFER_WORDS; word++)
        mask |= (uint32_t)(one[word] != other[word]) << word;
    return mask;
}

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("avx2")))
static inline uint32_t ticker_differing_wide(const uint64_t *one, const uint64_t *other) {
    uint32_t same = 0;
    int word;
    for (word = 0; word < TICKER_DIFFER_WORDS; word += 4) {
        __m256i equal = _mm256_cmpeq_epi64(
            _mm256_loadu_si256((const __m256i *)(one + word)),
            _mm256_loadu_si256((const __m256i *)(other + word)));
        same |= (uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(equal)) << word;
    }
    return ~same;
}
#endif

static inline uint32_t ticker_differing(const uint64_t *one, const uint64_t *other) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) return ticker_differing_wide(one, other);
#endif
    return ticker_differing_plain(one, other);
}

#endif
