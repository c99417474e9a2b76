"""The bytes of a feed's image: a head, then its parts, one behind the other.

    0                    HEAD_BYTES
    | ImageHead | zeros  | trades | orders | changed orders | ids | new ids | rows | ... |

All words are in this machine's own order: an image is read by the processes of one server only.
"""

from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from ticker.feeds.market.jumps cimport Slot
from ticker.feeds.market.trade_ids cimport GENERATIONS, Series
from ticker.feeds.market.trades cimport Chain
from ticker.shm.layout cimport Values

cdef enum:
    IMAGE_VERSION = 2
    HEAD_BYTES = 4096

cdef enum:                      # the parts
    PART_TRADES = 0              # of Trade, the oldest first: before newer ones take their places
    PART_ORDERS = 1              # of Order: in slots that the image came to
    PART_CHANGED = 2             # of Order: as it was before it changed; the first of each counts
    PART_IDS = 3                 # of uint64: the slots of each generation
    PART_NEW_IDS = 4             # of uint64: to be left out of those
    PART_ROWS = 5                # of RowImage
    PART_KEYS = 6                # of int32: Directory.direct
    PART_HELD = 7                # of HeldImage
    PART_PROTOCOL = 8            # bytes of the decoder
    PART_SESSION = 9             # bytes of the session: the places of its streams
    PARTS = 10

cdef struct GenerationImage:
    uint64_t slots
    uint64_t room
    int64_t newest

cdef struct ImageHead:
    char[8] magic
    uint32_t version
    uint32_t crc                 # of the head, with 0 in this place
    uint64_t boot_id             # of the run of the server
    uint64_t fingerprint         # of the feed's configuration and of this code
    uint64_t[2] session
    uint64_t sequence            # of the next message
    int64_t made_ns
    int64_t midnight
    int64_t first_midnight
    uint64_t rows
    uint64_t orders              # that there are when it is loaded, ORDERS_UNSAID: not known
    uint64_t trades
    int64_t horizon
    uint64_t generations
    GenerationImage[GENERATIONS] generation
    uint64_t phase
    int64_t phase_time
    uint64_t breaker
    int64_t breaker_time
    int64_t[3] decline_levels
    uint64_t[PARTS] lengths      # bytes
    uint32_t[PARTS] crcs

cdef struct RowImage:
    Values values
    Values base
    Chain chain
    Series greatest
    uint32_t lot
    uint32_t absorbed

cdef struct HeldImage:
    uint64_t row
    Slot slot
