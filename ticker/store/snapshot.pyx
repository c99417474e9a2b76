"""A feed's rows as bytes of a file, and back.

In: a feed's segment, which this process only reads. Out: one buffer to write to a file. Owned by
the store worker. `Contents` is the way back: it reads what is whole and names what is damaged.

Law: no I/O and no clock. Any bytes give contents or a StoreError.
"""

from cpython.buffer cimport PyBuffer_FillInfo
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, memset

from ticker.crc32c cimport crc32c, crc32c_plain
from ticker.pages cimport give_pages, prefetch, take_pages
from ticker.shm.atomics cimport load_acquire, load_relaxed
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport (
    CACHE_LINE,
    COMMON_WORDS,
    LAYOUT_VERSION,
    VALUE_WORDS,
    FeedState,
    Row,
    RowRest,
    Values,
)
from ticker.shm.table cimport PriceTable, by_name, current_common

import json
from dataclasses import dataclass, field

from ticker.errors import StoreError
from ticker.shm.table import FIELDS

class NewerFormatError(StoreError):
    """A newer version of ticker wrote the file; this one must not write over it."""


cdef char* MAGIC = b"TICKSNAP"
cdef enum:
    ROW_BYTES = NAME_BYTES + (VALUE_WORDS + BASE_WORDS) * 8
    MOST_DESCRIBED = 65_536
    MOST_ROWS = 1 << 24
    LOOKS = 3                    # at rows, while a session begins
    FAR = 16                     # rows that are looked at before their turn,
    NEAR = 8                     # and fetched

BASES = ["base_day", "base_seq", "base_trades", "base_volume", "base_volume_high"]
"""Words of a Row (shm/layout.pxd), in its order."""
WORDS = [*FIELDS, *["reserved"] * (VALUE_WORDS - len(FIELDS)), *BASES]

if sizeof(Head) != 128 or sizeof(Block) != 16:
    raise ImportError("snapshot.pxd: the structs are not what the picture says")


