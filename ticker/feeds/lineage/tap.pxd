"""A decoder with somebody who looks on: see tap.pyx."""

from ticker.feeds.protocol cimport Protocol


cdef class Tap(Protocol):
    cdef Protocol decoder
    cdef object heard            # called behind each message
