"""Invariants of hot code: C assertions, which abort in the debug build and cost nothing in
the release build. (A Python assert cannot leave a function that is `noexcept`.)"""

cdef extern from "<assert.h>" nogil:
    void check "assert"(bint truth)
