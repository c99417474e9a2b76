"""The symbols of a board in the order of their change, and in that of their volume."""

from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport qsort

from ticker.gateway.prices.board cimport Board
from ticker.gateway.prices.consolidate cimport Consolidated
from ticker.shm.layout cimport ROW_HAS_LAST, ROW_HAS_OPEN, ROW_HAS_PREVIOUS_CLOSE, Values

from array import array

cdef struct Entry:
    double key
    uint32_t symbol


cdef int downwards(const void* first, const void* second) noexcept nogil:
    """The greater key first; of equal ones the symbol that was known first."""
    cdef const Entry* one = <const Entry*>first
    cdef const Entry* other = <const Entry*>second
    if one.key != other.key:
        return -1 if one.key > other.key else 1
    return -1 if one.symbol < other.symbol else 1


def ranked(Board board not None) -> tuple[array, array]:
    """Numbers of symbols: those that have a price and a price to compare it with (the previous
    close, else the day's open), the greatest gain in percent first; and those with a volume, the
    greatest first. The keys are floats: they order, and are not shown."""
    cdef Consolidated found
    cdef Values* values = &found.values
    cdef uint32_t symbol
    cdef uint32_t changed = 0
    cdef uint32_t active = 0
    cdef double base
    cdef Entry* changes = <Entry*>PyMem_Malloc((board.count + 1) * sizeof(Entry))
    cdef Entry* volumes = <Entry*>PyMem_Malloc((board.count + 1) * sizeof(Entry))
    try:
        if not changes or not volumes:
            raise MemoryError
        for symbol in range(board.count):
            if not board.rows[symbol].count or not board.read_all(symbol, &found):
                continue
            if not values.flags & ROW_HAS_LAST:
                continue
            base = 0
            if values.flags & ROW_HAS_PREVIOUS_CLOSE:
                base = values.previous_close
            elif values.flags & ROW_HAS_OPEN:
                base = values.open
            if base > 0:
                changes[changed].key = (values.price - base) / base
                changes[changed].symbol = symbol
                changed += 1
            if values.volume or values.volume_high:
                volumes[active].key = (
                    values.volume_high * 18446744073709551616.0 + values.volume
                ) / 10.0 ** found.size_exponent
                volumes[active].symbol = symbol
                active += 1
        qsort(changes, changed, sizeof(Entry), downwards)
        qsort(volumes, active, sizeof(Entry), downwards)
        return numbers(changes, changed), numbers(volumes, active)
    finally:
        PyMem_Free(changes)
        PyMem_Free(volumes)


cdef object numbers(const Entry* entries, uint32_t count):
    cdef uint32_t i
    return array("I", [entries[i].symbol for i in range(count)])
