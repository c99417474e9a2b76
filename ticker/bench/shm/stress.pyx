"""The hot loops of the shared-memory stress runs; shm.py starts the processes.

What is written is derived from one number and checked by every reader (pattern.pxd). The
loops run without the GIL and make no Python object.
"""

from libc.signal cimport SIGKILL
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset
from posix.resource cimport RUSAGE_SELF, getrusage, rusage
from posix.signal cimport kill
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec
from posix.unistd cimport getpid

from ticker.bench.shm.pattern cimport fill, fill_record, intact, record_intact
from ticker.shm.atomics cimport (
    copy_words_in,
    load_acquire,
    load_relaxed,
    store_release,
)
from ticker.shm.doorbell cimport Doorbell, DoorbellRinger
from ticker.shm.layout cimport COMMON_WORDS, RECORD_WORDS, VALUE_WORDS, Record, Row, RowRest, Values
from ticker.shm.ring cimport RingReader, RingWriter, begin_record
from ticker.shm.table cimport PriceTable, TableWriter, begin_read, begin_write, copy_out

cdef extern from "<poll.h>" nogil:
    struct pollfd:
        int fd
        short events
    int poll(pollfd* what, unsigned long count, int timeout_ms)
    short POLLIN

cdef extern from "<sched.h>" nogil:
    int sched_yield()

cdef enum:
    MILLISECOND = 1_000_000
    MAX_ROWS = 4096

# Control words.
cpdef enum:
    STOP = 0
    ACKNOWLEDGED = 1
    READY = 8                    # and one more per reader


cdef inline int64_t monotonic() noexcept nogil:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return <int64_t>now.tv_sec * 1_000_000_000 + now.tv_nsec


cdef inline long preemptions() noexcept nogil:
    """Times that the scheduler took the core from this (single-threaded) process."""
    cdef rusage usage
    getrusage(RUSAGE_SELF, &usage)
    return usage.ru_nivcsw


cdef inline uint32_t scatter(uint64_t number, uint32_t rows) noexcept nogil:
    """Rows in no order that a prefetcher knows; every fourth one is row 0."""
    if number & 3 == 0:
        return 0
    return <uint32_t>(((number * 0xD1342543DE82EF95ULL) >> 32) * rows >> 32)


cdef class Control:
    """Words that the processes of one run share, to say ready and stop. `buffer` is a shared
    anonymous mmap."""

    cdef object buffer
    cdef uint64_t* words
    cdef readonly uint64_t size

    def __cinit__(self, buffer: object) -> None:
        cdef uint8_t[::1] view = buffer
        self.buffer = buffer
        self.words = <uint64_t*>&view[0]
        self.size = view.shape[0] // 8

    def __getitem__(self, index: int) -> int:
        if not 0 <= index < self.size:
            raise IndexError(index)
        return load_acquire(self.words + <uint32_t>index)

    def __setitem__(self, index: int, value: int) -> None:
        if not 0 <= index < self.size:
            raise IndexError(index)
        store_release(self.words + <uint32_t>index, value)


def write_rows(TableWriter table not None, Control control not None, first: int,
               at_most: int = 2**63) -> int:
    """Publish rows at full speed until told to stop, numbered from `first` on; how many."""
    cdef Values values
    cdef uint64_t number = first
    cdef uint64_t end = number + <uint64_t>at_most
    cdef uint32_t rows = table.row_count()
    with nogil:
        while number < end and not load_relaxed(control.words + STOP):
            fill(<uint64_t*>&values, number, VALUE_WORDS)
            table.publish(scatter(number, rows), &values)
            number += 1
    return number - first


cdef struct Reads:
    uint64_t reads
    uint64_t torn
    uint64_t backwards           # older than what this reader saw before of that row
    uint64_t retries
    uint64_t most_retries
    uint64_t outrun              # given up after READ_ATTEMPTS
    uint64_t changes             # reads that brought something new
    uint64_t over_1ms            # on the wall clock
    uint64_t over_1ms_preempted  # of these, the scheduler had taken the core away
    uint64_t waited_1ms          # of the others, those that had to copy again: 0 is the law
    uint64_t longest_ns          # of the reads that were not preempted


cdef inline void check_row(
    Values* values, uint32_t row, uint64_t* newest, Reads* found
) noexcept nogil:
    cdef uint64_t number = <uint64_t>values.price
    if not intact(<uint64_t*>values, VALUE_WORDS):
        found.torn += 1
    elif number < newest[row]:
        found.backwards += 1
    elif number > newest[row]:
        newest[row] = number
        found.changes += 1


