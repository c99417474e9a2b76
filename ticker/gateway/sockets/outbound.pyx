"""What a socket has not taken yet: whole frames, but for the first one, which is under way.

Law: memory is held only while something waits. How much may wait is the table's business.
"""

from cpython.mem cimport PyMem_RawFree, PyMem_RawRealloc
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy, memmove, memset

from ticker.gateway.sockets.frames cimport frame_end


cdef bint keep(Outbound* waiting, const uint8_t* data, size_t length) noexcept nogil:
    """Append; False: there is no memory."""
    cdef size_t wanted = waiting.length + length
    cdef uint8_t* grown
    if waiting.start:
        memmove(waiting.bytes, waiting.bytes + waiting.start, waiting.length)
        waiting.start = 0
    if wanted > waiting.capacity:
        grown = <uint8_t*>PyMem_RawRealloc(waiting.bytes, wanted)
        if grown == NULL:
            return False
        waiting.bytes = grown
        waiting.capacity = <uint32_t>wanted
    memcpy(waiting.bytes + waiting.length, data, length)
    waiting.length = <uint32_t>wanted
    return True


cdef void took(Outbound* waiting, size_t length) noexcept nogil:
    """The socket has taken the first `length` bytes."""
    waiting.partial = <uint32_t>(
        frame_end(waiting.bytes + waiting.start, waiting.length, length, waiting.partial) - length
    )
    waiting.start += <uint32_t>length
    waiting.length -= <uint32_t>length
    if not waiting.length:
        drop(waiting)


cdef void drop(Outbound* waiting) noexcept nogil:
    PyMem_RawFree(waiting.bytes)
    memset(waiting, 0, sizeof(Outbound))
