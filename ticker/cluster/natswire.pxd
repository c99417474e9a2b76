"""The NATS protocol of a client: see natswire.pyx."""

cdef class NatsReader:
    cdef char* buffer            # of an event that is not whole
    cdef size_t room
    cdef size_t used             # bytes of it that have come
    cdef size_t wanted           # and that it lacks; 0: its control line is not whole
    cdef readonly size_t longest # bytes of a message that are taken

    cdef int _append(self, const char* data, size_t length) except -1
    cdef size_t _lack(self, const char* at, size_t left) noexcept
    cdef object _next(self, const char* line, size_t left, size_t* took)
    cdef object _message(
        self, const char* start, size_t word, size_t whole, size_t left, size_t* took
    )
