"""Large zeroed blocks of private memory, in huge pages where the kernel gives them.

A hash table of orders is read at random: with 4 KiB pages most reads would also miss the TLB.
"""

cdef extern from *:
    """
    #include <stddef.h>
    #include <sys/mman.h>
    #define TICKER_HUGE_PAGE ((size_t)2 << 20)
    static inline size_t ticker_pages_length(size_t length) {
        size_t unit = length < TICKER_HUGE_PAGE ? 4096 : TICKER_HUGE_PAGE;
        return (length + unit - 1) / unit * unit;
    }
    /* NULL when there is no memory. Whole pages, zeroed, backed when first touched. */
    static inline void *ticker_take_pages(size_t length) {
        size_t whole = ticker_pages_length(length), slack, before;
        char *start;
        if (!whole) return NULL;
        slack = whole < TICKER_HUGE_PAGE ? 0 : TICKER_HUGE_PAGE;
        start = mmap(NULL, whole + slack, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (start == MAP_FAILED) return NULL;
        if (!slack) return start;
        before = (TICKER_HUGE_PAGE - ((size_t)start & (TICKER_HUGE_PAGE - 1)))
                 & (TICKER_HUGE_PAGE - 1);
        if (before) munmap(start, before);
        if (slack - before) munmap(start + before + whole, slack - before);
        madvise(start + before, whole, MADV_HUGEPAGE);
        return start + before;
    }
    static inline void ticker_give_pages(void *start, size_t length) {
        if (start) munmap(start, ticker_pages_length(length));
    }
    """
    void* take_pages "ticker_take_pages"(size_t length) nogil
    void give_pages "ticker_give_pages"(void* start, size_t length) nogil
    void prefetch "__builtin_prefetch"(const void* at) nogil
    void prefetch_to_write "__builtin_prefetch"(const void* at, int, int) nogil
