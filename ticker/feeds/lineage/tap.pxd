"""A decoder with somebody who looks on: see tap.pyx."""

from ticker.feeds.tracing.around cimport Around


cdef class Tap(Around):
    cdef object heard            # called behind each message
