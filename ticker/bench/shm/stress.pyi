from typing import TypedDict

from ticker.shm.doorbell import Doorbell, DoorbellRinger
from ticker.shm.ring import RingReader, RingWriter
from ticker.shm.table import PriceTable, TableWriter

STOP: int
READY: int

class Reads(TypedDict):
    reads: int
    torn: int
    backwards: int
    retries: int
    most_retries: int
    outrun: int
    changes: int
    over_1ms: int
    over_1ms_preempted: int
    waited_1ms: int
    longest_ns: int

class Received(TypedDict):
    received: int
    torn: int
    laps: int
    skipped: int
    first: int
    position: int

class Slept(TypedDict):
    rounds: int
    slept: int
    lost: int
    spurious: int

class Control:
    size: int
    def __init__(self, buffer: object) -> None: ...
    def __getitem__(self, index: int) -> int: ...
    def __setitem__(self, index: int, value: int) -> None: ...

def write_rows(table: TableWriter, control: Control, first: int, at_most: int = 2**63) -> int: ...
def read_rows(table: PriceTable, control: Control, reader: int, reads: int) -> Reads: ...
def read_rows_timed(table: PriceTable, control: Control, reader: int) -> Reads: ...
def read_rows_carelessly(table: PriceTable, reads: int) -> int: ...
def write_records(ring: RingWriter, control: Control, at_most: int = 2**63) -> int: ...
def read_records(ring: RingReader, control: Control, reader: int, published: int) -> Received: ...
def die_in_row(table: TableWriter, number: int, row: int, words: int) -> None: ...
def die_in_record(ring: RingWriter, words: int) -> None: ...
def ring_rounds(ring: RingWriter, bell: DoorbellRinger, control: Control, rounds: int) -> int: ...
def sleep_rounds(
    ring: RingReader, bell: Doorbell, control: Control, rounds: int, timeout_ms: int
) -> Slept: ...
