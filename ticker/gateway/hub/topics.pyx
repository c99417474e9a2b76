"""Topics: what can be subscribed, a symbol on a channel; its version, and who has subscribed.

Law: a version only says that there is something new; it moves by one for each event that a client
could be told of by itself, so that the difference of two is how many were left out.
"""

from cpython.mem cimport PyMem_RawFree, PyMem_RawRealloc
from libc.stdint cimport uint32_t
from libc.string cimport memset


cdef void* regrown(void* array, uint32_t before, uint32_t capacity, size_t size) except NULL:
    """The array with room for `capacity` items, the new ones zero."""
    cdef char* grown = <char*>PyMem_RawRealloc(array, capacity * size)
    if grown == NULL:
        raise MemoryError
    memset(grown + before * size, 0, (capacity - before) * size)
    return grown


cdef class Topics:
    """Of symbols by their number on the board; `symbol_count` is the caller's to raise."""

    def __dealloc__(self) -> None:
        cdef uint32_t i
        for i in range(self.symbol_capacity << CHANNEL_BITS):
            PyMem_RawFree(self.topics[i].subscribers)
        PyMem_RawFree(self.topics)
        PyMem_RawFree(self.versions)
        PyMem_RawFree(self.changed)

    cdef int grow(self, uint32_t capacity) except -1:
        """Room for symbols below `capacity`."""
        cdef uint32_t before = self.symbol_capacity << CHANNEL_BITS
        cdef uint32_t topics = capacity << CHANNEL_BITS
        self.topics = <Topic*>regrown(self.topics, before, topics, sizeof(Topic))
        self.versions = <uint32_t*>regrown(self.versions, before, topics, sizeof(uint32_t))
        self.changed = <uint32_t*>regrown(self.changed, before, topics, sizeof(uint32_t))
        self.symbol_capacity = capacity
        return 0

    cdef void touch(self, uint32_t number, uint32_t by) noexcept nogil:
        """The topic has something new: a new version, and a place in `changed`."""
        cdef Topic* topic = self.topics + number
        self.versions[number] += by
        if not self.versions[number]:
            self.versions[number] = 1
        if topic.subscriber_count and not topic.touched:
            topic.touched = 1
            self.changed[self.changed_count] = number
            self.changed_count += 1
            self.changed_subscribers += topic.subscriber_count
