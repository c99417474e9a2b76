"""A message of market data, read whole before any of it counts: see group.pyx."""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from ticker.feeds.fix.entries cimport Day, Decimals, Entry
from ticker.feeds.fix.fields cimport Cursor, Field

cdef enum:
    SNAPSHOT = 0x57                  # 35=W
    INCREMENTAL = 0x58               # 35=X
    MOST_FIELDS = 256                # of an entry, or ahead of the group
    LOW_BITS = 1023

# Why a message is refused whole: SessionRejectReason (373) of FIX 4.4.
cdef enum Reason:
    INVALID_TAG = 0
    REQUIRED_MISSING = 1
    INCORRECT_FORMAT = 6
    REPEATED = 13
    GROUP_COUNT = 16
    OTHER_REASON = 99
    NO_REASON = 255                  # it is not refused


@cython.final
cdef class EntryGroup:
    cdef Decimals decimals
    # The message that was read last; fields point into it.
    cdef uint8_t kind
    cdef int64_t sent                # 52, or 122 of a message that was sent again, ns
    cdef Entry head                  # what is said ahead of the entries
    cdef Entry* entries
    cdef size_t used
    cdef const uint8_t* end
    # Why it is refused, and the tag that is to blame, 0: none.
    cdef readonly int reason
    cdef readonly uint32_t tag
    # A book can no longer be told from what came: it must be had anew.
    cdef public bint doubtful

    cdef size_t capacity
    cdef Day day
    cdef uint32_t[LOW_BITS + 1] seen # the part of a message in which a tag of these bits was last
    cdef uint32_t part               # the one that is read
    cdef uint32_t[MOST_FIELDS] tags  # of it
    cdef unsigned fields
    cdef bint nested                 # a group inside of it has begun

    # Who has read the header of the next message says where it ends, and when it was sent; NULL:
    # nobody has. It lies in the same memory.
    cdef const uint8_t* header_end
    cdef int64_t header_sent

    # A body from behind its 35 on. False: it is refused.
    cdef bint read(self, Cursor* cursor, uint8_t kind, int64_t received) noexcept nogil

    cdef bint _read_group(self, Cursor* cursor, const Field* count) noexcept nogil
    cdef bint _take_head(self, const Field* field, int64_t received, bint* again) noexcept nogil
    cdef Entry* _open(self, const uint8_t* begin) noexcept nogil
    cdef void _begin_part(self) noexcept nogil
    cdef bint _may_be_here(self, uint32_t tag) noexcept nogil
    cdef bint _is_there(self, uint32_t tag) noexcept nogil
    cdef bint _refuse_repeated(self, uint32_t tag) noexcept nogil
    cdef bint _refuse(self, int reason, uint32_t tag) noexcept nogil
