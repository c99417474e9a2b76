"""The frame: what boxes tell each other on the bus. The only byte offsets of it.

Law: all numbers are little-endian, and a frame of another magic, version, kind, cluster or length,
or with a wrong checksum, is none (`find_fault`). Any bytes are a frame or give a fault; a frame that
has none can be read without a further check of its bounds.

    FrameHead    64 bytes
    body         of a delta or an image: Defines, then rows, then FrameTrades
                 of a state: FeedWords, then a batch number for each shard
                 of a notice: JSON

    row          u32 row | u32 mask | a u64 for each bit of the mask, from the lowest on
    packed       u32 row | ROW_PACKED | u32 mask | u32 few | for each bit of the mask a u64, or,
                 where `few` has the bit, a u32
    trade        a FrameTrade, or fewer bytes, as its `form` says (take_trade)

`row` is the speaker's own number of a row; a define says whose it is. Bit n of the mask is word n of
Values (layout.pxd); its last word is reserved, so its bit says that the row is to be read again: it
changed otherwise than by trades and quotes. Words are absolute values. A u32 is the word itself, or
of a time (NEAR_WORDS) what it is later than 2^31 ns before the frame's publish_time. A trade that its
row shows in the same frame has only its number; FORM_OF_ROW: `row` is the row's place in the frame.
A relay makes packed rows and short trades; readers take all forms, so others may write plain ones.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

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
    ROW_PACKED = 1 << 31         # in the number of a row
    NEAR_WORDS = 0xF << 13       # exchange_time, receive_time, publish_time, quote_time
    PRICE_WORD = 0
    SIZE_WORD = 1
    SEQ_WORD = 4
    EXCHANGE_WORD = 13
    QUOTE_WORDS = 0xF << 9 | 1 << 17                  # bid to ask_size, quotes
    STATUS_WORD = 1 << 18
    # that a row has of its trade
    TRADE_WORDS = 1 << PRICE_WORD | 1 << SIZE_WORD | 1 << SEQ_WORD | 1 << EXCHANGE_WORD
    SALE_WORDS = 1 << SEQ_WORD | 1 << EXCHANGE_WORD   # that change with a last sale
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

# What a trade has in fewer bytes: 4 instead of 8, or nothing.
cdef enum TradeForm:
    FORM_OF_ROW = 1              # price, size, exchange_time and seq are those of its row here
    FORM_FEW_SIZE = 2
    FORM_FEW_TIME = 4
    FORM_FEW_MATCH = 8
    FORM_FEW_SEQ = 16
    FORMS = 32
    TRADE_HEAD = 8               # bytes: up to `price`

cdef struct FrameTrade:
    uint32_t row
    uint8_t kind                 # RecordKind of a trade, a print, a cancel or a correction
    uint8_t form                 # TradeForm bits: what of the following is shorter
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


# A sealed frame as an object.
cdef bytes bytes_of(const uint8_t* frame)
# The define of a row, at a place of a frame.
cdef void put_name(uint8_t* at, const Row* row, uint32_t number) noexcept nogil
# When the row was published as the break or correction of this frame left it; of other trades, and
# where the frame does not have the row's time: later than ever.
cdef int64_t published_in(const uint8_t* frame, const FrameTrade* trade) noexcept nogil


cdef inline const uint8_t* rows_of(const uint8_t* frame) noexcept nogil:
    """Where the rows of a delta or an image begin."""
    return frame + BODY_OFFSET + (<const FrameHead*>frame).defines * sizeof(Define)


# What a row of a frame has before its words.
cdef struct RowHead:
    uint32_t row
    uint32_t mask                # with READ_AGAIN
    uint32_t few


cdef inline uint64_t near_of(int64_t publish_time) noexcept nogil:
    """What times of 32 bits count from."""
    return <uint64_t>publish_time - (<uint64_t>1 << 31)


cdef inline bint is_packed(const uint8_t* row) noexcept nogil:
    cdef uint32_t number
    memcpy(&number, row, 4)
    return number & <uint32_t>ROW_PACKED != 0


cdef inline const uint8_t* take_row(const uint8_t* at, RowHead* head) noexcept nogil:
    """Where the words of the row at this place begin."""
    memcpy(head, at, sizeof(FrameRow))
    head.few = 0
    if head.row & <uint32_t>ROW_PACKED:
        head.row ^= <uint32_t>ROW_PACKED
        memcpy(&head.few, at + sizeof(FrameRow), 4)
        at += 4
    return at + sizeof(FrameRow)


cdef inline size_t bytes_of_words(const RowHead* head) noexcept nogil:
    return 8 * bits_in(head.mask & <uint32_t>ALL_WORDS) - 4 * bits_in(head.few)


cdef inline const uint8_t* take_word(
    const uint8_t* at, const RowHead* head, int word, uint64_t near, uint64_t* value
) noexcept nogil:
    """The word of the row that stands at this place; where the next one is."""
    cdef uint32_t few
    if head.few >> word & 1:
        memcpy(&few, at, 4)
        value[0] = <uint64_t>few + (near if NEAR_WORDS >> word & 1 else <uint64_t>0)
        return at + 4
    memcpy(value, at, 8)
    return at + 8


cdef inline uint64_t word_of(
    const uint8_t* at, const RowHead* head, int word, uint64_t near
) noexcept nogil:
    """A word that the row has; `at`: where its words begin."""
    cdef uint32_t below = (<uint32_t>1 << word) - 1
    cdef uint64_t value
    at += 8 * bits_in(head.mask & below) - 4 * bits_in(head.few & below)
    take_word(at, head, word, near, &value)
    return value


cdef inline uint8_t* put_plain_row(
    uint8_t* at, uint32_t row, uint32_t mask, const uint64_t* words
) noexcept nogil:
    """The row with those of the words that the mask has; where it ends."""
    cdef uint32_t left = mask & <uint32_t>ALL_WORDS
    memcpy(at, &row, 4)
    memcpy(at + 4, &mask, 4)
    at += sizeof(FrameRow)
    while left:
        memcpy(at, words + lowest_bit(left), 8)
        at += 8
        left &= left - 1
    return at


cdef inline uint8_t* put_row(
    uint8_t* at, uint32_t row, uint32_t mask, const uint64_t* words, uint64_t near
) noexcept nogil:
    """A packed row with those of the words that the mask has; where it ends."""
    cdef uint8_t* start = at
    cdef uint32_t few = 0
    cdef uint32_t left = mask & <uint32_t>ALL_WORDS
    cdef uint64_t value
    cdef uint32_t low
    cdef int word
    at += sizeof(FrameRow) + 4
    while left:
        word = lowest_bit(left)
        left &= left - 1
        value = words[word] - (near if NEAR_WORDS >> word & 1 else <uint64_t>0)
        if value >> 32:
            memcpy(at, words + word, 8)
            at += 8
        else:
            low = <uint32_t>value
            memcpy(at, &low, 4)
            at += 4
            few |= <uint32_t>1 << word
    row |= <uint32_t>ROW_PACKED
    memcpy(start, &row, 4)
    memcpy(start + 4, &mask, 4)
    memcpy(start + 8, &few, 4)
    return at


cdef inline size_t bytes_of_trade(uint8_t form) noexcept nogil:
    """How many bytes a trade of this form takes; 0: there is no such form."""
    if form == FORM_OF_ROW:
        return TRADE_HEAD + 8
    if form == (FORM_OF_ROW | FORM_FEW_MATCH):
        return TRADE_HEAD + 4
    if form & FORM_OF_ROW or form >= FORMS:
        return 0
    return sizeof(FrameTrade) - 4 * bits_in(form)


cdef inline const uint8_t* _take_number(
    const uint8_t* at, bint few, uint64_t near, uint64_t* value
) noexcept nogil:
    cdef uint32_t low
    if few:
        memcpy(&low, at, 4)
        value[0] = near + low
        return at + 4
    memcpy(value, at, 8)
    return at + 8


cdef inline const uint8_t* take_trade(
    const uint8_t* at, uint64_t near, FrameTrade* trade
) noexcept nogil:
    """The trade at this place, and where the next one is. FORM_OF_ROW: it lacks what its row has, and
    `row` is a place (fill_of_row)."""
    cdef uint8_t form
    memcpy(trade, at, TRADE_HEAD)
    form = trade.form
    at += TRADE_HEAD
    if form & FORM_OF_ROW:
        return _take_number(at, form & FORM_FEW_MATCH, 0, &trade.match)
    memcpy(&trade.price, at, 8)
    at = _take_number(at + 8, form & FORM_FEW_SIZE, 0, &trade.size)
    at = _take_number(at, form & FORM_FEW_TIME, near, <uint64_t*>&trade.exchange_time)
    at = _take_number(at, form & FORM_FEW_MATCH, 0, &trade.match)
    return _take_number(at, form & FORM_FEW_SEQ, 0, &trade.seq)


cdef inline void fill_of_row(const uint8_t* row, uint64_t near, FrameTrade* trade) noexcept nogil:
    """What a trade of FORM_OF_ROW lacks, from its row at this place of the frame."""
    cdef RowHead head
    row = take_row(row, &head)
    trade.row = head.row
    trade.price = <int64_t>word_of(row, &head, PRICE_WORD, near)
    trade.size = word_of(row, &head, SIZE_WORD, near)
    trade.seq = word_of(row, &head, SEQ_WORD, near)
    trade.exchange_time = <int64_t>word_of(row, &head, EXCHANGE_WORD, near)


cdef inline uint8_t* _put_number(uint8_t* at, uint64_t value, uint64_t near, bint few) noexcept nogil:
    cdef uint32_t low = <uint32_t>(value - near)
    if few:
        memcpy(at, &low, 4)
        return at + 4
    memcpy(at, &value, 8)
    return at + 8


cdef inline uint8_t* put_trade(uint8_t* at, const FrameTrade* trade, uint64_t near) noexcept nogil:
    """A trade in as few bytes as it takes without its row; where it ends."""
    cdef FrameTrade head = trade[0]
    head.form = <uint8_t>(
        (0 if trade.size >> 32 else <int>FORM_FEW_SIZE)
        | (0 if (<uint64_t>trade.exchange_time - near) >> 32 else <int>FORM_FEW_TIME)
        | (0 if trade.match >> 32 else <int>FORM_FEW_MATCH)
        | (0 if trade.seq >> 32 else <int>FORM_FEW_SEQ)
    )
    memcpy(at, &head, TRADE_HEAD + 8)
    at = _put_number(at + TRADE_HEAD + 8, trade.size, 0, head.form & FORM_FEW_SIZE)
    at = _put_number(
        at, <uint64_t>trade.exchange_time, near, head.form & FORM_FEW_TIME
    )
    at = _put_number(at, trade.match, 0, head.form & FORM_FEW_MATCH)
    return _put_number(at, trade.seq, 0, head.form & FORM_FEW_SEQ)


cdef inline uint8_t* put_trade_of_row(
    uint8_t* at, const FrameTrade* trade, uint32_t place
) noexcept nogil:
    """A trade that its row shows, which is at this place among the rows of the frame."""
    cdef FrameTrade head = trade[0]
    head.row = place
    head.form = <uint8_t>(FORM_OF_ROW | (0 if trade.match >> 32 else <int>FORM_FEW_MATCH))
    memcpy(at, &head, TRADE_HEAD)
    return _put_number(at + TRADE_HEAD, trade.match, 0, head.form & FORM_FEW_MATCH)


cdef inline const uint8_t* find_rows(const uint8_t* frame, uint32_t* places) noexcept nogil:
    """Note how many bytes are before each row of the frame; where its trades begin."""
    cdef const uint8_t* at = rows_of(frame)
    cdef RowHead head
    cdef uint32_t i
    for i in range((<const FrameHead*>frame).rows):
        places[i] = <uint32_t>(at - frame)
        at = take_row(at, &head)
        at += bytes_of_words(&head)
    return at
