/* Which words of a row that another process writes differ from what was told of it: a bit for each of
 * 32, from the lowest on; and what those are now.
 *
 * Words change at random, so there is no branch for each. They are compared as they are loaded: a copy
 * of them would be read again by wider loads than it was stored by, and those wait until all stores
 * before them are done. */
#ifndef TICKER_DIFFER_H
#define TICKER_DIFFER_H

#include <stdint.h>

#include "ticker/shm/atomics.h"

#define TICKER_DIFFER_WORDS 32
#define TICKER_DIFFER_COMMON 24

/* `common` and `rest` are the two places of a row's words. Of a row that is written meanwhile the words
 * are of no use. */
static inline uint32_t ticker_differing(const uint64_t *common, const uint64_t *rest,
                                        const uint64_t *told, uint64_t *now) {
    uint32_t mask = 0, left;
    int word;
    TICKER_UNROLL
    for (word = 0; word < TICKER_DIFFER_COMMON; word++)
        mask |= (uint32_t)(load_relaxed(common + word) != told[word]) << word;
    TICKER_UNROLL
    for (word = TICKER_DIFFER_COMMON; word < TICKER_DIFFER_WORDS; word++)
        mask |= (uint32_t)(load_relaxed(rest + word - TICKER_DIFFER_COMMON) != told[word]) << word;
    for (left = mask; left; left &= left - 1) {
        word = __builtin_ctz(left);
        now[word] = load_relaxed(word < TICKER_DIFFER_COMMON
                                     ? common + word : rest + word - TICKER_DIFFER_COMMON);
    }
    return mask;
}

#endif
