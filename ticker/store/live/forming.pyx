"""Bars that still wait for their place in a month's file, as bytes.

In: the bytes that Bars.image makes. Out: the figures of a bar, as Bars.take gives them. Owned by the
caller, in any process.

Law: no I/O and no clock. The bytes are those of whole bars: their checksum has been looked at.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

cdef extern from "<string.h>" nogil:
    size_t strnlen(const char* text, size_t most)

from ticker.shm.layout cimport SYMBOL_BYTES, VENUE_BYTES, Row
from ticker.store.live.figures cimport Figures, int128

if sizeof(KeptBar) != 144:
    raise ImportError("forming.pxd: the struct is not what a file has")
BAR_BYTES = 144


cdef void keep_bar(
    KeptBar* kept, const Figures* bar, const Row* row, int64_t minute, uint32_t revision, uint32_t flags
) noexcept nogil:
    """A bar of this row of the table, as a file has it; `flags`: KEPT_EXACT and KEPT_ADDS."""
    memcpy(kept.symbol, row.symbol, SYMBOL_BYTES)
    memcpy(kept.venue, row.venue, VENUE_BYTES)
    kept.minute = minute
    kept.open = bar.open
    kept.high = bar.high
    kept.low = bar.low
    kept.close = bar.close
    kept.open_time = bar.open_time
    kept.close_time = bar.close_time
    kept.trades = bar.trades
    put_128(kept.volume, bar.volume)
    put_128(kept.notional, bar.notional)
    kept.size_exponent = <uint32_t>row.size_exponent
    kept.revision = revision
    kept.flags = flags | (KEPT_PRICED if bar.priced else 0) | (KEPT_RANGED if bar.ranged else 0)
    kept.reserved = 0


cdef void put_128(uint64_t* words, int128 value) noexcept nogil:
    words[0] = <uint64_t>value
    words[1] = <uint64_t>(value >> 64)


cdef object whole(const uint64_t* words):
    """All 128 bits as an int."""
    return (<object><int64_t>words[1] << 64) | <object>words[0]


cdef object figures_of(const KeptBar* bar):
    """The tuple that Bars.take describes."""
    cdef bint priced = bar.flags & KEPT_PRICED
    cdef bint ranged = bar.flags & KEPT_RANGED
    return (
        bar.symbol[:strnlen(bar.symbol, SYMBOL_BYTES)].decode(),
        bar.venue[:strnlen(bar.venue, VENUE_BYTES)].decode(),
        bar.minute * 60,
        bar.open if priced else None,
        bar.high if ranged else None,
        bar.low if ranged else None,
        bar.close if priced else None,
        bar.open_time if priced else None,
        bar.close_time if priced else None,
        whole(bar.volume),
        whole(bar.notional),
        bar.trades,
        bar.size_exponent,
        bar.revision,
        1 if bar.flags & KEPT_EXACT else 0,
        1 if bar.flags & KEPT_ADDS else 0,
    )


def bars_in(data: bytes, symbol: str | None = None) -> list[tuple]:
    """The bars of a symbol, or all, as Bars.take gives them.

    Raises:
        ValueError: the bytes end within a bar.
    """
    cdef const char* start = data
    cdef const KeptBar* bar
    cdef char[SYMBOL_BYTES] wanted
    cdef bytes name
    cdef size_t index
    cdef size_t count = <size_t>len(data) // sizeof(KeptBar)
    if count * sizeof(KeptBar) != <size_t>len(data):
        raise ValueError(f"{len(data)} bytes are not a whole number of bars")
    memset(wanted, 0, SYMBOL_BYTES)
    if symbol is not None:
        name = symbol.encode("utf-8", "replace")
        if <size_t>len(name) >= SYMBOL_BYTES:
            return []
        memcpy(wanted, <const char*>name, <size_t>len(name))
    found = []
    for index in range(count):
        bar = <const KeptBar*>start + index
        if symbol is None or not memcmp(bar.symbol, wanted, SYMBOL_BYTES):
            found.append(figures_of(bar))
    return found
