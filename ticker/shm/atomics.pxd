"""C11 atomics on shared 64-bit words; see atomics.h."""

from libc.stdint cimport uint64_t


cdef extern from "ticker/shm/atomics.h" nogil:
    uint64_t load_acquire(const uint64_t *word)
    uint64_t load_relaxed(const uint64_t *word)
    void store_release(uint64_t *word, uint64_t value)
    void store_relaxed(uint64_t *word, uint64_t value)
    void add_relaxed(uint64_t *word, uint64_t value)
    void fence_acquire()
    void fence_release()
    void fence_full()
    void copy_words_out(uint64_t *to, const uint64_t *source, size_t words)
    void copy_words_in(uint64_t *to, const uint64_t *source, size_t words)
