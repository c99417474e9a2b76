"""How the kernels of this package were compiled."""

cdef extern from *:
    """
    #if defined(__SANITIZE_ADDRESS__)
    static const char *ticker_build = "AddressSanitizer";
    #elif defined(CYTHON_WITHOUT_ASSERTIONS)
    static const char *ticker_build = "release";
    #else
    static const char *ticker_build = "debug";
    #endif
    """
    const char* ticker_build

BUILD = ticker_build.decode()
