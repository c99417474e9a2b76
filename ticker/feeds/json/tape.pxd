"""A JSON text as a flat list of its values, in the order of the text.

    {"a": [1, "x"]}   ->   OBJECT  STRING a  ARRAY  NUMBER 1  STRING x

An object's children come in pairs, name and value. `next` of a node is the node after it and
all that is in it, so a value is stepped over in one go. Nothing is converted and nothing copied:
a node says where its bytes are in the text, which belongs to the caller.

Values that are none (NaN, 01, nothing at all, a string with a raw line end in it) are nodes too,
JSON_BAD, as long as it is clear where they end: vendors write them, and the records beside the one
that has such a value are as good as ever.
"""

cimport cython
from libc.stdint cimport int32_t, uint8_t, uint32_t

cdef enum JsonKind:
    JSON_OBJECT = 1
    JSON_ARRAY
    JSON_STRING
    JSON_NUMBER
    JSON_TRUE
    JSON_FALSE
    JSON_NULL
    JSON_BAD                     # what is written there is no value

cdef enum:
    JSON_DEPTH = 64              # deeper nesting is refused
    NO_NODE = -1

cdef struct Node:
    uint32_t start               # offset of its first byte; of a string: after the quote
    uint32_t length              # bytes; of a string: without quotes; of an object or array: 0
    int32_t next
    uint8_t kind                 # JsonKind
    uint8_t escaped              # a string with a backslash in it


@cython.final
cdef class Tape:
    cdef Node* nodes
    cdef int32_t capacity
    cdef int32_t used
    cdef const uint8_t* text     # of the last `read`, as long as the caller keeps it
    cdef size_t length
    cdef size_t most             # bytes of a text, at most
    cdef uint32_t bad            # nodes that are JSON_BAD

    # Whether the bytes are one JSON text (RFC 8259, but for its bad values), which then is in
    # `nodes`, its root first.
    cdef bint read(self, const uint8_t* text, size_t length) noexcept nogil
    cdef const uint8_t* _spoil(self, Node* node, const uint8_t* after) noexcept nogil
    cdef bint _lack(self, const uint8_t* at) noexcept nogil
    cdef bint _grow(self) noexcept nogil

    # The value of a name in an object (the first, if it is there twice), or NO_NODE.
    cdef int32_t member(self, int32_t node, const char* name, uint32_t length) noexcept nogil
    # Element `index` of an array, or NO_NODE.
    cdef int32_t element(self, int32_t node, uint32_t index) noexcept nogil
    # Whether a string, number or literal is written so (strings: once unescaped).
    cdef bint equals(self, int32_t node, const char* text, uint32_t length) noexcept nogil
    # The text of a string, unescaped, in UTF-8, or of a number or literal, into `out`; its length,
    # or -1: longer than `room`.
    cdef int write(self, int32_t node, char* out, int room) noexcept nogil
