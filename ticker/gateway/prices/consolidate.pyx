"""One price out of the rows that several venues have for a symbol.

`begin`, `add` each row in the order of the feeds in the configuration, `finish`. Rows of one
currency only: which those are is the board's decision. docs/consolidation.md says the rules to
users; tests/gateway/prices/test_consolidate.py has them once more in plain Python.

Law: a function of the rows and their order alone; nothing is remembered from one price to the
next, so every gateway that reads the same rows shows the same price.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memset

from ticker.shm.layout cimport (
    ROW_HAS_ASK,
    ROW_HAS_BID,
    ROW_HAS_EXTENDED,
    ROW_HAS_HIGH_LOW,
    ROW_HAS_LAST,
    ROW_HAS_OFFICIAL_CLOSE,
    ROW_HAS_OFFICIAL_OPEN,
    ROW_HAS_OPEN,
    ROW_HAS_PREVIOUS_CLOSE,
    ROW_LAST_ALONE,
    ROW_LISTED,
    ROW_OPEN_ALONE,
    ROW_SHARED_MICROSECOND,
    ROW_STALE,
    ROW_TEST,
    STATUS_TRADING,
    STATUS_UNKNOWN,
    Values,
)

from ticker.shm.table import FIELDS

cdef enum:
    OF_THE_DAY = (
        ROW_HAS_OPEN | ROW_HAS_HIGH_LOW | ROW_HAS_PREVIOUS_CLOSE | ROW_HAS_EXTENDED
        | ROW_HAS_OFFICIAL_CLOSE
    )

cdef extern from "<stdint.h>":
    const uint64_t MOST "UINT64_MAX"

cdef extern from *:
    """
    #include <stdint.h>
    typedef unsigned __int128 ticker_volume;
    static inline ticker_volume ticker_finer(ticker_volume volume, uint64_t scale) {
        const ticker_volume most = ~(ticker_volume)0;
        return volume <= most / scale ? volume * scale : most;
    }
    static inline void ticker_refine(uint64_t *high, uint64_t *low, uint64_t scale) {
        ticker_volume volume = ticker_finer((ticker_volume)*high << 64 | *low, scale);
        *high = (uint64_t)(volume >> 64);
        *low = (uint64_t)volume;
    }
    static inline void ticker_add(uint64_t *high, uint64_t *low, uint64_t more_high,
                                  uint64_t more_low, uint64_t scale) {
        ticker_volume volume = (ticker_volume)*high << 64 | *low;
        ticker_volume more = ticker_finer((ticker_volume)more_high << 64 | more_low, scale);
        volume = volume + more < volume ? ~(ticker_volume)0 : volume + more;
        *high = (uint64_t)(volume >> 64);
        *low = (uint64_t)volume;
    }
    """
    # Volumes of 128 bits; what does not fit is as large as a volume can be.
    void refine_volume "ticker_refine"(uint64_t* high, uint64_t* low, uint64_t scale) nogil
    void add_volume "ticker_add"(
        uint64_t* high, uint64_t* low, uint64_t more_high, uint64_t more_low, uint64_t scale
    ) nogil


cdef void begin(Consolidated* into) noexcept nogil:
    memset(into, 0, sizeof(Consolidated))
    into.first = into.last = into.bid = into.ask = into.close = into.official = NO_ROW


cdef void add(
    Consolidated* into, const Values* row, uint64_t size_exponent, uint32_t number, bint speaks
) noexcept nogil:
    """Add one more venue's row, whose sizes are in 10^-size_exponent units; `number` is the
    caller's name of it. Of the rows that several feeds have of one venue only one `speaks` for
    it: what adds up would count twice."""
    cdef uint64_t scale
    into.number = number
    if into.first == NO_ROW:
        into.first = number
    if size_exponent > into.size_exponent:
        refine(into, power_of_ten(size_exponent - into.size_exponent))
        into.size_exponent = size_exponent
    scale = power_of_ten(into.size_exponent - size_exponent)
    add_sale(into, row, scale)
    add_day(into, row, scale, speaks)
    if speaks:
        add_quote(into, row, scale)
    add_state(into, row)


cdef void finish(Consolidated* into) noexcept nogil:
    """All rows are there. Stale: no live row has sold, or, before the first sale, none is live."""
    cdef bint live = into.fresh_sale if into.last != NO_ROW else into.fresh
    if not live:
        into.values.flags |= ROW_STALE


cdef void add_sale(Consolidated* into, const Values* row, uint64_t scale) noexcept nogil:
    """Last sale: the newest by exchange time; of the same time, the one received last; of the
    same receive time too, the first row's. One that may set it only where no other sale of the
    session has, gives way to any other. Counts that only grow: sums."""
    cdef Values* values = &into.values
    values.seq += row.seq
    values.quotes += row.quotes
    values.corrections += row.corrections
    if row.publish_time > values.publish_time:
        values.publish_time = row.publish_time
    if row.correction_time > values.correction_time:
        values.correction_time = row.correction_time
    if not row.flags & ROW_HAS_LAST:
        return
    if not sold_later(into, row):
        return
    into.last = into.number
    values.price = row.price
    values.size = times(row.size, scale)
    values.exchange_time = row.exchange_time
    values.receive_time = row.receive_time
    values.flags &= ~<uint64_t>(ROW_SHARED_MICROSECOND | ROW_LAST_ALONE)
    values.flags |= ROW_HAS_LAST | (row.flags & (ROW_SHARED_MICROSECOND | ROW_LAST_ALONE))


cdef inline int64_t sold_at(const Values* row) noexcept nogil:
    """When a row's last sale happened; one that any other of its session takes the place of, at the
    start of the session."""
    if row.flags & ROW_LAST_ALONE and row.exchange_time > row.session_start:
        return row.session_start
    return row.exchange_time


cdef inline bint sold_later(Consolidated* into, const Values* row) noexcept nogil:
    """Whether a row's last sale takes the place of the one so far; if so, it is noted when."""
    cdef int64_t time = sold_at(row)
    if into.last != NO_ROW:
        if time < into.sold_at:
            return False
        if time == into.sold_at:
            if row.exchange_time < into.values.exchange_time:
                return False
            if (row.exchange_time == into.values.exchange_time
                    and row.receive_time <= into.values.receive_time):
                return False
    into.sold_at = time
    return True


