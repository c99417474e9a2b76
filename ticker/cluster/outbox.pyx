"""The frames of one turn as messages for a nats-server, made at their place in one buffer.

A relay makes frames by the 10,000 a second: an object for each of them, and copies from one buffer to
another, would cost more than making them. Law: no I/O.
Source: https://docs.nats.io/reference/reference-protocols/nats-protocol (PUB)
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy

from ticker.cluster.frame cimport MOST_FRAME

from ticker.cluster.natswire import publish

cdef enum:
    DIGITS = 7                   # of a length: a server takes zeros before it
    LINE = 2                     # bytes that end a line
    FIRST_ROOM = 2 << 20


cdef class Outbox:
    """Of the shards with these subjects.

    Attributes:
        frames: that were put and not taken.

    Raises:
        DecodeError: one of them would be another command.
        MemoryError: no memory for a buffer.
    """

    def __cinit__(self, subjects: list[bytes]) -> None:
        empty = b"0\r\n\r\n"
        self.heads = [publish(subject, b"").removesuffix(empty) for subject in subjects]
        self.room = FIRST_ROOM
        self.block = <uint8_t*>PyMem_Malloc(self.room)
        if self.block == NULL:
            raise MemoryError("no memory for the messages of a relay")

    def __dealloc__(self) -> None:
        PyMem_Free(self.block)

    def take(self) -> bytes:
        """All messages since the last time, whole."""
        taken = PyBytes_FromStringAndSize(<char*>self.block, self.used)
        self.used = self.frames = 0
        return taken

    cdef uint8_t* begin(self, uint32_t shard) except NULL:
        cdef bytes head = <bytes>self.heads[shard]
        cdef size_t length = len(head)
        cdef size_t least = self.used + length + DIGITS + 2 * LINE + <size_t>MOST_FRAME
        cdef uint8_t* grown
        if least > self.room:
            grown = <uint8_t*>PyMem_Realloc(self.block, 2 * least)
            if grown == NULL:
                raise MemoryError("no memory for the messages of a relay")
            self.block = grown
            self.room = 2 * least
        memcpy(self.block + self.used, <const char*>head, length)
        self.begun = self.used + length + DIGITS + LINE
        return self.block + self.begun

    cdef void end(self, uint32_t length) noexcept:
        cdef uint8_t* at = self.block + self.begun
        cdef uint32_t left = length
        cdef int digit
        memcpy(at - LINE, b"\r\n", LINE)
        for digit in range(DIGITS):
            (at - LINE - 1 - digit)[0] = <uint8_t>(c"0" + left % 10)
            left = left // 10
        memcpy(at + length, b"\r\n", LINE)
        self.used = self.begun + length + LINE
        self.frames += 1
