"""Several streams in one session: see channels.pyx."""

from libc.stdint cimport int64_t, uint8_t, uint64_t

from ticker.feeds.sequence.sequenced cimport Sequenced
from ticker.feeds.session cimport Session

cdef enum:
    CHANNELS = 256


cdef class Channels(Session)


cdef class Channel(Sequenced):
    cdef Channels owner
    cdef readonly int number
    cdef uint64_t first            # what the stream begins with
    cdef int64_t arrived_ns        # when the packet that is being taken came
    cdef int64_t began_ns          # when the sender began to count, where it says it; else 0
    cdef int64_t asks_from         # no requests before it, 0: any time
    cdef uint64_t resumes_at       # of an image, until the stream is heard; 0: it begins anew
    cdef uint64_t caught_up_at     # what the predecessor had reached, 0: nothing is known

    cdef bint is_quiet(self, int64_t now_ns) noexcept nogil
    cdef void leave(self) noexcept nogil
    # What an image has to say beside the place, -1: there is none now.
    cdef int image_flags(self) noexcept nogil
    cdef void resume(self, uint64_t place, int flags, uint64_t reached) noexcept nogil
    # Messages before `position` that were not delivered never will be.
    cdef void _hurt(self, uint64_t position) noexcept nogil
    cdef void _go_on_at(self, uint64_t position) noexcept nogil
    # The server will not send these: what is missing of them is lost. False: nothing is.
    cdef bint refuse_range(self, uint64_t start, uint64_t end, int64_t now_ns) noexcept nogil


cdef class Channels(Session):
    cdef object options            # of each stream
    cdef void* streams[CHANNELS]   # Channel of each number that was heard of, borrowed
    cdef list known                # the same, owned
    cdef uint8_t numbers[CHANNELS] # of those, in order of appearance
    cdef int used
    cdef bint started              # the protocol was told that a session began
    cdef bint reachable            # a server takes what `data_to_send` gives
    cdef object places_view        # keeps `places`
    cdef uint64_t* places          # of the streams, and `beginnings` behind; NULL: nobody asks
    cdef readonly uint64_t beginnings
    cdef readonly bint skipped
    cdef int64_t heard_ns          # when a rebuild heard its first packet, 0: not yet

    cdef int _keep_places(self, object view) except -1
    cdef void _resume(self, int number, uint64_t place, int flags, int64_t began) noexcept
    # The server is there, or no more; `anew`: it answers what waited for it.
    cdef void _reach(self, bint reachable, bint anew) noexcept
    cdef Channel _make(self, int number)
    cdef bint _ready(self, int number) noexcept nogil
    cdef bint _create(self, int number) noexcept with gil
    cdef void _took(
        self, int number, uint64_t before, int64_t deadline, int line, int64_t now_ns
    ) noexcept nogil
    cdef void _joined(self) noexcept nogil
    cdef void _began_again(self, Channel stream, int64_t now_ns) noexcept nogil
    cdef void _clear_channel(self, Channel stream, int64_t now_ns) noexcept nogil
    cdef void _settle(self) noexcept nogil
