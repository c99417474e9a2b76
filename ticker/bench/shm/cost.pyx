"""The calls of the hot path and nothing else, many times; shm.py takes the CPU time."""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memset

from ticker.shm.layout cimport Record, Values
from ticker.shm.ring cimport RingReader, RingWriter
from ticker.shm.table cimport PriceTable, TableWriter


def publish_many(TableWriter table not None, rows: int, times: int) -> None:
    """Cost of TableWriter.publish alone, over the first `rows` rows in scattered order."""
    cdef Values values
    cdef uint64_t number
    cdef uint64_t wanted = times
    cdef uint32_t spread = rows
    memset(&values, 0, sizeof(values))
    with nogil:
        for number in range(wanted):
            values.seq = number
            table.publish(<uint32_t>(((number * 0x9E3779B9ULL) & 0xFFFFFFFFULL) * spread >> 32),
                          &values)


def read_many(PriceTable table not None, rows: int, times: int) -> int:
    """Cost of PriceTable.read alone; the retries."""
    cdef Values values
    cdef uint64_t number
    cdef uint64_t wanted = times
    cdef uint32_t spread = rows
    cdef int64_t retries = 0
    with nogil:
        for number in range(wanted):
            retries += table.read(
                <uint32_t>(((number * 0x9E3779B9ULL) & 0xFFFFFFFFULL) * spread >> 32), &values
            )
    return retries


def write_many(RingWriter ring not None, times: int) -> None:
    """Cost of RingWriter.write alone."""
    cdef Record record
    cdef uint64_t number
    cdef uint64_t wanted = times
    memset(&record, 0, sizeof(record))
    with nogil:
        for number in range(wanted):
            record.seq = number
            ring.write(&record)


def receive_many(RingReader ring not None, limit: int) -> int:
    """Cost of RingReader.read alone: how many records it gave."""
    cdef Record record
    cdef uint64_t number = 0
    cdef uint64_t wanted = limit
    with nogil:
        while number < wanted and ring.read(&record) == 1:
            number += 1
    return number
