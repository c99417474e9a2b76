"""The frame: what boxes tell each other on the bus. The only byte offsets of it.

Law: all numbers are little-endian, and a frame of another magic, version, kind, cluster or length,
or with a wrong checksum, is none (`find_fault`). Any bytes are a frame or give a fault; a frame that
has none can be read without a further check of its bounds.

    FrameHead    64 bytes
    body         of a delta or an image: Defines, then rows, then FrameTrades
                 of a state: FeedWords, then a batch number for each shard
                 of a notice: JSON

    row          u32 row | u32 mask | a u64 for each bit of the mask, from the lowest on

`row` is the speaker's own number of a row; a define says whose it is. Bit n of the mask is word n of
Values (layout.pxd); its last word is reserved, so its bit says that the row is to be read again: it
changed otherwise than by trades and quotes. Words are absolute values.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from ticker.shm.layout cimport CURRENCY_BYTES, SYMBOL_BYTES, VALUE_WORDS, VENUE_BYTES, Row

cdef enum:
    FRAME_MAGIC = 0x31464B54     # "TKF1"
    FRAME_VERSION = 1
    HEAD_BYTES = 64
    CHECK_OFFSET = 48            # of `check`, which is over all other bytes
    BODY_OFFSET = HEAD_BYTES
    PUBLISH_WORD = 15            # the place of publish_time in a row
    READ_AGAIN = 1 << 31         # in the mask of a row
    ALL_WORDS = 0x7FFFFFFF
    FEED_WORDS = 16
    LIFE_BITS = 11
    MOST_SHARDS = 4096
    MOST_FRAME = 1 << 20         # bytes: what a server takes by default

cpdef enum FrameKind:
    FRAME_DELTA = 1              # what changed since the batch before
    FRAME_IMAGE                  # all rows of a shard, as of a batch
    FRAME_STATE                  # of the feed, by its speaker
    FRAME_NOTICE                 # of a box about itself
    FRAME_ASK                    # for images of shards: a bit for each in the body

cdef struct FrameHead:
    uint32_t magic
    uint8_t version
    uint8_t kind                 # FrameKind
    uint16_t shard
    uint64_t epoch               # term << 8 | rank of the speaker
    uint64_t batch               # of a delta: one more with each of the shard in an epoch
                                 # of an image: the newest batch that is in it
    uint64_t boot                # names one life of the speaker's server and, in the lowest
                                 # LIFE_BITS, of its relay
    int64_t publish_time         # of the speaker's clock, ns
    uint16_t defines
    uint16_t rows
    uint32_t trades
    uint32_t check               # CRC-32C of all other bytes
    uint32_t length              # of the whole frame
    uint32_t feed                # CRC-32C of "cluster.feed"
    uint16_t part                # of an image that needs several frames: 0 to parts - 1
    uint16_t parts

cdef struct Define:
    uint32_t row
    uint32_t size_exponent
    char symbol[SYMBOL_BYTES]    # NUL padded
    char venue[VENUE_BYTES]
    char currency[CURRENCY_BYTES]
    uint64_t instrument_key

cdef struct FrameRow:
    uint32_t row
    uint32_t mask

cdef struct FrameTrade:
    uint32_t row
    uint8_t kind                 # RecordKind of a trade, a print, a cancel or a correction
    uint8_t reserved
    uint16_t conditions
    int64_t price
    uint64_t size
    int64_t exchange_time
    uint64_t match
    uint64_t seq

# Of FeedState (layout.pxd), as the speaker's box shows it.
cdef struct FeedWords:
    uint64_t state               # FeedLiveness
    uint64_t why
    uint64_t rows
    int64_t last_message_ns
    int64_t silence_ns
    int64_t quiet_ns
    uint64_t venue[7]            # from FeedState.phase on
    uint64_t reserved[3]

cpdef enum Fault:
    FAULT_NONE = 0
    FAULT_SHORT                  # or longer than it says
    FAULT_MAGIC
    FAULT_VERSION
    FAULT_CHECK
    FAULT_KIND
    FAULT_FEED                   # of another cluster or feed
    FAULT_BODY                   # the body is not what the head says, or impossible


cdef inline uint32_t bits_in(uint32_t mask) noexcept nogil:
    # without the instruction, which not each processor has, a compiler's own is a call
    mask -= (mask >> 1) & <uint32_t>0x55555555
    mask = (mask & <uint32_t>0x33333333) + ((mask >> 2) & <uint32_t>0x33333333)
    mask = (mask + (mask >> 4)) & <uint32_t>0x0F0F0F0F
    return (mask * <uint32_t>0x01010101) >> 24


cdef inline int lowest_bit(uint32_t mask) noexcept nogil:
    """The place of the lowest bit of a mask that has one."""
    return __builtin_ctz(mask)


cdef extern from *:
    int __builtin_ctz(unsigned value) nogil

# What is wrong with these bytes as a frame of the feed whose identity this is.
cdef Fault find_fault(const uint8_t* at, size_t length, uint32_t feed) noexcept nogil
# Fill in the length and the check of a frame whose other words are there.
cdef void seal(uint8_t* at, uint32_t length) noexcept nogil


# The define of a row, at a place of a frame.
cdef void put_name(uint8_t* at, const Row* row, uint32_t number) noexcept nogil
# When the row was published as the break or correction of this frame left it; of other trades, and
# where the frame does not have the row's time: later than ever.
cdef int64_t published_in(const uint8_t* frame, const FrameTrade* trade) noexcept nogil


cdef inline const uint8_t* rows_of(const uint8_t* frame) noexcept nogil:
    """Where the rows of a delta or an image begin."""
    return frame + BODY_OFFSET + (<const FrameHead*>frame).defines * sizeof(Define)
