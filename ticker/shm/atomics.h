/* C11 atomics on plain 64-bit words of shared memory.
 *
 * Every shared word is read and written through these; the casts are what the kernel's
 * and Agrona's mappings do too: a naturally aligned uint64_t and _Atomic uint64_t have the
 * same size, alignment and representation on every platform that this builds on.
 */
#ifndef TICKER_ATOMICS_H
#define TICKER_ATOMICS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

_Static_assert(sizeof(_Atomic uint64_t) == sizeof(uint64_t), "atomic words must be plain words");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "64-bit atomics must be lock-free");

static inline uint64_t load_acquire(const uint64_t *word) {
    return atomic_load_explicit((const _Atomic uint64_t *)word, memory_order_acquire);
}

static inline uint64_t load_relaxed(const uint64_t *word) {
    return atomic_load_explicit((const _Atomic uint64_t *)word, memory_order_relaxed);
}

static inline void store_release(uint64_t *word, uint64_t value) {
    atomic_store_explicit((_Atomic uint64_t *)word, value, memory_order_release);
}

static inline void store_relaxed(uint64_t *word, uint64_t value) {
    atomic_store_explicit((_Atomic uint64_t *)word, value, memory_order_relaxed);
}

static inline void fence_acquire(void) { atomic_thread_fence(memory_order_acquire); }

static inline void fence_release(void) { atomic_thread_fence(memory_order_release); }

static inline void fence_full(void) { atomic_thread_fence(memory_order_seq_cst); }

/* A counter of a single writer: no read-modify-write cycle is needed. */
static inline void add_relaxed(uint64_t *word, uint64_t value) {
    store_relaxed(word, load_relaxed(word) + value);
}

/* Copies are word by word: a race that the law of C11 allows, where memcpy on shared memory is
 * one that it does not. GCC neither vectorises nor unrolls atomics by itself; unrolled, a row
 * reads in a third of the time (docs/decisions/word-copies.md). */
#if defined(__clang__)
#define TICKER_UNROLL _Pragma("unroll")
#else
#define TICKER_UNROLL _Pragma("GCC unroll 32")
#endif

static inline void copy_words_out(uint64_t *to, const uint64_t *from, size_t words) {
    TICKER_UNROLL
    for (size_t i = 0; i < words; i++) to[i] = load_relaxed(from + i);
}

static inline void copy_words_in(uint64_t *to, const uint64_t *from, size_t words) {
    TICKER_UNROLL
    for (size_t i = 0; i < words; i++) store_relaxed(to + i, from[i]);
}

#endif
