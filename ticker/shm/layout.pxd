"""The only byte offsets of shared memory.

Law: a change of anything here raises LAYOUT_VERSION; attach refuses every other version.
All words are 64 bits, host order, naturally aligned, and reached through atomics.pxd.

A feed segment, `/ticker.<instance>.<feed>`; the feed worker writes it, all others read:

    0      SegmentHeader   what it is; written once by the supervisor, before any worker exists
    512    FeedState       epoch, heartbeat, state, row count, resume point
    1024   counters        COUNTERS words, each with one meaning (counters.pxd)
    4096   histograms      HISTOGRAMS x HISTOGRAM_WORDS words
    ...    price table     row_capacity x Row
    ...    rings           ring_count x (RingHeader + ring_capacity x Record)
    ...    rejects         REJECT_RINGS x (RingHeader + REJECT_SLOTS x Reject)

A gateway segment, `/ticker.<instance>.gateway<i>`; the gateway worker writes it:

    0      SegmentHeader
    512    GatewayState    heartbeat, doorbell flag
    1024   counters
    4096   histograms

The store's segment, `/ticker.<instance>.store`, is like a gateway's; the store worker writes it.

A row keeps two copies of its values. The writer fills the copy that is not current and then
makes it the current one, so a reader never waits, even for a writer that died half-way:

    generation   2g     copy g & 1 is current, the other one is at rest
                 2g+1   copy g & 1 is current, the other one is being written

The generation only ever grows: a successor that finds a row odd finishes that publication with
the values that were current. Going back to 2g instead would let a reader that copied from the
half-written copy (it held 2g-2, slept through 2g, woke in 2g+1) see 2g and believe its copy.

    +------------+---------------------------+--------+--------+
    | generation | symbol, venue, scales     | copy 0 | copy 1 |
    |   8 B      |   56 B, written once      | 192 B  | 192 B  |
    +------------+---------------------------+--------+--------+

A ring record carries its own sequence: 2n+1 while record n is written, 2n+2 once it is whole.
A record that is whole stays so until it is lapped: a successor that finds record `cursor` whole
(its predecessor died before it moved the cursor) counts it as published.

What the filter refused is kept in a ring per rule, by the same protocol; its cursor is how many
there were. Readers look backwards from it, and show REJECTS_KEPT of the slots: the others are
what the writer may be at. The last ring has what the filter held: a trade in it waits as long as
its row's flags count it.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t


cpdef enum:
    LAYOUT_VERSION = 5
    STATE_OFFSET = 512
    COUNTERS_OFFSET = 1024
    COUNTERS = 384
    HISTOGRAMS_OFFSET = 4096
    HISTOGRAMS = 8
    HISTOGRAM_WORDS = 512
    BODY_OFFSET = 4096 + 8 * 512 * 8
    CACHE_LINE = 64
    SYMBOL_BYTES = 24
    VENUE_BYTES = 8
    CURRENCY_BYTES = 8
    VALUE_WORDS = 24
    RECORD_WORDS = 8
    REJECT_WORDS = 12
    REJECT_SLOTS = 128           # of each rule, a power of two
    REJECTS_KEPT = 100           # of them shown

cdef enum SegmentKind:
    FEED_SEGMENT = 1
    GATEWAY_SEGMENT = 2
    STORE_SEGMENT = 3

cdef struct SegmentHeader:
    uint64_t magic
    uint64_t layout_version
    uint64_t kind
    uint64_t total_size
    uint64_t boot_id
    uint64_t created_ns
    uint64_t row_capacity
    uint64_t row_stride
    uint64_t table_offset
    uint64_t ring_count
    uint64_t ring_capacity
    uint64_t rings_offset
    uint64_t record_size
    uint64_t rejects_offset
    uint64_t reject_size

cdef struct FeedState:
    uint64_t writer_epoch        # grows by one with every writer that takes the segment over
    uint64_t writer_pid
    uint64_t heartbeat_ns        # last time the writer was seen alive, wall clock
    uint64_t state               # FeedLiveness
    uint64_t row_count           # rows [0, row_count) are whole and will never move
    uint64_t restored_ns         # when the snapshot was made that the rows came from, 0: none
    uint64_t reserved[2]         # what follows moves with every packet: a cache line of its own
    uint64_t resume_sequence     # next sequence that the session expected, 0: none
    uint64_t resume_session[2]   # its session id, NUL padded
    uint64_t last_message_ns     # receive time of the last packet
    uint64_t silence_ns          # having heard nothing for longer, the feed is stale; 0: not said
    uint64_t quiet_ns            # a symbol that did not change for longer is quiet; 0: not said
    uint64_t padding[2]          # what follows hardly ever moves: a cache line of its own
    uint64_t phase               # MarketPhase that the venue itself said last
    uint64_t phase_time          # exchange time of that
    uint64_t breaker             # market-wide circuit breaker in force: its level 1 to 3, 0: none
    uint64_t breaker_time        # exchange time of its trigger, or of its end
    uint64_t decline_levels[3]   # index values of the day at which it triggers, 1e-9, 0: not said

cdef struct GatewayState:
    uint64_t writer_epoch
    uint64_t writer_pid
    uint64_t heartbeat_ns
    uint64_t doorbell_armed      # 1: asleep, ring the eventfd

cpdef enum FeedLiveness:
    FEED_STARTING = 0
    FEED_RECOVERING = 1
    FEED_LIVE = 2
    FEED_STALE = 3
    FEED_ENDED = 4

cpdef enum MarketPhase:
    PHASE_UNKNOWN = 0
    PHASE_CLOSED = 1
    PHASE_PRE = 2                # extended hours before the open
    PHASE_OPEN = 3               # regular hours
    PHASE_BREAK = 4              # between two parts of the regular hours
    PHASE_POST = 5               # extended hours after the close

cpdef enum TradingStatus:
    STATUS_UNKNOWN = 0
    STATUS_TRADING = 1
    STATUS_HALTED = 2
    STATUS_PAUSED = 3
    STATUS_QUOTE_ONLY = 4
    STATUS_CLOSED = 5

cpdef enum RowFlag:
    ROW_STALE = 1                # restored or carried over, no live tick since
    ROW_TEST = 2                 # a test issue of the venue
    ROW_SHARED_MICROSECOND = 4   # the price before the last had the same time, cut to 1 us
    ROW_LISTED = 8               # the venue lists the symbol: its close is the official one
    ROW_HELD_ONE = 16            # trades that the filter holds, in two bits: 0, 1 or 2 of them;
    ROW_HELD = 48                # not 0: the price may change by them (status "unconfirmed")

# The values of a row: what one copy holds. Prices are 1e-9 units, 0 where there is none
# (has_* bits would cost a word; no venue trades at 0); times are ns since the epoch, UTC.
cdef struct Values:
    int64_t price                # last sale
    uint64_t size                # of the last sale
    uint64_t volume              # cumulative, of the session
    uint64_t trades              # cumulative count, of the session, net of breaks
    uint64_t seq                 # trades accepted on this row, only grows
    int64_t open
    int64_t high
    int64_t low
    int64_t previous_close
    int64_t bid
    uint64_t bid_size
    int64_t ask
    uint64_t ask_size
    int64_t exchange_time        # of the last sale
    int64_t receive_time         # of the last sale
    int64_t publish_time         # of these values
    int64_t quote_time           # exchange time of the quote
    uint64_t quotes              # quote changes published
    uint64_t status              # TradingStatus
    uint64_t flags               # RowFlag bits
    uint64_t corrections         # trades taken back
    int64_t open_time            # exchange time of the trade that made `open`
    int64_t session_start        # midnight that the row's day counts from, 0: not known
    uint64_t reserved[1]

cdef struct Row:
    uint64_t generation
    char symbol[SYMBOL_BYTES]    # canonical form, NUL padded
    char venue[VENUE_BYTES]      # ISO 10383 MIC, NUL padded
    char currency[CURRENCY_BYTES]
    uint64_t size_exponent       # sizes and volumes are in 10^-size_exponent units
    uint64_t instrument_key      # the feed's own number of it (ITCH: locate), for a successor
    uint64_t copies[2][VALUE_WORDS]

cdef struct RingHeader:
    uint64_t cursor              # records ever published: the next record's number
    uint64_t reserved[7]

cpdef enum RecordKind:
    RECORD_TRADE = 1             # a trade that set the last price
    RECORD_PRINT = 2             # a trade that counts for volume but did not set the last price
    RECORD_QUOTE = 3             # bid or ask changed
    RECORD_STATUS = 4            # trading status or flags changed
    RECORD_CORRECTION = 5        # read the row again: a trade was taken back

cdef struct Record:
    uint64_t sequence            # commit marker, see above
    uint32_t row
    uint8_t kind                 # RecordKind
    uint8_t reserved
    uint16_t conditions
    int64_t price
    uint64_t size
    int64_t exchange_time
    int64_t receive_time
    int64_t publish_time
    uint64_t seq                 # the row's seq with this trade

# Why the filter refused a trade, in the order of FEED_REJECTED_* (counters.pxd).
cpdef enum RejectRule:
    REJECT_DUPLICATE = 0
    REJECT_BAD_PRICE
    REJECT_BAD_SIZE
    REJECT_OLDER
    REJECT_UNCONFIRMED_JUMP
    REJECT_CLOCK_SKEW
    REJECT_UNKNOWN_SYMBOL
    REJECT_TEST_SYMBOL
    REJECT_WRONG_SESSION
    REJECT_TOO_OLD_TO_TELL
    REJECT_RULES

# The rings of rejects are one for each rule, then one for the jumps that the filter held.
cdef enum:
    HELD_RING = REJECT_RULES
    REJECT_RINGS

cdef struct Reject:
    uint64_t sequence            # commit marker, as a Record's
    char symbol[SYMBOL_BYTES]    # NUL padded
    int64_t price
    uint64_t size
    int64_t exchange_time
    int64_t receive_time
    uint64_t match               # the venue's number of the trade, 0: none
    uint64_t size_exponent
    int64_t detail[2]            # what the rule compared with: rejects.pyx says it in words
