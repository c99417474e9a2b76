"""The counters and histograms of a segment by number.

A member's own name, without its prefix and in lower case, is the name that users see: one
inserted here is in /metrics without a word anywhere else.
"""

from libc.stdint cimport int64_t, uint64_t

from ticker.shm.atomics cimport add_relaxed
from ticker.shm.header cimport Mapping
from ticker.shm.layout cimport HISTOGRAM_WORDS


cpdef enum FeedCounter:
    # transport and session
    FEED_PACKETS = 0
    FEED_PACKETS_LINE_A
    FEED_PACKETS_LINE_B
    FEED_PACKETS_RETRANSMITTED
    FEED_BYTES
    FEED_BAD_PACKETS
    FEED_HEARTBEATS
    FEED_MESSAGES
    FEED_DUPLICATE_MESSAGES
    FEED_GAPS
    FEED_GAP_MESSAGES
    FEED_GAPS_FILLED_BY_LINE
    FEED_REQUESTS
    FEED_RECOVERED_MESSAGES
    FEED_LOST_MESSAGES
    FEED_SESSIONS
    FEED_OTHER_SESSION_PACKETS
    FEED_REORDER_DROPS
    FEED_SOCKET_DROPS
    FEED_UNREAD_BYTES              # behind the end of a session, or of a message that was cut
    FEED_FOREIGN_PACKETS           # from a source that is not the venue's
    FEED_UNCONFIRMED_PACKETS       # of a jump or a session that nothing has confirmed
    FEED_REQUESTS_WITHHELD         # more than may be asked for
    # protocol and book
    FEED_UNKNOWN_TYPES
    FEED_SHORT_MESSAGES
    FEED_UNKNOWN_ORDERS
    FEED_BAD_ORDERS
    FEED_MEMORY_FAILURES
    FEED_UNKNOWN_SYMBOLS
    FEED_TABLE_FULL
    FEED_BREAKS_UNMATCHED
    FEED_BAD_TEXTS
    FEED_BAD_RECORDS
    FEED_REFUSED_MESSAGES          # whole, because of what they are made of (FIX)
    FEED_FINE_PRICES               # of more decimals than are kept, and none is declared
    # filter: a rule each, in the order of RejectRule (layout.pxd)
    FEED_REJECTED_DUPLICATE
    FEED_REJECTED_BAD_PRICE
    FEED_REJECTED_BAD_SIZE
    FEED_REJECTED_OLDER
    FEED_REJECTED_UNCONFIRMED_JUMP
    FEED_REJECTED_CLOCK_SKEW
    FEED_REJECTED_UNKNOWN_SYMBOL
    FEED_REJECTED_TEST_SYMBOL
    FEED_REJECTED_WRONG_SESSION
    FEED_REJECTED_TOO_OLD_TO_TELL
    FEED_JUMPS_HELD
    FEED_JUMPS_CONFIRMED
    # publisher
    FEED_TRADES
    FEED_QUOTES
    FEED_BREAKS
    FEED_STATUS_CHANGES
    FEED_DOORBELLS
    FEED_ROWS_REPAIRED
    FEED_CORRECTIONS
    FEED_UNCOUNTED_PRINTS
    FEED_REQUESTS_REFUSED
    FEED_IMAGES
    FEED_BAD_MESSAGES
    FEED_BAD_FRAMES              # compressed messages that cannot be read
    FEED_LONG_SYMBOLS            # symbols that no row has room for
    FEED_REFUSALS                # what a server says that it refuses
    FEED_BAD_CHECKSUMS           # of books
    FEED_TOO_LONG                # bodies, texts and messages that are longer than is read
    FEED_UNKNOWN_CONDITIONS      # trades with a sale condition that no table has
    FEED_DEPTH_REFUSED           # books that are watched and that [depth] has no rows for

cpdef enum GatewayCounter:
    GATEWAY_CONNECTIONS_OPEN = 0
    GATEWAY_CONNECTIONS_ACCEPTED
    GATEWAY_CONNECTIONS_CLOSED
    GATEWAY_HANDSHAKES_REFUSED
    GATEWAY_SUBSCRIPTIONS
    GATEWAY_COMMANDS
    GATEWAY_ERRORS_SENT
    GATEWAY_HTTP_REQUESTS
    GATEWAY_RECORDS_READ
    GATEWAY_LAPS
    GATEWAY_RECORDS_SKIPPED
    GATEWAY_FLUSHES
    GATEWAY_CLIENT_FLUSHES
    GATEWAY_UPDATES_SENT
    GATEWAY_SNAPSHOTS_SENT
    GATEWAY_BYTES_SENT
    GATEWAY_ENCODED
    GATEWAY_CONFLATED
    GATEWAY_SEND_BLOCKED
    GATEWAY_SLOW_CLOSED
    GATEWAY_WAKEUPS
    GATEWAY_PROTOCOL_ERRORS
    GATEWAY_LAGGED
    GATEWAY_DESCRIPTORS_EXHAUSTED
    GATEWAY_FALLBACK_READS       # symbols whose price a Redis was asked for
    GATEWAY_FALLBACK_HITS        # of these, those that it had
    GATEWAY_FALLBACK_FAULTS      # answers that were none, or did not come
    GATEWAY_FALLBACK_REFUSED     # symbols that it was not asked for: too many requests waited
    GATEWAY_DEFLATED             # messages that were deflated
    GATEWAY_DEFLATED_SHARED      # sends of a message that had been deflated before
    GATEWAY_DEFLATED_BYTES_SAVED # of all sends
    GATEWAY_INFLATES_REFUSED     # clients' messages that inflate to too much, or to nothing whole

