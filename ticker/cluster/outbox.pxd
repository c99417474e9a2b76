"""Frames as a nats-server takes them: see outbox.pyx."""

from libc.stdint cimport uint8_t, uint32_t


cdef class Outbox:
    cdef list heads              # by shard: a command up to the length of its message
    cdef uint8_t* block
    cdef size_t room
    cdef size_t used             # of whole messages
    cdef size_t begun            # where the frame begins that is being made
    cdef readonly uint32_t frames

    # Where the next frame of a shard is made: there is room for one of MOST_FRAME bytes.
    cdef uint8_t* begin(self, uint32_t shard) except NULL
    # The frame that was begun has so many bytes.
    cdef void end(self, uint32_t length) noexcept