cdef void add_day(
    Consolidated* into, const Values* row, uint64_t scale, bint speaks
) noexcept nogil:
    """Figures of the day, of the rows that are in the newest session: volume and trades add up,
    open is the listing venue's official one, else the earliest; high and low are the widest, the
    last of extended hours the newest, the closes the listing venue's."""
    cdef Values* values = &into.values
    if row.session_start < values.session_start:
        return
    if row.session_start > values.session_start:
        begin_day(into, row.session_start)
    if speaks:
        add_volume(
            &values.volume_high, &values.volume, row.volume_high, row.volume, scale
        )
        values.trades += row.trades
    if row.flags & ROW_HAS_OPEN:
        add_open(into, row)
    if row.flags & ROW_HAS_HIGH_LOW:
        if not values.flags & ROW_HAS_HIGH_LOW or row.high > values.high:
            values.high = row.high
        if not values.flags & ROW_HAS_HIGH_LOW or row.low < values.low:
            values.low = row.low
        values.flags |= ROW_HAS_HIGH_LOW
    if row.flags & ROW_HAS_EXTENDED and (
        not values.flags & ROW_HAS_EXTENDED or row.extended_time > values.extended_time
    ):
        values.extended_price = row.extended_price
        values.extended_time = row.extended_time
        values.flags |= ROW_HAS_EXTENDED
    add_closes(into, row)


cdef void begin_day(Consolidated* into, int64_t session_start) noexcept nogil:
    """A row is in a newer session than all before it, whose figures count no longer."""
    cdef Values* values = &into.values
    values.session_start = session_start
    values.volume = values.volume_high = values.trades = 0
    values.open = values.high = values.low = values.open_time = values.previous_close = 0
    values.extended_price = values.extended_time = 0
    values.official_close = values.official_close_time = 0
    values.flags &= ~<uint64_t>(OF_THE_DAY | ROW_LISTED | ROW_OPEN_ALONE)
    into.close = into.official = NO_ROW
    into.official_open = into.listed_close = False


cdef void add_open(Consolidated* into, const Values* row) noexcept nogil:
    cdef Values* values = &into.values
    cdef bint official = row.flags & ROW_LISTED and row.flags & ROW_HAS_OFFICIAL_OPEN
    cdef bint alone = row.flags & ROW_OPEN_ALONE
    cdef bint alone_so_far = values.flags & ROW_OPEN_ALONE
    if values.flags & ROW_HAS_OPEN and (
        official < into.official_open
        or (official == into.official_open and (
            alone > alone_so_far
            or (alone == alone_so_far and row.open_time >= values.open_time)
        ))
    ):
        return
    into.official_open = official
    values.open = row.open
    values.open_time = row.open_time
    values.flags &= ~<uint64_t>ROW_OPEN_ALONE
    values.flags |= ROW_HAS_OPEN | (ROW_OPEN_ALONE if alone else 0)


cdef void add_closes(Consolidated* into, const Values* row) noexcept nogil:
    """The previous close and the official one of the day: the listing venue's, else those of the
    first row that has one."""
    cdef Values* values = &into.values
    cdef bint listed = row.flags & ROW_LISTED
    if row.flags & ROW_HAS_PREVIOUS_CLOSE and (
        into.close == NO_ROW or (listed and not values.flags & ROW_LISTED)
    ):
        into.close = into.number
        values.previous_close = row.previous_close
        values.flags |= ROW_HAS_PREVIOUS_CLOSE | (row.flags & ROW_LISTED)
    if row.flags & ROW_HAS_OFFICIAL_CLOSE and (
        into.official == NO_ROW or (listed and not into.listed_close)
    ):
        into.official = into.number
        into.listed_close = listed
        values.official_close = row.official_close
        values.official_close_time = row.official_close_time
        values.flags |= ROW_HAS_OFFICIAL_CLOSE