cdef class Image:
    """The rows of the feed whose segment is `mapping`; its buffer is what the file holds.

    Raises:
        MemoryError: no memory for a copy of the table.
    """

    def __cinit__(self, Mapping mapping not None, feed: str) -> None:
        self.mapping = mapping
        self.table = PriceTable(mapping)
        self.state = mapping.feed_state()
        self.feed = feed
        self.described = len(self._description())
        self.body = sizeof(Head) + self.described
        blocks = self.table.capacity // BLOCK_ROWS + 1
        self.room = self._block_at(blocks)
        self.bytes = <uint8_t*>take_pages(self.room)
        self.generations = <uint64_t*>calloc(self.table.capacity, sizeof(uint64_t))
        if not (self.bytes and self.generations):
            raise MemoryError("no memory for a snapshot")

    cdef bytes _description(self):
        """Its length does not change."""
        cdef bytes session = (<char*>self.session)[:16]
        text = json.dumps(
            {
                "feed": self.feed, "layout": LAYOUT_VERSION, "words": WORDS,
                "session": session.hex(), "boot": self.mapping.boot_id,
            },
            separators=(",", ":"),
        ).encode()
        return text.ljust(-(-len(text) // 8) * 8)

    def __dealloc__(self) -> None:
        give_pages(self.bytes, self.room)
        free(self.generations)

    cdef size_t _block_at(self, uint32_t block) noexcept nogil:
        return self.body + <size_t>block * (sizeof(Block) + BLOCK_ROWS * ROW_BYTES)

    cdef uint8_t* _row_at(self, uint32_t row) noexcept nogil:
        return (
            self.bytes + self._block_at(row // BLOCK_ROWS) + sizeof(Block)
            + <size_t>(row % BLOCK_ROWS) * ROW_BYTES
        )

    cdef Values* values_at(self, uint32_t row) noexcept nogil:
        """The values that it has of a row: in whole words, as all that is before them."""
        return <Values*>(self._row_at(row) + NAME_BYTES)

    def look(self) -> int:
        """Copy the rows that have moved since the last look; how many."""
        cdef uint32_t moved = 0
        cdef uint64_t[2] session
        for _ in range(LOOKS):
            session[0] = load_acquire(&self.state.resume_session[0])
            session[1] = load_acquire(&self.state.resume_session[1])
            if not self._is_of(session):
                # What the rows had when it began is another thing now, also of those that did
                # not move.
                memset(self.generations, 0, self.table.capacity * sizeof(uint64_t))
                self.session[0] = session[0]
                self.session[1] = session[1]
            with nogil:
                moved += self._look()
            session[0] = load_acquire(&self.state.resume_session[0])
            session[1] = load_acquire(&self.state.resume_session[1])
            if self._is_of(session):
                break
        return moved

    cdef bint _is_of(self, const uint64_t* session) noexcept nogil:
        return session[0] == self.session[0] and session[1] == self.session[1]

    cdef uint32_t _look(self) noexcept nogil:
        cdef uint32_t first, row, end, before
        cdef uint32_t moved = 0
        self.rows = self.table.row_count()
        first = 0
        while first < self.rows:
            before = moved
            end = min(self.rows, first + <uint32_t>BLOCK_ROWS)
            for row in range(first, end):
                if row + FAR < self.rows:
                    prefetch(&self.table.rows[row + FAR].generation)
                    self._fetch(row + NEAR)
                moved += self._copy(row)
            self._sum(first, end - first, moved != before)  # while it is in the cache
            first = end
        self.unsaved += moved
        return moved

    cdef void _fetch(self, uint32_t row) noexcept nogil:
        """Into the cache, all that a row which has moved is copied from, and to."""
        cdef Row* source = self.table.rows + row
        cdef uint64_t generation = load_acquire(&source.generation)
        if self.generations[row] != generation + 1:
            fetch_lines(current_common(source, generation), COMMON_WORDS * 8)
            fetch_lines(self.table.rests + row, sizeof(RowRest))
            fetch_lines(self._row_at(row), ROW_BYTES)

    cdef bint _copy(self, uint32_t row) noexcept nogil:
        """Whether the row has moved, and could be copied whole. A row that its writer outruns
        keeps the copy of the last look and is copied at the next one."""
        cdef Row* source = self.table.rows + row
        cdef uint64_t generation = load_acquire(&source.generation)
        cdef uint8_t* target = self._row_at(row)
        cdef Values values
        # A new row is at generation 0 until its first publication: count from 1.
        if self.generations[row] == generation + 1:
            return False
        if self.table.read(row, &values) < 0:
            return False
        if self.moved != NULL:
            self.moved(self.onlooker, row, self.values_at(row), &values)
        memcpy(target, source.symbol, NAME_BYTES)
        memcpy(target + NAME_BYTES, &values, VALUE_WORDS * 8)
        memcpy(target + NAME_BYTES + VALUE_WORDS * 8, &self.table.rests[row].base_day, BASE_WORDS * 8)
        self.generations[row] = generation + 1
        return True

    def seal(self, number: int, created_ns: int) -> memoryview:
        """The file's bytes, as of the last look. They live until the next look."""
        cdef uint32_t word
        cdef Head* head = <Head*>self.bytes
        cdef uint32_t blocks = (self.rows + BLOCK_ROWS - 1) // BLOCK_ROWS
        cdef size_t length = self._block_at(blocks)
        if blocks:
            length -= <size_t>(blocks * BLOCK_ROWS - self.rows) * ROW_BYTES
        described = self._description()
        memcpy(self.bytes + sizeof(Head), <const char*>described, self.described)
        memset(head, 0, sizeof(Head))
        memcpy(head.magic, MAGIC, 8)
        head.format = FORMAT
        head.described = <uint32_t>self.described
        head.number = number
        head.created_ns = created_ns
        head.rows = self.rows
        head.row_bytes = ROW_BYTES
        head.described_check = crc32c(self.bytes + sizeof(Head), self.described)
        for word in range(VENUE_WORDS - 1):
            head.venue[word] = load_relaxed(&self.state.phase + word)
        head.check = crc32c(head, sizeof(Head) - 4)
        return memoryview(self)[:length]

    def saved(self) -> None:
        """What was sealed is on the disk."""
        self.unsaved = 0

    cdef void _sum(self, uint32_t first, uint32_t rows, bint moved) noexcept nogil:
        cdef Block* head = <Block*>(self.bytes + self._block_at(first // BLOCK_ROWS))
        if moved or head.rows != rows:
            head.first = first
            head.rows = rows
            head.check = block_check(head, ROW_BYTES)

    def __getbuffer__(self, Py_buffer* view, int flags) -> None:
        cdef uint32_t blocks = (self.rows + BLOCK_ROWS - 1) // BLOCK_ROWS
        PyBuffer_FillInfo(view, self, self.bytes, self._block_at(blocks), True, flags)


cdef inline void fetch_lines(const void* start, size_t length) noexcept nogil:
    cdef size_t at = 0
    while at < length:
        prefetch(<const char*>start + at)
        at += CACHE_LINE


cdef uint32_t block_check(const Block* head, size_t row_bytes) noexcept nogil:
    """Over the numbers of the block and its rows; the check itself does not count."""
    cdef uint32_t[4] numbers
    numbers[0] = head.first
    numbers[1] = head.rows
    numbers[2] = head.reserved
    numbers[3] = crc32c(<const uint8_t*>head + sizeof(Block), head.rows * row_bytes)
    return crc32c(numbers, sizeof(numbers))


cdef class Contents:
    """What is whole in the bytes of a snapshot file.

    Attributes:
        feed: name of the feed.
        number: grows by one with each snapshot of the feed.
        created_ns: when it was made, ns since the epoch.
        rows: rows that the file should have.
        boot: the life of the server whose rows these are; 0: not known.
        damaged: (first row, rows) of each block that is cut or whose checksum is wrong.

    Raises:
        StoreError: not a snapshot, or a damaged head. NewerFormatError: in a newer format.
    """

    def __init__(self, data: bytes) -> None:
        cdef const Head* head
        cdef size_t length = len(data)
        self.data = data
        self.start = data
        if length < sizeof(Head) or memcmp(self.start, MAGIC, 8):
            raise StoreError("not a snapshot of prices: it begins otherwise")
        head = <const Head*>self.start
        if head.check != crc32c(head, sizeof(Head) - 4):
            raise StoreError("a snapshot with a damaged head")
        if head.format != FORMAT:
            raise NewerFormatError(
                f"a snapshot in format {head.format}, and this version reads format {FORMAT}: "
                "start the newer version, or move the file away"
            )
        if head.described > MOST_DESCRIBED or sizeof(Head) + head.described > length:
            raise StoreError("a snapshot whose description is cut")
        if head.described_check != crc32c(self.start + sizeof(Head), head.described):
            raise StoreError("a snapshot with a damaged description")
        if head.rows > MOST_ROWS:
            raise StoreError(f"a snapshot of {head.rows} rows: no table has so many")
        self.number = head.number
        self.created_ns = head.created_ns
        self.rows = head.rows
        self.row_bytes = head.row_bytes
        self._describe(data[sizeof(Head):sizeof(Head) + head.described])
        self._find_blocks(sizeof(Head) + head.described)

    def _describe(self, text: bytes) -> None:
        try:
            described = json.loads(text)
            words = described["words"]
            self.feed = described["feed"]
            session = bytes.fromhex(described.get("session", "00"))
            self.boot = described.get("boot", 0)
        except (ValueError, KeyError, TypeError, OverflowError):
            raise StoreError("a snapshot without the names of its words") from None
        if self.row_bytes < NAME_BYTES + 8 * <size_t>len(words):
            raise StoreError(f"a snapshot whose rows of {self.row_bytes} bytes are too short")
        places = {name: place for place, name in enumerate(words)}
        for word in range(VALUE_WORDS):
            self.places[word] = places.get(FIELDS[word], -1) if word < len(FIELDS) else -1
        for word in range(BASE_WORDS):
            self.bases[word] = places.get(BASES[word], -1)
        self.session = session[:16].ljust(16, b"\0")

    def _find_blocks(self, offset: int) -> None:
        """Where each whole block is. Behind a damaged head the next block is where it would be."""
        cdef size_t at = offset
        cdef size_t end = len(self.data)
        cdef uint32_t first = 0
        cdef uint32_t rows
        cdef const Block* head
        self.whole = []
        self.damaged = []
        while first < self.rows:
            rows = min(<uint32_t>BLOCK_ROWS, self.rows - first)
            head = <const Block*>(self.start + at)
            if (at + sizeof(Block) + rows * self.row_bytes <= end and head.first == first
                    and head.rows == rows and head.check == block_check(head, self.row_bytes)):
                self.whole.append((first, rows, at + sizeof(Block)))
            else:
                self.damaged.append((first, rows))
            at += sizeof(Block) + rows * self.row_bytes
            first += rows

    def __iter__(self):
        """(symbol, venue) of each whole row and its values by name (layout.pxd: Values)."""
        cdef Values values
        for row in self._rows():
            names = self._names(row)
            self._read(row, &values)
            yield names[0].decode(), names[1].decode(), by_name(&values)

    def _rows(self) -> list[int]:
        """Offset of each whole row."""
        return [
            offset + index * self.row_bytes
            for _, rows, offset in self.whole for index in range(rows)
        ]

    cdef tuple _names(self, size_t at):
        """Symbol, venue and currency of the row at an offset, without their padding."""
        cdef bytes names = self.data[at:at + 40]
        return names[:24].rstrip(b"\0"), names[24:32].rstrip(b"\0"), names[32:40].rstrip(b"\0")

    cdef void _read(self, size_t at, Values* values) noexcept:
        cdef uint64_t* words = <uint64_t*>values
        cdef const uint8_t* source = self.start + at + NAME_BYTES
        cdef int word
        memset(values, 0, sizeof(Values))
        for word in range(VALUE_WORDS):
            if self.places[word] >= 0:
                memcpy(words + word, source + 8 * self.places[word], 8)

    cdef void _base(self, size_t at, uint64_t* base) noexcept:
        """Words from RowRest.base_day on, of the row at an offset; 0 where the file has none."""
        cdef int word
        for word in range(BASE_WORDS):
            base[word] = 0
            if self.bases[word] >= 0:
                memcpy(base + word, self.start + at + NAME_BYTES + 8 * self.bases[word], 8)

    cdef void _scales(self, size_t at, uint64_t* scales) noexcept:
        """size_exponent and instrument_key of the row at an offset."""
        memcpy(scales, self.start + at + 40, 16)


def checksum(data: bytes, plain: bool = False) -> int:
    """CRC-32C of some bytes; `plain`: by the table, as on a processor without the instruction."""
    cdef const uint8_t* start = data
    cdef size_t length = len(data)
    if plain:
        return crc32c_plain(0xFFFFFFFF, start, length) ^ 0xFFFFFFFF
    return crc32c(start, length)
