"""Frames of the bus: checked and sealed, made and read by Python for what is not hot.

Law: bytes in, frames out. See frame.pxd for the layout.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from ticker.crc32c cimport crc32c, crc32c_more
from ticker.shm.layout cimport (
    RECORD_CANCELLED,
    RECORD_CORRECTED,
    RECORD_PRINT,
    RECORD_TRADE,
)
from ticker.shm.table cimport is_symbol
from ticker.units cimport MAX_SIZE_EXPONENT

from collections.abc import Iterable
from dataclasses import dataclass

from ticker.errors import DecodeError
from ticker.shm.layout import names_of
from ticker.shm.table import FIELDS

FAULTS = names_of(Fault, "FAULT_")
LONGEST = MOST_FRAME
STATE_WORDS = FEED_WORDS
cdef uint32_t TIME_MASK = sum(
    [1 << at for at, name in enumerate(FIELDS) if name.endswith("_time") or name == "session_start"]
)
if FIELDS[<int>PUBLISH_WORD] != "publish_time":
    raise ImportError("frame.pxd: PUBLISH_WORD is not the place of publish_time in a row")

if sizeof(FrameHead) != HEAD_BYTES or sizeof(Define) != 56 or sizeof(FrameTrade) != 48:
    raise ImportError("frame.pxd: the structs are not of the sizes that the format has")
if [FIELDS[at] for at in (PRICE_WORD, SIZE_WORD, SEQ_WORD, EXCHANGE_WORD)] != [
    "price", "size", "seq", "exchange_time"
]:
    raise ImportError("frame.pxd: TRADE_WORDS are not those that a row has of its trade")
if {FIELDS[at] for at in range(31) if (QUOTE_WORDS | STATUS_WORD) >> at & 1} != {
    "bid", "bid_size", "ask", "ask_size", "quotes", "status"
}:
    raise ImportError("frame.pxd: QUOTE_WORDS and STATUS_WORD are not the words of quotes and status")
if NEAR_WORDS & ~TIME_MASK:
    raise ImportError("frame.pxd: NEAR_WORDS has one that is no time")
if sizeof(FeedWords) != 8 * FEED_WORDS or VALUE_WORDS != 32:
    raise ImportError("frame.pxd: FEED_WORDS, or a row has no spare bit in its mask")

cdef enum:
    ROW_SETS = 1 << 10           # of 64 bits, one for each row of a frame

cdef extern from "<string.h>" nogil:
    size_t strnlen(const char* text, size_t most)


@dataclass(frozen=True)
class Head:
    """The head of a frame (frame.pxd: FrameHead), without what a reader has checked."""

    kind: int
    shard: int
    epoch: int
    batch: int
    boot: int
    publish_time: int
    part: int = 0
    parts: int = 1


def identity(cluster: str, feed: str) -> int:
    """What names a feed of a cluster in its frames."""
    cdef bytes name = f"{cluster}.{feed}".encode()
    return crc32c(<const char*>name, len(name))


cdef uint32_t check_of(const uint8_t* at, size_t length) noexcept nogil:
    cdef uint32_t crc = crc32c_more(0xFFFFFFFF, at, CHECK_OFFSET)
    return crc32c_more(crc, at + CHECK_OFFSET + 4, length - CHECK_OFFSET - 4) ^ <uint32_t>0xFFFFFFFF


cdef void seal(uint8_t* at, uint32_t length) noexcept nogil:
    cdef FrameHead* head = <FrameHead*>at
    head.magic = FRAME_MAGIC
    head.version = FRAME_VERSION
    head.length = length
    head.check = check_of(at, length)


cdef Fault find_fault(const uint8_t* at, size_t length, uint32_t feed) noexcept nogil:
    cdef FrameHead head
    if length < HEAD_BYTES or length > MOST_FRAME:
        return FAULT_SHORT
    memcpy(&head, at, HEAD_BYTES)
    if head.magic != FRAME_MAGIC:
        return FAULT_MAGIC
    if head.version != FRAME_VERSION:
        return FAULT_VERSION
    if head.length != length:
        return FAULT_SHORT
    if head.check != check_of(at, length):
        return FAULT_CHECK
    if not FRAME_DELTA <= head.kind <= FRAME_ASK:
        return FAULT_KIND
    if head.feed != feed:
        return FAULT_FEED
    if head.part >= head.parts or head.shard >= MOST_SHARDS:
        return FAULT_BODY
    if head.kind == FRAME_STATE:
        return state_fault(&head)
    if head.kind == FRAME_NOTICE or head.kind == FRAME_ASK:
        return FAULT_NONE
    return rows_fault(at, &head)


cdef Fault state_fault(const FrameHead* head) noexcept nogil:
    cdef size_t words = (head.length - HEAD_BYTES) // 8
    if head.length % 8 or not FEED_WORDS < words <= FEED_WORDS + MOST_SHARDS:
        return FAULT_BODY
    return FAULT_NONE


cdef Fault rows_fault(const uint8_t* at, const FrameHead* head) noexcept nogil:
    """The body of a delta or an image: its parts fill it, and each of them is possible."""
    cdef const uint8_t* end = at + head.length
    cdef const uint8_t* here = at + BODY_OFFSET
    cdef uint64_t[ROW_SETS] whole
    cdef Define define
    cdef RowHead row
    cdef uint32_t i
    cdef size_t length
    if <size_t>(end - here) // sizeof(Define) < head.defines:
        return FAULT_BODY
    for i in range(head.defines):
        memcpy(&define, here, sizeof(Define))
        length = strnlen(define.symbol, SYMBOL_BYTES)
        if not is_symbol(define.symbol, length) or define.size_exponent > MAX_SIZE_EXPONENT:
            return FAULT_BODY
        if not (is_text(define.venue, VENUE_BYTES) and is_text(define.currency, CURRENCY_BYTES)):
            return FAULT_BODY
        here += sizeof(Define)
    for i in range((head.rows >> 6) + 1):
        whole[i] = 0
    for i in range(head.rows):
        here = row_behind(here, end, &row)
        if here == NULL:
            return FAULT_BODY
        if row.mask & <uint32_t>TRADE_WORDS == <uint32_t>TRADE_WORDS:
            whole[i >> 6] |= <uint64_t>1 << (i & 63)
    return trades_fault(here, end, head, whole)


cdef const uint8_t* row_behind(const uint8_t* at, const uint8_t* end, RowHead* row) noexcept nogil:
    """Where the row at this place ends; NULL: it is none, or longer than what is there."""
    cdef size_t left = end - at
    cdef size_t length
    if left < sizeof(FrameRow) or left < sizeof(FrameRow) + 4 and is_packed(at):
        return NULL
    at = take_row(at, row)
    length = bytes_of_words(row)
    if row.few & ~(row.mask & <uint32_t>ALL_WORDS) or <size_t>(end - at) < length:
        return NULL
    return at + length


cdef Fault trades_fault(
    const uint8_t* at, const uint8_t* end, const FrameHead* head, const uint64_t* whole
) noexcept nogil:
    """The trades fill what is left; `whole`: a bit for each row that has what its trade lacks."""
    cdef FrameTrade trade
    cdef size_t length
    cdef uint32_t i
    for i in range(head.trades):
        if <size_t>(end - at) < TRADE_HEAD:
            return FAULT_BODY
        memcpy(&trade, at, TRADE_HEAD)
        length = bytes_of_trade(trade.form)
        if not length or <size_t>(end - at) < length:
            return FAULT_BODY
        if not (trade.kind == RECORD_TRADE or trade.kind == RECORD_PRINT
                or trade.kind == RECORD_CANCELLED or trade.kind == RECORD_CORRECTED):
            return FAULT_BODY
        if trade.form & FORM_OF_ROW and (
            trade.row >= head.rows or not whole[trade.row >> 6] >> (trade.row & 63) & 1
        ):
            return FAULT_BODY
        at += length
    return FAULT_NONE if at == end else FAULT_BODY


cdef bytes bytes_of(const uint8_t* frame):
    return PyBytes_FromStringAndSize(<const char*>frame, (<const FrameHead*>frame).length)


cdef void put_name(uint8_t* at, const Row* row, uint32_t number) noexcept nogil:
    cdef Define define
    define.row = number
    define.size_exponent = <uint32_t>row.size_exponent
    memcpy(define.symbol, row.symbol, SYMBOL_BYTES)
    memcpy(define.venue, row.venue, VENUE_BYTES)
    memcpy(define.currency, row.currency, CURRENCY_BYTES)
    define.instrument_key = row.instrument_key
    memcpy(at, &define, sizeof(Define))


cdef int64_t published_in(const uint8_t* frame, const FrameTrade* trade) noexcept nogil:
    cdef const FrameHead* head = <const FrameHead*>frame
    cdef const uint8_t* at = rows_of(frame)
    cdef RowHead row
    cdef uint32_t i
    if trade.kind == RECORD_TRADE or trade.kind == RECORD_PRINT:
        return INT64_MAX
    for i in range(head.rows):
        at = take_row(at, &row)
        if row.row == trade.row and row.mask >> PUBLISH_WORD & 1:
            return <int64_t>word_of(at, &row, PUBLISH_WORD, near_of(head.publish_time))
        at += bytes_of_words(&row)
    return INT64_MAX


cdef bint is_text(const char* text, size_t room) noexcept nogil:
    """Printable ASCII, ended by a NUL."""
    cdef size_t length = strnlen(text, room)
    cdef size_t i
    for i in range(length):
        if not 32 < text[i] <= 126:
            return False
    return length < room


ASKS_REFRESH = 1
"""As the shard of a question: for images of shards that the box does not follow."""
ASKS_STATE = 2
"""The same: for the state of the feed, of a box that was away."""


def head_of(frame: bytes, feed: int) -> Head:
    """The head of a frame of the feed with this identity.

    Raises:
        DecodeError: it is none; the message says why.
    """
    cdef const uint8_t* at = frame
    cdef Fault fault = find_fault(at, len(frame), feed)
    cdef FrameHead head
    if fault != FAULT_NONE:
        raise DecodeError(f"no frame of this feed: {FAULTS[<int>fault]}")
    memcpy(&head, at, HEAD_BYTES)
    return Head(
        kind=head.kind, shard=head.shard, epoch=head.epoch, batch=head.batch, boot=head.boot,
        publish_time=head.publish_time, part=head.part, parts=head.parts,
    )


def body_of(frame: bytes) -> bytes:
    """The body of a frame that `head_of` has taken."""
    return frame[HEAD_BYTES:]


def life_of(boot: int, number: int) -> int:
    """What names one life of a relay in its frames: the server's boot id, and which of its relays
    this is. Two of them never speak in one epoch unnoticed."""
    return (boot << LIFE_BITS | number & ((1 << LIFE_BITS) - 1)) & 0xFFFFFFFFFFFFFFFF


def batches_of(frame: bytes) -> list[int]:
    """By shard, the number of the newest frame, of a frame of state that `head_of` has taken."""
    cdef const uint8_t* at = frame
    cdef uint64_t batch
    cdef Py_ssize_t place
    found = []
    for place in range(HEAD_BYTES + 8 * FEED_WORDS, len(frame), 8):
        memcpy(&batch, at + place, 8)
        found.append(batch)
    return found


def make_frame(head: Head, feed: int, body: bytes, *, defines: int = 0, rows: int = 0,
               trades: int = 0) -> bytes:
    """A sealed frame.

    Raises:
        DecodeError: the body is longer than a frame can be.
    """
    cdef FrameHead words
    cdef uint8_t* at
    if HEAD_BYTES + len(body) > MOST_FRAME:
        raise DecodeError(f"a frame of {HEAD_BYTES + len(body)} bytes; {MOST_FRAME} is the most")
    memset(&words, 0, sizeof(FrameHead))
    words.kind = head.kind
    words.shard = head.shard
    words.epoch = head.epoch
    words.batch = head.batch
    words.boot = head.boot
    words.publish_time = head.publish_time
    words.part = head.part
    words.parts = head.parts
    words.defines = defines
    words.rows = rows
    words.trades = trades
    words.feed = feed
    cdef bytearray made = bytearray(HEAD_BYTES) + body
    at = made
    memcpy(at, &words, HEAD_BYTES)
    seal(at, <uint32_t>len(made))
    return bytes(made)


def published_at(frame: bytes) -> int:
    """When a frame was published, ns, by its speaker's clock; 0: it has no head."""
    cdef FrameHead head
    cdef const uint8_t* at = frame
    if len(frame) < HEAD_BYTES:
        return 0
    memcpy(&head, at, HEAD_BYTES)
    return head.publish_time


