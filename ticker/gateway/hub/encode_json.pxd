from libc.stdint cimport int64_t, uint64_t

from ticker.gateway.hub.fields cimport Fields, Message

cdef int begin_json(
    char* out, Message message, const char* symbol, size_t length
) noexcept nogil
cdef int json_fields(
    char* out, int at, int channel, bint with_seq, const Fields* fields
) noexcept nogil
cdef int put_event_id(char* out, int at, int64_t time) noexcept nogil
cdef int lagged_json(
    char* out, const char* symbol, size_t length, uint64_t skipped
) noexcept nogil
