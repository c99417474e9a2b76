"""Frames from a feed's segment: see outgoing.pyx."""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from ticker.cluster.news cimport News, Shard
from ticker.cluster.outbox cimport Outbox
from ticker.shm.layout cimport FeedState


@cython.final
cdef class Outgoing:
    cdef News news
    cdef FeedState* state
    cdef uint8_t* frame          # the one that is being made: in `own_frame`, or an outbox
    cdef uint8_t* own_frame
    cdef uint32_t* places        # by place among its rows: a row that has its trade, else NO_ROW
    cdef uint64_t near           # what its times count from
    cdef uint32_t feed
    cdef uint64_t boot
    cdef int64_t interval
    cdef readonly uint64_t epoch
    cdef readonly uint64_t rows_told
    cdef readonly uint64_t trades_told
    cdef readonly uint64_t deltas_told
    cdef readonly uint64_t images_told
    cdef readonly uint64_t bytes_told

    cdef list _flush_due(self, int64_t time, Outbox outbox)
    cdef list _flush(self, uint32_t number, int64_t now, bint with_trades, Outbox outbox)
    cdef uint8_t* _put_names(
        self, Shard* shard, uint8_t* at, uint32_t first, uint32_t rows
    ) noexcept
    cdef uint8_t* _put_rows(
        self, Shard* shard, uint8_t* at, uint32_t first, uint32_t rows, uint16_t* put
    ) noexcept
    cdef uint32_t _news_of(self, uint32_t row) noexcept nogil
    cdef list _image(self, uint32_t number, int64_t now)
    cdef uint8_t* _put_image(self, const uint32_t* rows, uint32_t count) noexcept
    cdef void _seal(
        self, int kind, uint32_t shard, uint64_t batch, int64_t now, uint32_t defines, uint32_t rows,
        uint32_t trades, uint8_t* end
    ) noexcept
