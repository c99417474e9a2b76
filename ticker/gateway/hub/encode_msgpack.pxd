from libc.stdint cimport uint64_t

from ticker.gateway.hub.fields cimport Fields, Message

cdef int begin_msgpack(
    char* out, int channel, Message message, const char* symbol, size_t length
) noexcept nogil
cdef int msgpack_fields(char* out, int at, int channel, const Fields* fields) noexcept nogil
cdef int lagged_msgpack(
    char* out, const char* symbol, size_t length, uint64_t skipped
) noexcept nogil
