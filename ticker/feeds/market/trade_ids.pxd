"""The ids of a session's trades, so that one that is sent twice counts once: see trade_ids.pyx."""

cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t


cdef enum Sighting:
    ID_NEW = 0                   # it is remembered from now on
    ID_SEEN
    ID_TOO_OLD                   # of a time whose ids are forgotten; it is not remembered

cdef enum:
    GENERATIONS = 12             # more than there are sizes
    FIRST_SLOTS = 4096
    GROWTH = 4                   # slots of a generation to those of the one before it
    NOTED = 8                    # ids on their way into their slots, which come from memory meanwhile

    SERIES = 4                   # of an instrument's numbers
    SERIES_BITS = 32             # of a number that differ within a series: those behind its origin

# The greatest number of each series that an instrument had, 0: none. Venues whose numbers grow may
# have several series of them: PITCH has one for each place where a trade can be made, Pillar one for
# crosses.
cdef struct Series:
    uint64_t[SERIES] numbers

cdef struct Generation:
    uint64_t* slots              # keys, 0: empty; a power of two of them
    uint64_t mask
    uint64_t room                # keys that it still takes
    int64_t newest               # time of the newest trade in it


@cython.final
cdef class TradeIds:
    cdef Generation[GENERATIONS] generations   # the one that grows first, then older ones
    cdef int count
    cdef uint64_t most_slots     # of a generation
    cdef uint64_t[NOTED] noted   # keys of the youngest generation, 0: none
    cdef uint32_t notes          # that were ever made
    cdef Series* greatest        # per instrument
    cdef uint32_t instruments
    cdef uint64_t* counters
    # While an image of the ids is made (feeds/images): those that came since it began.
    cdef bint imaging
    cdef uint64_t* kept
    cdef uint64_t kept_count
    cdef uint64_t kept_room
    cdef readonly int64_t horizon  # ids of trades up to this time may be forgotten

    cdef Sighting see(
        self, uint32_t instrument, uint64_t match, int64_t time, int64_t received
    ) noexcept nogil
    cdef void clear(self) noexcept nogil
    cdef void forget_until(self, int64_t time) noexcept nogil
    cdef void begin_image(self, uint64_t* kept, uint64_t room) noexcept nogil
    cdef void _keep(self, uint64_t key) noexcept nogil
    cdef void _note(self, uint64_t key) noexcept nogil
    cdef void _enter(self, uint64_t key) noexcept nogil
    cdef void _enter_noted(self) noexcept nogil
    cdef bint _grows(self, uint32_t instrument, uint64_t match) noexcept nogil
    cdef bint _knows(self, uint64_t key) noexcept nogil
    cdef bint _begin_generation(self) noexcept nogil
    cdef void _drop_oldest(self) noexcept nogil
    cdef void _forget_first(self) noexcept nogil


cdef inline uint64_t mixed(uint64_t word) noexcept nogil:
    """A permutation of the 64-bit words in which every bit depends on every other one.
    Source: the finalizer of MurmurHash3."""
    word ^= word >> 33
    word *= <uint64_t>0xFF51AFD7ED558CCDULL
    word ^= word >> 33
    word *= <uint64_t>0xC4CEB9FE1A85EC53ULL
    return word ^ word >> 33


cdef inline uint64_t joined_id(uint64_t first, uint64_t second) noexcept nogil:
    """The number of a trade whose id has two parts; for more of them, join the result with the
    next. The order of the parts matters, and no id is 0 (which means: no id).

    Two different ids have one number with a probability of 2^-64."""
    cdef uint64_t word = mixed(first + <uint64_t>0x9E3779B97F4A7C15ULL) ^ second
    word = mixed(word + <uint64_t>0x9E3779B97F4A7C15ULL)
    return word if word else 1
