"""The only byte offsets of shared memory.

Law: a change of anything here raises LAYOUT_VERSION; attach refuses every other version.
All words are 64 bits, host order, naturally aligned, and reached through atomics.pxd.

A feed segment, `/ticker.<instance>.<feed>`; the feed worker writes it, all others read:

    0      SegmentHeader   what it is; written once by the supervisor, before any worker exists
    512    FeedState       epoch, heartbeat, state, row count, resume point
    1024   counters        COUNTERS words, each with one meaning (counters.pxd)
    4096   histograms      HISTOGRAMS x HISTOGRAM_WORDS words
    ...    price table     row_capacity x Row
    ...    its rest        row_capacity x RowRest
    ...    rings           ring_count x (RingHeader + ring_capacity x Record)
    ...    rejects         REJECT_RINGS x (RingHeader + REJECT_SLOTS x Reject)
    ...    gaps            (2 + GAP_SLOTS) x GapBlock: sums, then the newest gaps (gaps.pyx)
    ...    depth           a word for each row: its DepthRow and 1, or 0; depth_capacity x DepthRow

A gateway segment, `/ticker.<instance>.gateway<i>`; the gateway worker writes it:

    0      SegmentHeader
    512    GatewayState    heartbeat, doorbell flag, version of its interest
    1024   counters
    4096   histograms
    ...    interest        INTEREST_SLOTS x Interest (depth/interest.pyx)

The store worker's, the recorder's and the relay's, `/ticker.<instance>.store`, `.recorder` and
`.relay`, are like a gateway's without interest.

A row keeps two copies of its values. The writer fills the copy that is not current and then
makes it the current one, so a reader never waits, even for a writer that died half-way:

    generation   2g     copy g & 1 is current, the other one is at rest
                 2g+1   copy g & 1 is current, the other one is being written

The generation only ever grows: a successor that finds a row odd finishes that publication with
the values that were current. Going back to 2g instead would let a reader that copied from the
half-written copy (it held 2g-2, slept through 2g, woke in 2g+1) see 2g and believe its copy.

    +------------+---------------------------+--------+--------+        +--------+--------+------+
    | generation | symbol, venue, scales     | copy 0 | copy 1 |        | copy 0 | copy 1 | base |
    |   8 B      |   56 B, written once      | 192 B  | 192 B  |  . . . |  64 B  |  64 B  | 64 B |
    +------------+---------------------------+--------+--------+        +--------+--------+------+

A copy is in two places: the words that trades and quotes change all day are in the Row, those that
change a few times in a day are in the RowRest of the same number. Rows are touched at random, and
each page of them costs a walk of the page tables: so there are no more of them than it takes.

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
    LAYOUT_VERSION = 11
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
    VALUE_WORDS = 32
    COMMON_WORDS = 24            # of them, the first: what trades and quotes change all day
    REST_WORDS = VALUE_WORDS - COMMON_WORDS
    RECORD_WORDS = 8
    REJECT_WORDS = 12
    REJECT_SLOTS = 128           # of each rule, a power of two
    REJECTS_KEPT = 100           # of them shown
    GAP_WORDS = 24
    GAP_SLOTS = 1024             # gaps of a feed that are kept one by one
    DEPTH_LEVELS = 50            # of each side of a book that readers can see, at most
    DEPTH_ROW_BYTES = 64 + 2 * 8 * (8 + 2 * 2 * 50)   # depth/layout.pxd has the words
    INTEREST_SLOTS = 4096        # symbols whose depth one gateway can want at a time
    INTEREST_BYTES = 32

cdef enum SegmentKind:
    FEED_SEGMENT = 1
    GATEWAY_SEGMENT = 2
    STORE_SEGMENT = 3
    RECORDER_SEGMENT = 4
    RELAY_SEGMENT = 5

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
    uint64_t depth_offset
    uint64_t depth_capacity

cdef struct FeedState:
    uint64_t writer_epoch        # grows by one with every writer that takes the segment over
    uint64_t writer_pid
    uint64_t heartbeat_ns        # last time the writer was seen alive, wall clock
    uint64_t state               # FeedLiveness
    uint64_t row_count           # rows [0, row_count) are whole and will never move
    uint64_t restored_ns         # when the snapshot was made that the rows came from, 0: none
    uint64_t why                 # StaleReason: why the writer does not vouch for its prices
    uint64_t reserved[1]         # what follows moves with every packet: a cache line of its own
    uint64_t resume_sequence     # next sequence that the session expected, 0: none
    uint64_t resume_session[2]   # its session id, NUL padded
    uint64_t last_message_ns     # when something of use came last
    uint64_t silence_ns          # having heard nothing for longer, the feed is stale; 0: not said
    uint64_t quiet_ns            # a symbol that did not change for longer is quiet; 0: not said
    uint64_t depth_seq           # the greatest seq of a DepthRow that was given up
    uint64_t padding[1]          # what follows hardly ever moves: a cache line of its own
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
    uint64_t interest_version    # grows with each change of the interest; odd: one is under way
    uint64_t interest_used       # its slots [0, used) may be taken

cpdef enum FeedLiveness:
    FEED_STARTING = 0
    FEED_RECOVERING = 1
    FEED_LIVE = 2
    FEED_STALE = 3
    FEED_ENDED = 4

cpdef enum StaleReason:
    WHY_NONE = 0                 # the prices are vouched for, or nothing is known yet
    WHY_NOT_CONNECTED            # or the answers are errors
    WHY_SILENT                   # nothing comes
    WHY_ONLY_PINGS               # which say that there is a connection, not that there are prices
    WHY_UNREADABLE               # compressed messages that are none
    WHY_TOO_LONG                 # what comes is longer than is read
    WHY_NO_JSON
    WHY_NO_RULE                  # no rule of the mapping takes anything of the texts
    WHY_SKIPPED                  # records that lack a field, or have one that cannot be read
    WHY_REFUSED                  # the venue refuses what we asked for
    WHY_CLOCK_SKEW               # no trade is accepted: their times are not those of our clock
    WHY_OLDER                    # no trade is accepted: all are older than what is there
    WHY_REJECTED                 # no trade is accepted: their prices, sizes or sessions are wrong
    WHY_NOT_STARTED              # the worker cannot start

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
    ROW_LAST_ALONE = 64          # the last is of a trade that sets it only where no other does
    ROW_OPEN_ALONE = 128         # and so is the open
    # Which prices there are. A price without its flag is none, and its words are 0; with it, 0 is
    # a price like another (spreads and futures trade at 0 and below).
    ROW_HAS_LAST = 1 << 8            # price, size, exchange_time, receive_time
    ROW_HAS_OPEN = 1 << 9            # open, open_time
    ROW_HAS_HIGH_LOW = 1 << 10       # high, low
    ROW_HAS_BID = 1 << 11
    ROW_HAS_ASK = 1 << 12
    ROW_HAS_PREVIOUS_CLOSE = 1 << 13
    ROW_HAS_EXTENDED = 1 << 14       # extended_price, extended_time
    ROW_HAS_OFFICIAL_OPEN = 1 << 15
    ROW_HAS_OFFICIAL_CLOSE = 1 << 16 # official_close, official_close_time
    ROW_HAS_REGULAR = 1 << 17        # regular_price
    ROW_HAS = 0x3FF << 8             # all of them

# The values of a row: what one copy holds. Prices are 1e-9 units, and are there if their RowFlag
# says so; sizes and volumes are 10^-size_exponent units; times are ns since the epoch, UTC, 0 where
# there is none. "Of the day" is of the session that began at `session_start`. Sources: the market
# of the feed worker (feeds/market/), the part of it that is named.
cdef struct Values:
    int64_t price                # last sale: the newest trade whose conditions set it (sales)
    uint64_t size                # of the last sale
    uint64_t volume              # of the day, net of breaks: the low 64 bits of 128 (sales)
    uint64_t trades              # count of the day that counted for volume, net of breaks (sales)
    uint64_t seq                 # trades ever accepted on this row, only grows (sales)
    int64_t open                 # of the day: the official one, else the first trade that sets it
    int64_t high                 # of the day, of trades whose conditions set it (sales)
    int64_t low
    int64_t previous_close       # of the day before: what the feed says, else what this row said
    int64_t bid                  # top of the book (quotes)
    uint64_t bid_size
    int64_t ask
    uint64_t ask_size
    int64_t exchange_time        # of the last sale
    int64_t receive_time         # of the last sale
    int64_t publish_time         # of these values (publisher)
    int64_t quote_time           # exchange time of the quote
    uint64_t quotes              # quote changes ever published, only grows
    uint64_t status              # TradingStatus
    uint64_t flags               # RowFlag bits
    int64_t regular_price        # last sale of the day in regular hours, also where `price` is of
                                 # extended hours because the feed's configuration counts them
    int64_t open_time            # exchange time of the trade or the message that made `open`
    int64_t session_start        # midnight that the row's day counts from, 0: not known
    uint64_t volume_high         # the high 64 bits of `volume`: 0 below 2^64 units
    # From here on (COMMON_WORDS) a row changes a few times in a day: see Publisher.
    int64_t correction_time      # exchange time of the newest break or correction
    int64_t extended_price       # last trade of the day outside of regular hours (sales)
    int64_t extended_time        # its exchange time
    int64_t official_open        # of the day: opening auction, or a message that says it
    int64_t official_close       # of the day: closing auction, or a message that says it
    int64_t official_close_time  # exchange time of that
    uint64_t corrections         # trades ever taken back or corrected, only grows (sales)
    uint64_t reserved[1]

cdef struct Row:
    uint64_t generation
    char symbol[SYMBOL_BYTES]    # canonical form, NUL padded
    char venue[VENUE_BYTES]      # ISO 10383 MIC, NUL padded
    char currency[CURRENCY_BYTES]
    uint64_t size_exponent       # sizes and volumes are in 10^-size_exponent units
    uint64_t instrument_key      # the feed's own number of it (ITCH: locate), for a successor
    uint64_t copies[2][COMMON_WORDS]   # of Values, the first words

cdef struct RowRest:
    uint64_t copies[2][REST_WORDS]     # of Values, the words behind those in the Row
    # What the row had when the feed's current session began, for a successor that computes the
    # session again (takeover). Readers do not look at it.
    int64_t base_day             # session_start of the totals
    uint64_t base_seq
    uint64_t base_trades
    uint64_t base_volume
    uint64_t base_volume_high
    uint64_t reserved[3]

cdef struct RingHeader:
    uint64_t cursor              # records ever published: the next record's number
    uint64_t reserved[7]

cpdef enum RecordKind:
    RECORD_TRADE = 1             # a trade that set the last price
    RECORD_PRINT = 2             # a trade that counts, but did not set the last price
    RECORD_QUOTE = 3             # bid or ask changed
    RECORD_STATUS = 4            # trading status or flags changed
    RECORD_CORRECTION = 5        # read the row again: a trade was taken back or corrected
    RECORD_CANCELLED = 6         # the print `match` never was; price, size, conditions: as it was
    RECORD_CORRECTED = 7         # the print `match` has this price, size and conditions instead
    RECORD_DAY = 8               # read the row again: a figure of the day that no trade made
                                 # changed (official open or close, previous close)

# What a trade counts for, and what it is: of its sale conditions (feeds/market/conditions.pyx).
cpdef enum TradeFlag:
    TRADE_SETS_LAST = 1
    TRADE_SETS_OPEN = 2
    TRADE_SETS_RANGE = 4         # high and low
    TRADE_COUNTS_VOLUME = 8
    TRADE_REGULAR = 15
    TRADE_PRINTED = 16           # it was printed; alone: by its conditions it counts for nothing
    TRADE_LAST_IF_ONLY = 32      # sets last and open of a session in which nothing else has
    # What a trade is; whether it then sets prices is the feed's configuration (Market).
    TRADE_ODD_LOT = 64
    TRADE_EXTENDED = 128         # outside of regular hours
    TRADE_TOLD = 256             # a snapshot tells of it: it may be of long ago
    TRADE_OFFICIAL_OPEN = 512    # its price is the official open
    TRADE_OFFICIAL_CLOSE = 1024  # its price is the official close
    TRADE_LAST_IF_SAME = 2048    # sets the last if its venue set it before, or lists the symbol
    TRADE_LAST_IN_TIME = 4096    # ... if it is received before last-sale eligibility ends
    TRADE_SETS_EXTENDED = 8192   # it would set the last, were it not outside of regular hours
    TRADE_CROSS = 16384          # of an auction: it is of regular hours at any time

# Which sides a quote has, in `conditions` of its record.
cpdef enum QuoteSide:
    QUOTE_BID = 1
    QUOTE_ASK = 2

# A quote's record has the whole quote: price and size are those of the bid, `match` and `seq` the
# price and size of the ask, exchange_time is its own; `conditions` say which sides there are.
#
# Records of a flush are in the order of what happened; RECORD_CANCELLED and RECORD_CORRECTED come
# before the RECORD_CORRECTION of their row, and all of them after the row.
cdef struct Record:
    uint64_t sequence            # commit marker, see above
    uint32_t row
    uint8_t kind                 # RecordKind
    uint8_t reserved
    uint16_t conditions          # TradeFlag bits of a trade, QuoteSide bits of a quote
    int64_t price
    uint64_t size
    int64_t exchange_time        # of the trade; of a cancel or correction: its own
    uint64_t match               # the venue's number of the trade, 0: none
    int64_t publish_time
    uint64_t seq                 # the row's seq with this trade; RECORD_CORRECTED: the number that
                                 # the print has from now on, which corrections name after it

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

# What one gap in a feed's sequence numbers came to. The first block has the sums of all gaps, the
# second one of those that are no longer kept. Of each `missing` number one of the five words behind
# it says what became of it, or it is still open.
cdef struct Gap:
    uint64_t number              # of the gap, from 1; of sums: how many gaps are in them
    uint64_t start               # first number
    uint64_t end                 # one behind the last number
    uint64_t session[2]          # id of the session, NUL padded
    uint64_t channel             # of several streams in a feed: the number of this one and 1, else 0
    uint64_t line                # that showed that something is missing (Line of feeds/session.pxd)
    int64_t detected_ns          # wall clock
    int64_t closed_ns            # 0: numbers of it are still open
    uint64_t missing             # numbers of it that had not come
    uint64_t filled_by_line      # came by a line after all
    uint64_t recovered           # came from the re-request server
    uint64_t lost_upstream       # never came
    uint64_t lost_downstream     # had come, but there was no room for them, and not again
    uint64_t withdrawn           # no gap: nothing confirmed it, or a successor counts them again
    uint64_t requests            # sent for numbers of it
    uint64_t dropped             # had come, but there was no room for them: not yet lost
    uint64_t settled             # 1: the words behind are final
    uint64_t ticks               # that the feed published meanwhile; not settled: until it began
    uint64_t conflated           # by all gateways meanwhile; not settled: until it began
    uint64_t lagged
    uint64_t lapped
    uint64_t reserved[2]

cdef struct GapBlock:            # two copies; `generation` is as in a row
    uint64_t generation
    uint64_t reserved[7]         # whole cache lines
    uint64_t copies[2][GAP_WORDS]
