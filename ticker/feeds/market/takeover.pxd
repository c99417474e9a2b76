"""A predecessor's rows: see takeover.pyx."""

cimport cython
from libc.stdint cimport int64_t, uint32_t

from ticker.feeds.market.directory cimport Directory
from ticker.feeds.market.publisher cimport Publisher
from ticker.feeds.market.trades cimport TradeLog
from ticker.shm.layout cimport Values
from ticker.shm.lineage.origin cimport Origin


@cython.final
cdef class Takeover:
    cdef Publisher publisher
    cdef Directory directory
    cdef TradeLog trades
    cdef Values* carried         # of a rebuild: what each row showed before it, NULL: none
    cdef uint32_t rows           # of these
    cdef uint32_t* missed        # breaks and corrections of each that readers were not told
    cdef uint32_t adopted        # rows that readers saw before the rebuild

    cdef int adopt(self, bint rebuild, int64_t midnight) except -1
    # A session of the feed begins: what the rows have is not of it.
    cdef void note_session(self) noexcept nogil
    # A session ends while it is computed again; `another`, as below.
    cdef void end_session(self, bint another) noexcept nogil
    # `another`: it is not the session that the predecessor was in.
    cdef void resume(self, bint whole, bint another) noexcept
    cdef Values* before(self, uint32_t row) noexcept nogil
    # A message takes a trade of the row back, or corrects it, and nothing is published now; whether
    # it is one to tell when the rebuild is over. There is then room.
    cdef bint is_missed(self, uint32_t row, const Origin* origin) noexcept nogil
    cdef void _settle(self, bint whole, bint another) noexcept nogil
    cdef void _keep_bases(self) noexcept nogil
    cdef void _restore(self, uint32_t row, bint whole) noexcept nogil
    cdef void _add_earlier(self, uint32_t row) noexcept nogil