cdef void add_quote(Consolidated* into, const Values* row, uint64_t scale) noexcept nogil:
    """Top of book: the best over the venues, sizes at that price added up. Nobody looks after
    the quotes of a stale row: they count only while every row is stale."""
    cdef Values* values = &into.values
    if row.flags & ROW_STALE:
        if into.fresh_quote:
            return
    elif not into.fresh_quote:
        into.fresh_quote = True
        into.bid = into.ask = NO_ROW
        values.bid = values.ask = values.quote_time = 0
        values.flags &= ~<uint64_t>(ROW_HAS_BID | ROW_HAS_ASK)
        values.bid_size = values.ask_size = into.bid_largest = into.ask_largest = 0
    if row.quote_time > values.quote_time:
        values.quote_time = row.quote_time
    if row.flags & ROW_HAS_BID:
        values.flags |= ROW_HAS_BID
        if into.bid == NO_ROW or row.bid > values.bid:
            values.bid = row.bid
            values.bid_size = into.bid_largest = 0
            into.bid = NO_ROW
        if row.bid == values.bid:
            add_size(
                row.bid_size, scale, &values.bid_size, &into.bid_largest, into.number, &into.bid
            )
    if row.flags & ROW_HAS_ASK:
        values.flags |= ROW_HAS_ASK
        if into.ask == NO_ROW or row.ask < values.ask:
            values.ask = row.ask
            values.ask_size = into.ask_largest = 0
            into.ask = NO_ROW
        if row.ask == values.ask:
            add_size(
                row.ask_size, scale, &values.ask_size, &into.ask_largest, into.number, &into.ask
            )


cdef void add_size(
    uint64_t size, uint64_t scale, uint64_t* total, uint128_t* largest, uint32_t number,
    uint32_t* row,
) noexcept nogil:
    """One more row at the best price: the quote is its venue's if it has more there than any
    before it. A size that can no longer be shown is still larger than another: compared are the
    exact ones, which fit into 128 bits (2^64 and 19 decimals)."""
    cdef uint128_t exact = <uint128_t>size * scale
    total[0] = plus(total[0], times(size, scale))
    if row[0] == NO_ROW or exact > largest[0]:
        largest[0] = exact
        row[0] = number


cdef void add_state(Consolidated* into, const Values* row) noexcept nogil:
    """State: what a live listing venue says; else trading if any venue trades; else the first
    row that knows."""
    cdef Values* values = &into.values
    values.flags |= row.flags & ROW_TEST
    if not row.flags & ROW_STALE:
        into.fresh = True
        into.fresh_sale |= row.flags & ROW_HAS_LAST != 0
    if row.status == STATUS_UNKNOWN or into.listed_status:
        return
    if row.flags & ROW_LISTED and not row.flags & ROW_STALE:
        into.listed_status = True
        values.status = row.status
    elif row.status == STATUS_TRADING or values.status == STATUS_UNKNOWN:
        values.status = row.status


cdef void refine(Consolidated* into, uint64_t scale) noexcept nogil:
    """Sizes so far become `scale` times finer."""
    into.values.size = times(into.values.size, scale)
    into.values.bid_size = times(into.values.bid_size, scale)
    into.values.ask_size = times(into.values.ask_size, scale)
    refine_volume(&into.values.volume_high, &into.values.volume, scale)
    into.bid_largest *= scale
    into.ask_largest *= scale


cdef uint64_t power_of_ten(uint64_t exponent) noexcept nogil:
    """10^exponent; a row's exponent is at most MAX_SIZE_EXPONENT (units.pxd), which fits."""
    cdef uint64_t power = 1
    while exponent:
        power *= 10
        exponent -= 1
    return power


cdef uint64_t times(uint64_t size, uint64_t scale) noexcept nogil:
    """A size in finer units; what does not fit is as large as a size can be."""
    return size * scale if size <= MOST // scale else MOST


cdef uint64_t plus(uint64_t a, uint64_t b) noexcept nogil:
    return a + b if a <= MOST - b else MOST


def consolidated(rows: list[tuple[dict[str, int], int, bool]]) -> dict[str, int | None]:
    """The same from Python, of (values by name, size exponent, speaks) in order: every value by name,
    `size_exponent`, and under `last_row`, `bid_row`, `ask_row`, `close_row` whose they are."""
    cdef Consolidated total
    cdef Values values
    cdef uint64_t* words = <uint64_t*>&values
    begin(&total)
    for number, (row, size_exponent, speaks) in enumerate(rows):
        memset(&values, 0, sizeof(Values))
        for index, name in enumerate(FIELDS):
            words[index] = <uint64_t>(row.get(name, 0) & 0xFFFFFFFFFFFFFFFF)
        add(&total, &values, size_exponent, number, speaks)
    finish(&total)
    words = <uint64_t*>&total.values
    found: dict[str, int | None] = {name: words[index] for index, name in enumerate(FIELDS)}
    found["size_exponent"] = total.size_exponent
    for name, number in (("last_row", total.last), ("bid_row", total.bid),
                         ("ask_row", total.ask), ("close_row", total.close)):
        found[name] = None if number == NO_ROW else number
    return found
