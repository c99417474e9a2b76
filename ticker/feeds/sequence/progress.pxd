"""How far each line has come: see progress.pyx."""

cimport cython
from libc.stdint cimport int64_t, uint64_t


@cython.final
cdef class Progress:
    cdef uint64_t line_end[2]      # what lines A and B brought by themselves, exclusive
    cdef bint unsteady             # one packet alone says where the stream stands
    cdef uint64_t unsteady_at      # how far that packet reached
    cdef int64_t below_since       # a line has been behind since, while nothing current came

    cdef void begin(self) noexcept nogil
    cdef void note(self, int line, uint64_t end) noexcept nogil
    # A packet of a line ends below what the line has said before.
    cdef bint takes_back(self, int line, uint64_t end) noexcept nogil
    # The line says that the stream is not where it is thought to be.
    cdef bint stands_behind(
        self, int line, uint64_t end, int64_t last_packet_ns, int64_t quiet_ns, int64_t now_ns
    ) noexcept nogil
