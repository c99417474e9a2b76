"""A decoder around another one: see around.pyx."""

from ticker.feeds.protocol cimport Protocol


cdef class Around(Protocol):
    cdef Protocol decoder
