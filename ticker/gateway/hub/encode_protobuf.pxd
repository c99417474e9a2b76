from libc.stdint cimport uint64_t

from ticker.gateway.hub.fields cimport Fields

cdef int begin_protobuf(char* out, const char* symbol, size_t length) noexcept nogil
cdef int protobuf_fields(char* out, int at, int channel, const Fields* fields) noexcept nogil
cdef int lagged_protobuf(
    char* out, const char* symbol, size_t length, uint64_t skipped
) noexcept nogil
