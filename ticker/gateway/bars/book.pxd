"""The bars that clients watch: of each symbol and span those that changed last."""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from ticker.gateway.bars.encode cimport BarFrame
from ticker.gateway.prices.board cimport Board
from ticker.gateway.sockets.connection cimport ALL_ENCODINGS
from ticker.shm.bars.published cimport BAR_FORMING, SPAN_OF_DAYS, BarRecord, BarsReader

cdef enum:
    KEPT = 16                    # bars of one symbol and span that changed last
    FRAMES = 8192                # kept in each encoding, a power of two

cdef struct Slot:
    BarRecord record
    uint32_t version             # of the topic, with this change

# The one that changed last stands last.
cdef struct Watched:
    uint32_t count
    uint32_t lost                # version up to which changes may be gone
    uint32_t turned              # version with the first change of the newest minute
    int64_t minute               # that it was published in
    Slot[KEPT] slots

cdef struct KeptFrame:
    uint64_t key                 # topic and version, 0: none
    BarFrame frame


cdef inline uint32_t newest_of(const Watched* watched) noexcept nogil:
    """The place of the newest bar, which is not always the one that changed last."""
    cdef uint32_t found = 0
    cdef uint32_t i
    for i in range(watched.count):
        if watched.slots[i].record.start > watched.slots[found].record.start:
            found = i
    return found


cdef inline bint is_told(
    const Watched* watched, const Slot* slot, uint32_t seen, uint8_t states, bint vendor
) noexcept nogil:
    """Whether a client is told of a bar that has changed since version `seen`. `states`: a bit for
    each BarState that it asked for, 0: all. A vendor tells of a day once a minute while it forms."""
    if slot.record.span != SPAN_OF_DAYS:
        return not states or states >> slot.record.state & 1
    return (
        not vendor or slot.record.state != BAR_FORMING or <int32_t>(watched.turned - seen) > 0
    )


@cython.final
cdef class BarBook:
    cdef BarsReader reader       # None: no bars are made here
    cdef Board board
    cdef Watched** watched       # [symbol * SPANS + span], NULL: nobody ever watched it
    cdef uint32_t symbols        # that there is room for
    cdef int32_t* of_segment     # number in the segment -> symbol; -1: not known
    cdef int32_t* in_segment     # symbol -> number in the segment; -1: not known
    cdef uint32_t numbers_seen   # of the segment, that are in `in_segment`
    cdef KeptFrame* frames[ALL_ENCODINGS]
    cdef uint64_t* counters

    cdef int64_t symbol_of(self, uint32_t number) except -2
    cdef bint begin(self, uint32_t symbol, uint32_t span, BarRecord* newest) except -1
    cdef bint newest(self, uint32_t symbol, uint32_t span, BarRecord* out) except -1
    cdef Watched* of(self, uint32_t symbol, uint32_t span) noexcept nogil
    cdef void put(
        self, uint32_t symbol, uint32_t span, const BarRecord* record, uint32_t version
    ) noexcept nogil
    cdef void lose(self, uint32_t symbol, uint32_t span, uint32_t version) noexcept nogil
    cdef const BarFrame* frame(
        self, uint32_t topic, const Slot* slot, uint32_t encoding, const char* name, size_t length
    ) noexcept nogil
    cdef int open(self, uint32_t encoding) except -1
    cdef int grow(self, uint32_t symbols) except -1