cpdef enum StoreCounter:
    STORE_SNAPSHOTS = 0          # written to the disk
    STORE_SNAPSHOT_BYTES
    STORE_SNAPSHOT_TIME_NS       # when all feeds' last prices were on the disk, wall clock
    STORE_FAULTS                 # of the disk, each try counted
    STORE_FAULT                  # the newest: its errno
    STORE_FAILING                # things that cannot be written now
    STORE_DISK_BYTES             # of the files in the folder
    STORE_CPU_NS
    STORE_BARS                   # written to the disk, a rewrite counted again
    STORE_RECORDS_MISSED         # overwritten in a ring before the bars had them
    STORE_BREAKS_UNMATCHED       # breaks and corrections of trades that are no longer kept
    STORE_WAITING                # bars and days that are not written yet
    STORE_DROPPED                # bars and days that waited too long
    STORE_DATABASE_BYTES         # of the tables, where there is a database

cpdef enum RecorderCounter:
    RECORDER_EVENTS = 0          # written to the disk
    RECORDER_LAPPED              # records overwritten in a ring before they were read
    RECORDER_DROPPED             # events that a disk did not take for too long
    RECORDER_WRITTEN_BYTES
    RECORDER_WRITTEN_TIME_NS     # when all that was read was on the disk last, wall clock
    RECORDER_FILES_REMOVED       # of the oldest hours, for the room that [record] allows
    RECORDER_FAULTS              # of the disk, each try counted
    RECORDER_FAULT               # the newest: its errno
    RECORDER_FAILING             # feeds that cannot be recorded now
    RECORDER_DISK_BYTES          # of the files in the folder
    RECORDER_CPU_NS

cpdef enum RelayCounter:
    RELAY_CONNECTED = 0          # 1: a server of the bus answers
    RELAY_SPEAKING               # feeds of which this box speaks
    RELAY_FRAMES                 # published, images not among them
    RELAY_IMAGES
    RELAY_BYTES
    RELAY_ROWS                   # changes of rows in frames
    RELAY_TRADES                 # with prints, cancels and corrections
    RELAY_LAPPED                 # records overwritten in a ring before they were read
    RELAY_DROPPED                # trades that the bus did not take for too long
    RELAY_CLAIMS                 # times that this box began to speak of a feed
    RELAY_YIELDS                 # times that it stopped, because another one speaks
    RELAY_BAD_FRAMES             # of other boxes, that are none, or of another version
    RELAY_CPU_NS
    RELAY_LOG_STORED             # the newest numbers in the log of the bus
    RELAY_LOG_LOST               # frames that it did not take
    RELAY_LOG_FAILING            # feeds of which it takes nothing now

cpdef enum FeedHistogram:
    FEED_HISTOGRAM_EXCHANGE_TO_RECEIVE = 0
    FEED_HISTOGRAM_RECEIVE_TO_PUBLISH

cpdef enum GatewayHistogram:
    GATEWAY_HISTOGRAM_PUBLISH_TO_SEND = 0
    GATEWAY_HISTOGRAM_EXCHANGE_TO_SEND
    GATEWAY_HISTOGRAM_FLUSH

cdef extern from *:
    """
    static inline unsigned ticker_bucket(uint64_t value) {
        /* log-linear, 8 steps to the octave: the bucket's width is at most 1/8 of its value */
        if (value < 8) return (unsigned)value;
        unsigned top = 63u - (unsigned)__builtin_clzll(value);
        return (top - 2) * 8 + (unsigned)((value >> (top - 3)) & 7);
    }
    """
    unsigned bucket_of "ticker_bucket"(uint64_t value) nogil


cdef inline void count(uint64_t* counters, unsigned which, uint64_t by) noexcept nogil:
    add_relaxed(counters + which, by)


cdef inline void record_duration(uint64_t* histograms, unsigned which, int64_t ns) noexcept nogil:
    """A duration into a histogram of the own segment; a negative one counts as 0."""
    add_relaxed(
        histograms + which * HISTOGRAM_WORDS + bucket_of(<uint64_t>ns if ns > 0 else 0), 1
    )
