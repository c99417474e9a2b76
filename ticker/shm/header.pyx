"""The head of a segment: writing it, and refusing a segment that is not the expected one."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uint8_t, uint64_t

from ticker.shm.atomics cimport load_acquire, load_relaxed, store_relaxed, store_release
from ticker.shm.layout cimport (
    BODY_OFFSET,
    COUNTERS_OFFSET,
    DEPTH_ROW_BYTES,
    FEED_SEGMENT,
    GAP_SLOTS,
    GATEWAY_SEGMENT,
    HISTOGRAMS_OFFSET,
    INTEREST_BYTES,
    INTEREST_SLOTS,
    LAYOUT_VERSION,
    RECORDER_SEGMENT,
    RELAY_SEGMENT,
    REJECT_RINGS,
    REJECT_SLOTS,
    STATE_OFFSET,
    STORE_SEGMENT,
    FeedState,
    GapBlock,
    GatewayState,
    Record,
    Reject,
    RingHeader,
    Row,
    RowRest,
    SegmentHeader,
)

from ticker.errors import SegmentError

cdef uint64_t MAGIC = 0x315245_4B434954  # "TICKER1" in memory order

KIND_FEED = FEED_SEGMENT
KIND_GATEWAY = GATEWAY_SEGMENT
KIND_STORE = STORE_SEGMENT
KIND_RECORDER = RECORDER_SEGMENT
KIND_RELAY = RELAY_SEGMENT
KIND_MIRROR = 17
# Of bars in motion; its own layout is in bars/published.pxd, in these sizes.
KIND_BARS = 18  # 16: with the bars of four spans
BARS_HEAD_BYTES = 64
BAR_RECORD_BYTES = 128
BAR_SYMBOL_BYTES = 704
# The counts of watchers by shard, behind a gateway's interest; shards/watchers.pxd has the words.
WATCHERS_BYTES = 64 + 4096 * 8
_KIND_NAMES = {
    FEED_SEGMENT: "feed", GATEWAY_SEGMENT: "gateway", STORE_SEGMENT: "store",
    RECORDER_SEGMENT: "recorder", RELAY_SEGMENT: "relay", KIND_BARS: "bars",
    KIND_MIRROR: "mirror",
}


def depth_bytes(rows: int, depth_rows: int) -> int:
    """Bytes of the places of so many rows' books, in whole cache lines, and of the books."""
    return -(-rows // 8) * 64 + depth_rows * DEPTH_ROW_BYTES


def segment_size(
    kind: int, rows: int = 0, rings: int = 0, ring_capacity: int = 0, depth_rows: int = 0
) -> int:
    """Bytes of a segment with `rows` table rows, `rings` rings of `ring_capacity` records, and
    `depth_rows` books."""
    if kind == KIND_BARS:
        return (
            BODY_OFFSET + BARS_HEAD_BYTES + ring_capacity * BAR_RECORD_BYTES
            + rows * BAR_SYMBOL_BYTES
        )
    if kind == GATEWAY_SEGMENT:
        return BODY_OFFSET + INTEREST_SLOTS * INTEREST_BYTES + WATCHERS_BYTES
    if kind != FEED_SEGMENT:
        return BODY_OFFSET
    if rows < 1 or rings < 1:
        raise SegmentError(f"a feed segment needs rows and rings, not {rows} and {rings}")
    if ring_capacity < 2 or ring_capacity & (ring_capacity - 1):
        raise SegmentError(f"ring capacity {ring_capacity}: take a power of two, at least 2")
    # Python integers: the numbers may come from a header that is not ours, and may not wrap.
    ring_stride = sizeof(RingHeader) + ring_capacity * sizeof(Record)
    rejects = REJECT_RINGS * (sizeof(RingHeader) + REJECT_SLOTS * sizeof(Reject))
    gaps = (2 + GAP_SLOTS) * sizeof(GapBlock)
    table = rows * (sizeof(Row) + sizeof(RowRest))
    depth = depth_bytes(rows, depth_rows)
    return BODY_OFFSET + table + rings * ring_stride + rejects + gaps + depth


cdef class Mapping:
    """A mapped segment: `buffer` is an mmap (or any buffer) that starts with a SegmentHeader.

    The buffer stays exported for as long as the Mapping lives, so that no caller can close or
    resize it under the addresses taken from it. There is no close(): drop the last reference
    (tables, rings, counters and doorbells each hold one) and the memory is unmapped at once.
    A fork shares the mapping, writable or not: who forks workers first lets go of what it may
    write, and attaches again to read.
    """

    def __cinit__(self, buffer: object, writable: bool) -> None:
        PyObject_GetBuffer(buffer, &self.view, PyBUF_WRITABLE if writable else PyBUF_SIMPLE)
        self.base = <uint8_t*>self.view.buf
        self.size = self.view.len
        self.writable = writable
        if self.size < BODY_OFFSET:
            raise SegmentError(f"segment of {self.size} bytes is too short for its header")
        self.header = <SegmentHeader*>self.base
        self.counters = <uint64_t*>(self.base + COUNTERS_OFFSET)
        self.histograms = <uint64_t*>(self.base + HISTOGRAMS_OFFSET)

    def __dealloc__(self) -> None:
        PyBuffer_Release(&self.view)

    cdef FeedState* feed_state(self) except NULL:
        if self.header.kind != FEED_SEGMENT:
            raise SegmentError("this is not a feed's segment")
        return <FeedState*>(self.base + STATE_OFFSET)

    cdef GatewayState* gateway_state(self) except NULL:
        if self.header.kind == FEED_SEGMENT:
            raise SegmentError("this is not a gateway's segment: a feed has no doorbell")
        return <GatewayState*>(self.base + STATE_OFFSET)

    def format(
        self, kind: int, boot_id: int, now_ns: int, rows: int = 0, rings: int = 0,
        ring_capacity: int = 0, depth_rows: int = 0,
    ) -> None:
        """Write the header of a fresh, zeroed segment; the magic goes in last."""
        cdef uint64_t expected = segment_size(kind, rows, rings, ring_capacity, depth_rows)
        if self.size != expected:
            raise SegmentError(f"segment has {self.size} bytes, its geometry needs {expected}")
        cdef SegmentHeader* head = self.header
        store_relaxed(&head.layout_version, LAYOUT_VERSION)
        store_relaxed(&head.kind, kind)
        store_relaxed(&head.total_size, expected)
        store_relaxed(&head.boot_id, boot_id)
        store_relaxed(&head.created_ns, now_ns)
        store_relaxed(&head.row_capacity, rows)
        store_relaxed(&head.row_stride, sizeof(Row))
        store_relaxed(&head.table_offset, BODY_OFFSET)
        store_relaxed(&head.ring_count, rings)
        store_relaxed(&head.ring_capacity, ring_capacity)
        store_relaxed(&head.rings_offset, BODY_OFFSET + <uint64_t>rows * (
            sizeof(Row) + sizeof(RowRest)
        ))
        store_relaxed(&head.record_size, sizeof(Record))
        store_relaxed(&head.rejects_offset, head.rings_offset + <uint64_t>rings * (
            sizeof(RingHeader) + <uint64_t>ring_capacity * sizeof(Record)
        ))
        store_relaxed(&head.reject_size, sizeof(Reject))
        store_relaxed(&head.depth_offset, expected - depth_bytes(rows, depth_rows))
        store_relaxed(&head.depth_capacity, depth_rows)
        store_release(&head.magic, MAGIC)

    def check(self, kind: int, boot_id: int | None = None) -> None:
        """Refuse a segment of another program, version, size, kind or life of the server."""
        cdef SegmentHeader* head = self.header
        if load_acquire(&head.magic) != MAGIC:
            raise SegmentError("not a ticker segment (wrong magic); is the server starting up?")
        _same("layout version", load_relaxed(&head.layout_version), LAYOUT_VERSION,
              "run the same ticker version as the server")
        if load_relaxed(&head.kind) != kind:
            raise SegmentError(
                f"this is a {_KIND_NAMES.get(head.kind, head.kind)} segment, "
                f"not a {_KIND_NAMES[kind]} segment"
            )
        _same("size", self.size, load_relaxed(&head.total_size),
              "something resized it; restart the server")
        expected = segment_size(
            kind, head.row_capacity, head.ring_count, head.ring_capacity, head.depth_capacity
        )
        _same("geometry", load_relaxed(&head.total_size), expected, "restart the server")
        if kind == FEED_SEGMENT:
            _same("row size", load_relaxed(&head.row_stride), sizeof(Row), "restart the server")
            _same("record size", load_relaxed(&head.record_size), sizeof(Record), "restart the server")
            _same("table offset", load_relaxed(&head.table_offset), BODY_OFFSET,
                  "restart the server")
            _same("rings offset", load_relaxed(&head.rings_offset),
                  BODY_OFFSET + head.row_capacity * (sizeof(Row) + sizeof(RowRest)),
                  "restart the server")
            _same("reject size", load_relaxed(&head.reject_size), sizeof(Reject),
                  "restart the server")
            _same("rejects offset", load_relaxed(&head.rejects_offset),
                  head.rings_offset + head.ring_count * (
                      sizeof(RingHeader) + head.ring_capacity * sizeof(Record)
                  ), "restart the server")
            _same("depth offset", load_relaxed(&head.depth_offset),
                  expected - depth_bytes(head.row_capacity, head.depth_capacity),
                  "restart the server")
        if boot_id is not None:
            _same("boot id", load_relaxed(&head.boot_id), boot_id,
                  "the server was restarted; attach again")

    @property
    def boot_id(self) -> int:
        """Names one life of the server; readers of another life are refused."""
        return load_relaxed(&self.header.boot_id)

    @property
    def row_capacity(self) -> int:
        return load_relaxed(&self.header.row_capacity)

    @property
    def ring_count(self) -> int:
        return load_relaxed(&self.header.ring_count)

    @property
    def ring_capacity(self) -> int:
        return load_relaxed(&self.header.ring_capacity)

    @property
    def depth_capacity(self) -> int:
        return load_relaxed(&self.header.depth_capacity)


def _same(what: str, found: int, expected: int, advice: str) -> None:
    if found != expected:
        raise SegmentError(f"segment {what} is {found}, expected {expected}: {advice}")
