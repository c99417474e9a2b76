from libc.stdint cimport uint8_t, uint64_t

from ticker.gateway.hub.fields cimport Fields

cdef int begin_protobuf(char* out, const char* symbol, size_t length) noexcept nogil
cdef int protobuf_fields(char* out, int at, int channel, const Fields* fields) noexcept nogil
cdef int lagged_protobuf(
    char* out, const char* symbol, size_t length, uint64_t skipped
) noexcept nogil
cdef int protobuf_envelope(uint8_t* end, uint8_t number, int size) noexcept nogil
cdef int put_varint(char* out, int at, uint64_t value) noexcept nogil
