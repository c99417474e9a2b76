"""The part of a FIX session that every message passes: frames out of a byte stream, and the
short way for market data that is in sequence."""

from libc.stdint cimport int64_t, uint8_t

from ticker.feeds.fix.fields cimport Frame, Header
from ticker.feeds.fix.group cimport EntryGroup
from ticker.feeds.session cimport Session


cdef class Fix(Session):
    cdef readonly object dialogue    # a Dialogue (fix/dialogue.py); None: a capture is overheard
    cdef uint8_t* cut            # the start of a frame whose rest has not come
    cdef size_t cut_length
    cdef size_t cut_capacity
    cdef size_t longest          # greatest BodyLength that is believed
    cdef bytes begin_text        # what every frame must begin with, and who must send it to whom
    cdef bytes sender_text
    cdef bytes target_text
    cdef const char* begin_string
    cdef const char* sender
    cdef const char* target
    cdef size_t begin_length
    cdef size_t sender_length
    cdef size_t target_length
    cdef readonly int64_t tolerance_ns
    cdef bint passive            # a capture: nobody to answer, frames are taken as they come
    cdef bint open               # takes bytes
    cdef bint express            # logged on and nothing held back: the short way is open
    cdef readonly EntryGroup group   # what the decoder says of the newest message; None: nothing

    cdef int _identify(self, options) except -1
    cdef const uint8_t* _walk(
        self, const uint8_t* data, const uint8_t* end, int64_t receive_time
    ) noexcept nogil
    cdef void _keep(self, const uint8_t* data, size_t length) noexcept nogil
    cdef bint _reserve(self, size_t length) noexcept nogil
    cdef void _frame(self, Frame* frame, int64_t receive_time) noexcept nogil
    cdef bint _in_order(self, Frame* frame, Header* header, int64_t receive_time) noexcept nogil
    cdef void _tell_decoder(self, const Header* header) noexcept nogil
    cdef void _overhear(self, Frame* frame, Header* header, int64_t receive_time) noexcept nogil
    cdef void _flush(self, int64_t publish_time) noexcept nogil
    cdef void _decide(self, Frame* frame, int64_t receive_time) noexcept nogil
    cdef bint _is_to_be_judged(self) noexcept nogil
    cdef void _judge(self, const uint8_t* body, size_t length) noexcept nogil
    cdef void _stray(self) noexcept nogil
