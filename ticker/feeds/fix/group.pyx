"""A message of market data, 35=W or 35=X: what is said of all of it, then its entries.

Law: a message whose group is not what the standard says is refused whole, before any of it counts:
entries that begin with another tag than 269 (W) or 279 (X), another number of them than 268, a tag
twice. What an entry says is another thing: one with a wrong value is refused alone (`BAD`).

A tag may be there several times only inside of a group that an entry has (455 after 454), and if it
is a user's (5000 and up): the groups that users define are known to them alone.
Source: FIX 4.4 volume 1 ("Repeating Groups"), volume 2 ("Session Level Reject"), volume 3.
"""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memset

from ticker.feeds.fix.entries cimport (
    Entry,
    begins_group,
    is_of_entry,
    says_of_entry,
    open_entry,
    read_day,
    take_field,
)
from ticker.feeds.fix.fields cimport Cursor, Field, next_field
from ticker.feeds.fix.values cimport read_time_of_day, read_uint

cdef enum:
    USER_TAGS = 5000


@cython.final
cdef class EntryGroup:
    """Reads one message after the other into the same memory.

    Args:
        size_decimals: of sizes, at most; 18 at most.
        price_decimals: that prices are rounded to; negative: a finer one than 1e-9 is refused.
    """

    def __init__(self, size_decimals: int = 0, price_decimals: int = -1) -> None:
        self.decimals.size = size_decimals
        self.decimals.price = price_decimals
        self.reason = NO_REASON

    def __dealloc__(self) -> None:
        free(self.entries)

    cdef bint read(self, Cursor* cursor, uint8_t kind, int64_t received) noexcept nogil:
        cdef Field field
        cdef bint again = False
        self.kind = kind
        self.used = 0
        self.sent = received
        self.end = cursor.end
        self.reason = NO_REASON
        if self.header_end != NULL:
            if cursor.at <= self.header_end <= cursor.end:
                cursor.at = self.header_end
                self.sent = self.header_sent
            self.header_end = NULL
        open_entry(&self.head, cursor.at)
        self._begin_part()
        while next_field(cursor, &field):
            if not self._may_be_here(field.tag):
                return self._refuse_repeated(field.tag)
            if field.tag == 268:
                return self._read_group(cursor, &field)
            if not self._take_head(&field, received, &again):
                return False
        return self._refuse(INVALID_TAG if cursor.malformed else REQUIRED_MISSING,
                            0 if cursor.malformed else 268)

    cdef bint _take_head(self, const Field* field, int64_t received, bint* again) noexcept nogil:
        """A field ahead of the group. What is sent again has happened when it was sent first."""
        cdef int64_t time
        if field.tag == 269 or field.tag == 279:
            # An entry of no group.
            return self._refuse(GROUP_COUNT, 268)
        if field.tag != 122 and (field.tag != 52 or again[0]):
            if not take_field(&self.head, field, &self.decimals, &self.day):
                self.nested = self.nested or begins_group(field.tag)
            return True
        again[0] = field.tag == 122
        if field.length >= 17 and field.value[8] == c"-" and read_day(
            &self.day, field.value, &self.sent
        ) and read_time_of_day(field.value + 9, field.length - 9, &time):
            self.sent += time
        else:
            self.sent = received
        return True

    cdef bint _read_group(self, Cursor* cursor, const Field* count) noexcept nogil:
        """The entries, up to the message's end."""
        cdef uint32_t first = 269 if self.kind == SNAPSHOT else 279
        cdef uint64_t announced
        cdef Field field
        cdef Entry* entry = NULL
        cdef const uint8_t* begin = cursor.at
        if not read_uint(count.value, count.length, &announced):
            return self._refuse(INCORRECT_FORMAT, 268)
        while next_field(cursor, &field):
            if field.tag == 268:
                return self._refuse(REPEATED, 268)
            if field.tag == first:
                entry = self._open(begin)
                if entry == NULL:
                    return self._refuse(OTHER_REASON, 268)
                self._begin_part()
            elif entry == NULL and (announced or says_of_entry(field.tag)):
                return self._refuse(GROUP_COUNT, 268)
            if not self._may_be_here(field.tag):
                return self._refuse_repeated(field.tag)
            # A group of nothing: a field of the message.
            if not take_field(
                entry if entry != NULL else &self.head, &field, &self.decimals, &self.day
            ):
                self.nested = self.nested or begins_group(field.tag)
            begin = cursor.at
        if cursor.malformed:
            return self._refuse(INVALID_TAG, 0)
        return self.used == announced or self._refuse(GROUP_COUNT, 268)

    cdef Entry* _open(self, const uint8_t* begin) noexcept nogil:
        """One more entry; NULL: there is no memory for it. A message's length bounds them."""
        cdef size_t capacity
        cdef void* grown
        if self.used == self.capacity:
            capacity = 2 * self.capacity if self.capacity else 64
            grown = realloc(self.entries, capacity * sizeof(Entry))
            if grown == NULL:
                return NULL
            self.entries = <Entry*>grown
            self.capacity = capacity
        open_entry(&self.entries[self.used], begin)
        self.used += 1
        return &self.entries[self.used - 1]

    # A tag is there once

    cdef void _begin_part(self) noexcept nogil:
        """The head of a message, or one of its entries."""
        self.part += 1
        if not self.part:
            memset(self.seen, 0, sizeof(self.seen))
            self.part = 1
        self.fields = 0
        self.nested = False

    cdef bint _may_be_here(self, uint32_t tag) noexcept nogil:
        """Whether this part may have a field of this tag (now also) here."""
        cdef uint32_t* seen = &self.seen[tag & LOW_BITS]
        if seen[0] == self.part and self._is_there(tag):
            return tag >= USER_TAGS or (self.nested and not is_of_entry(tag))
        if self.fields == MOST_FIELDS:
            return False
        seen[0] = self.part
        self.tags[self.fields] = tag
        self.fields += 1
        return True

    cdef bint _is_there(self, uint32_t tag) noexcept nogil:
        """Several tags have the same low bits."""
        cdef unsigned i
        for i in range(self.fields):
            if self.tags[i] == tag:
                return True
        return False

    cdef bint _refuse_repeated(self, uint32_t tag) noexcept nogil:
        return self._refuse(OTHER_REASON if self.fields == MOST_FIELDS else REPEATED, tag)

    cdef bint _refuse(self, int reason, uint32_t tag) noexcept nogil:
        self.reason = reason
        self.tag = tag
        return False

    @property
    def refused(self) -> bool:
        """Whether the last message was refused whole; `reason` and `tag` say why."""
        return self.reason != NO_REASON