def read_rows(PriceTable table not None, Control control not None, reader: int,
              reads: int) -> dict[str, int]:
    """Read rows at full speed, `reads` times, and check every one."""
    cdef Values values
    cdef Reads found
    cdef uint64_t[MAX_ROWS] newest
    cdef uint64_t number
    cdef uint64_t wanted = reads
    cdef uint32_t rows = table.row_count()
    cdef uint32_t row
    cdef int retries
    memset(&found, 0, sizeof(found))
    memset(newest, 0, sizeof(newest))
    store_release(control.words + READY + <uint32_t>reader, 1)
    with nogil:
        for number in range(wanted):
            row = scatter(number, rows)
            retries = table.read(row, &values)
            if retries < 0:
                found.outrun += 1
                continue
            if retries:
                found.retries += retries
                found.most_retries = max(found.most_retries, <uint64_t>retries)
            check_row(&values, row, newest, &found)
    found.reads = wanted
    return found


def read_rows_timed(PriceTable table not None, Control control not None,
                    reader: int) -> dict[str, int]:
    """Read rows until told to stop, and time every read on the wall clock.

    A read that took 1 ms is excused when the scheduler is known to have taken the core away
    since the last look at getrusage, at most 256 reads before, or when its first copy was good:
    it then waited for no reader.
    """
    cdef Values values
    cdef Reads found
    cdef uint64_t[MAX_ROWS] newest
    cdef uint32_t rows = table.row_count()
    cdef uint32_t row
    cdef int retries
    cdef int64_t start, took
    cdef long switches
    memset(&found, 0, sizeof(found))
    memset(newest, 0, sizeof(newest))
    store_release(control.words + READY + <uint32_t>reader, 1)
    with nogil:
        switches = preemptions()
        while not load_relaxed(control.words + STOP):
            if not found.reads & 255:
                switches = preemptions()
            row = scatter(found.reads, rows)
            start = monotonic()
            retries = table.read(row, &values)
            took = monotonic() - start
            found.reads += 1
            if took > <int64_t>found.longest_ns:
                switches = judge_slow(took, retries, switches, &found)
            if retries < 0:
                found.outrun += 1
                continue
            found.retries += retries
            found.most_retries = max(found.most_retries, <uint64_t>retries)
            check_row(&values, row, newest, &found)
    return found


cdef long judge_slow(int64_t took, int retries, long switches, Reads* found) noexcept nogil:
    """Account for the slowest read so far, or one over 1 ms; the preemptions by now."""
    cdef long now = preemptions()
    if took >= MILLISECOND:
        found.over_1ms += 1
    if now != switches:
        found.over_1ms_preempted += took >= MILLISECOND
    elif took >= MILLISECOND and retries == 0:
        pass
    else:
        found.waited_1ms += took >= MILLISECOND
        found.longest_ns = took
    return now


def read_rows_carelessly(PriceTable table not None, reads: int) -> int:
    """Torn copies of a reader that does not look at the generation: what the check must see."""
    cdef Values values
    cdef uint64_t torn = 0
    cdef uint64_t number
    cdef uint64_t wanted = reads
    cdef uint32_t rows = table.row_count()
    cdef uint32_t row
    with nogil:
        for number in range(wanted):
            row = scatter(number, rows)
            copy_out(
                table.rows + row, table.rests + row, begin_read(table.rows + row),
                <uint64_t*>&values,
            )
            torn += not intact(<uint64_t*>&values, VALUE_WORDS)
    return torn


def write_records(RingWriter ring not None, Control control not None,
                  at_most: int = 2**63) -> int:
    """Write records at full speed, each derived from its own number, until told to stop."""
    cdef Record record
    cdef uint64_t end = ring.cursor + <uint64_t>at_most
    with nogil:
        while ring.cursor < end and not load_relaxed(control.words + STOP):
            fill_record(&record, ring.cursor)
            ring.write(&record)
    return ring.cursor