def moved(frame: bytes, shift: int, feed: int) -> bytes:
    """A delta or an image of the feed with this identity, all its times moved by `shift` ns; what is
    none stays as it is."""
    cdef const uint8_t* original = frame
    cdef bytearray made = bytearray(frame)
    cdef uint8_t* at = made
    cdef FrameHead* head = <FrameHead*>at
    cdef int64_t by = shift
    cdef uint8_t* here
    cdef RowHead row
    cdef FrameTrade trade
    cdef uint32_t i
    if find_fault(original, len(frame), feed) != FAULT_NONE or head.kind > FRAME_IMAGE:
        return frame
    here = <uint8_t*>rows_of(at)
    head.publish_time += by  # times of 32 bits move with it
    for i in range(head.rows):
        here = <uint8_t*>take_row(here, &row)
        _move_words(here, &row, by)
        here += bytes_of_words(&row)
    for i in range(head.trades):
        memcpy(&trade, here, TRADE_HEAD)
        if not trade.form & (FORM_OF_ROW | FORM_FEW_TIME):
            _move(here + TRADE_HEAD + 8 + (4 if trade.form & FORM_FEW_SIZE else 8), by)
        here += bytes_of_trade(trade.form)
    seal(at, <uint32_t>len(made))
    return bytes(made)


cdef void _move_words(uint8_t* at, const RowHead* row, int64_t by) noexcept:
    """The times of 64 bits among the words of a row."""
    cdef uint32_t left = row.mask & <uint32_t>ALL_WORDS
    cdef int word
    while left:
        word = lowest_bit(left)
        left &= left - 1
        if row.few >> word & 1:
            at += 4
            continue
        if TIME_MASK >> word & 1:
            _move(at, by)
        at += 8


cdef void _move(uint8_t* at, int64_t by) noexcept:
    cdef int64_t time
    memcpy(&time, at, 8)
    if time:
        time += by
        memcpy(at, &time, 8)


def shards_in(body: bytes) -> list[int]:
    """The shards that a frame asks images of."""
    return [at * 8 + bit for at, byte in enumerate(body[: MOST_SHARDS // 8])
            for bit in range(8) if byte >> bit & 1]


def asking(shards: Iterable[int]) -> bytes:
    """The body of a frame that asks for images of these shards."""
    mask = 0
    for shard in shards:
        mask |= 1 << shard
    return mask.to_bytes((mask.bit_length() + 7) // 8, "little")
