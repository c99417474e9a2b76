"""What a client reads out of one message, and the frames that messages come in."""

from libc.stdint cimport int64_t, uint8_t, uint64_t


cdef enum MessageKind:
    MESSAGE_OTHER = 0
    MESSAGE_SNAPSHOT
    MESSAGE_UPDATE
    MESSAGE_ERROR
    MESSAGE_LAGGED
    MESSAGE_MALFORMED

cdef extern from "<stdint.h>":
    const int64_t NO_PRICE "INT64_MIN"
    const int64_t TAKEN_BACK "(INT64_MIN + 1)"

# `symbol` points into the caller's bytes.
cdef struct Message:
    MessageKind kind
    const char* symbol
    size_t symbol_length
    int64_t time                # ns since the epoch, -1: none
    int64_t price               # 1e-9 units; TAKEN_BACK: null; NO_PRICE: not said, or not one
    int64_t seq                 # -1: none
    bint is_book                # a book, or what changed in one since `previous_seq`: it has no price
    int64_t previous_seq        # -1: none
    int64_t skipped             # of a `lagged`, -1: none
    int64_t code                # of an `error`, -1: none

cdef struct SecondCache:
    int64_t second
    char[20] text

cdef struct Frame:
    int opcode
    bint deflated               # its payload, by permessage-deflate
    const uint8_t* payload
    size_t length


cdef dict as_dict(const Message* message)
cdef void begin_message(Message* out) noexcept nogil
cdef void check_message(Message* out) noexcept nogil
cdef void take_kind(const char* name, size_t length, Message* out) noexcept nogil
cdef MessageKind kind_of(const char* name, size_t length) noexcept nogil
cdef int64_t read_price(const char* at, size_t length) noexcept nogil
cdef void read_message(
    const char* data, size_t length, SecondCache* cache, Message* out
) noexcept nogil
cdef int64_t read_frame(const uint8_t* data, size_t length, Frame* out) noexcept nogil
cdef size_t write_frame(
    uint8_t* out, int opcode, const uint8_t* payload, size_t length
) noexcept nogil