def read_records(RingReader ring not None, Control control not None, reader: int,
                 published: int) -> dict[str, int]:
    """Receive until record `published` is reached (or told to stop and dry); check each."""
    cdef Record record
    cdef uint64_t received = 0
    cdef uint64_t torn = 0
    cdef uint64_t first = ring.position
    cdef uint64_t end = published
    cdef int got
    store_release(control.words + READY + <uint32_t>reader, 1)
    with nogil:
        while ring.position < end:
            got = ring.read(&record)
            if got == 1:
                received += 1
                torn += not record_intact(&record, ring.position - 1)
            elif got == 0 and load_acquire(control.words + STOP) and not ring.pending():
                break
    return {
        "received": received, "torn": torn, "laps": ring.laps, "skipped": ring.skipped,
        "first": first, "position": ring.position,
    }


def die_in_row(TableWriter table not None, number: int, row: int, words: int) -> None:
    """Begin a publication, write its first `words` words, and die by SIGKILL."""
    cdef Values values
    cdef Row* target = table._checked(row)
    cdef RowRest* rest = table.rests + <uint32_t>row
    cdef uint64_t generation = load_relaxed(&target.generation)
    cdef uint32_t count = words
    if count > VALUE_WORDS:
        raise ValueError(words)
    fill(<uint64_t*>&values, number, VALUE_WORDS)
    copy_words_in(
        begin_write(target, generation), <uint64_t*>&values, min(count, <uint32_t>COMMON_WORDS)
    )
    if count > COMMON_WORDS:
        copy_words_in(
            rest.copies[((generation >> 1) + 1) & 1], <uint64_t*>&values + COMMON_WORDS,
            count - COMMON_WORDS,
        )
    kill(getpid(), SIGKILL)


def die_in_record(RingWriter ring not None, words: int) -> None:
    """Begin a record, write its first `words` words after the marker, and die by SIGKILL. With
    all RECORD_WORDS the record is whole, and only the cursor is not moved."""
    cdef Record record
    cdef Record* slot
    cdef uint32_t count = words
    if count > RECORD_WORDS:
        raise ValueError(words)
    fill_record(&record, ring.cursor)
    slot = begin_record(&ring.ring, ring.cursor)
    copy_words_in(<uint64_t*>slot + 1, <uint64_t*>&record + 1, min(count, RECORD_WORDS - 1))
    if count == RECORD_WORDS:
        store_release(&slot.sequence, 2 * ring.cursor + 2)
    kill(getpid(), SIGKILL)


cdef inline void dawdle(Control control, uint64_t number) noexcept nogil:
    """Some 0 to 500 ns, so that over the rounds a write meets every point of falling asleep:
    without either of the doorbell's fences, wake-ups are then lost."""
    cdef uint64_t delay
    for delay in range(number & 511):
        load_acquire(control.words + ACKNOWLEDGED)


def ring_rounds(RingWriter ring not None, DoorbellRinger bell not None,
                Control control not None, rounds: int) -> int:
    """Write a record and ring, each time after the last was acknowledged; times rung."""
    cdef Record record
    cdef uint64_t number
    cdef uint64_t wanted = rounds
    cdef uint64_t rung = 0
    memset(&record, 0, sizeof(record))
    with nogil:
        for number in range(wanted):
            while load_acquire(control.words + ACKNOWLEDGED) != number:
                if load_relaxed(control.words + STOP):
                    break
                sched_yield()
            dawdle(control, number * 7)
            ring.write(&record)
            rung += bell.ring()
    return rung


def sleep_rounds(RingReader ring not None, Doorbell bell not None, Control control not None,
                 rounds: int, timeout_ms: int) -> dict[str, int]:
    """Arm, look again, sleep until rung, read, acknowledge. A sleep that lasts `timeout_ms`
    was not rung: a lost wake-up."""
    cdef Record record
    cdef uint64_t number = 0
    cdef uint64_t wanted = rounds
    cdef uint64_t slept = 0
    cdef uint64_t lost = 0
    cdef uint64_t spurious = 0
    cdef int patience = timeout_ms
    cdef pollfd waiting
    waiting.fd = bell.fd
    waiting.events = POLLIN
    with nogil:
        while number < wanted and not lost:
            if ring.read(&record) == 1:
                number += 1
                store_release(control.words + ACKNOWLEDGED, number)
                dawdle(control, number * 13)
                continue
            bell.arm()
            if not ring.pending():
                slept += 1
                lost += poll(&waiting, 1, patience) == 0
                spurious += not ring.pending()
            bell.disarm()
        if lost:
            store_release(control.words + STOP, 1)
    return {"rounds": number, "slept": slept, "lost": lost, "spurious": spurious}
