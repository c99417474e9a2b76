"""One price out of several venues' rows, against the rules of docs/consolidation.md written
once more in plain Python. test_board.py has the board that applies them to real segments."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from ticker.gateway.prices.consolidate import consolidated
from ticker.shm.layout import RowFlag
from ticker.shm.table import FIELDS, HAS, volume_of

STALE, TEST, SHARED, LISTED, LAST_ALONE, OPEN_ALONE = 1, 2, 4, 8, 64, 128
UNKNOWN, TRADING = 0, 1
MOST = 2**64 - 1
MOST_VOLUME = 2**128 - 1
E9 = 1_000_000_000
LAST, OPEN, HIGH_LOW, BID, ASK, PREVIOUS, EXTENDED, OFFICIAL_OPEN, OFFICIAL_CLOSE = (
    int(flag)
    for flag in (
        RowFlag.ROW_HAS_LAST,
        RowFlag.ROW_HAS_OPEN,
        RowFlag.ROW_HAS_HIGH_LOW,
        RowFlag.ROW_HAS_BID,
        RowFlag.ROW_HAS_ASK,
        RowFlag.ROW_HAS_PREVIOUS_CLOSE,
        RowFlag.ROW_HAS_EXTENDED,
        RowFlag.ROW_HAS_OFFICIAL_OPEN,
        RowFlag.ROW_HAS_OFFICIAL_CLOSE,
    )
)

Row = dict[str, int]
Rows = list[tuple[Row, int, bool]]


def model(rows: Rows) -> dict[str, int | None]:
    """docs/consolidation.md, rule by rule; each looks at all rows at once."""
    exponent = max(each for _, each, _ in rows)
    venues = [
        {**row, **{name: min(row[name] * 10 ** (exponent - each), MOST) for name in SIZES}}
        for row, each, _ in rows
    ]
    exact = [
        {name: row[name] * 10 ** (exponent - each) for name in ("bid_size", "ask_size")}
        | {"volume": volume_of(row) * 10 ** (exponent - each)}
        for row, each, _ in rows
    ]
    speaking = [i for i, (_, _, speaks) in enumerate(rows) if speaks]
    total: dict[str, int | None] = dict.fromkeys(FIELDS, 0)
    total.update(size_exponent=exponent, last_row=None, bid_row=None, ask_row=None, close_row=None)
    for name in ("seq", "quotes", "corrections"):
        total[name] = sum(venue[name] for venue in venues)
    for name in ("publish_time", "correction_time"):
        total[name] = max(venue[name] for venue in venues)
    flags = 0
    sold = having(LAST, venues)
    if sold:
        last = max(sold, key=lambda i: (sold_at(venues[i]), *sale_times(venues[i]), -i))
        total["last_row"] = last
        for name in ("price", "size", "exchange_time", "receive_time"):
            total[name] = venues[last][name]
        flags |= LAST | venues[last]["flags"] & (SHARED | LAST_ALONE)
    flags |= day(venues, exact, speaking, total) | state(venues, total, sold)
    flags |= quotes(venues, exact, speaking, total)
    total["flags"] = flags
    return total


def sold_at(venue: Row) -> int:
    """A sale that counts only where no other of the session does, is older than all of those."""
    if venue["flags"] & LAST_ALONE:
        return min(venue["exchange_time"], venue["session_start"])
    return venue["exchange_time"]


def sale_times(venue: Row) -> tuple[int, int]:
    return venue["exchange_time"], venue["receive_time"]


def having(flag: int, venues: list[Row], among: list[int] | None = None) -> list[int]:
    """Those with this price."""
    found = range(len(venues)) if among is None else among
    return [i for i in found if venues[i]["flags"] & flag]


def day(
    venues: list[Row], exact: list[Row], speaking: list[int], total: dict[str, int | None]
) -> int:
    newest = max(venue["session_start"] for venue in venues)
    today = [i for i, venue in enumerate(venues) if venue["session_start"] == newest]
    total["session_start"] = newest
    volume = 0
    for i in today:  # what does not fit into 128 bits is as large as a volume can be
        if i in speaking:
            volume = min(volume + min(exact[i]["volume"], MOST_VOLUME), MOST_VOLUME)
    total["volume"], total["volume_high"] = volume & MOST, volume >> 64
    total["trades"] = sum(venues[i]["trades"] for i in today if i in speaking)
    flags = 0
    if ranged := having(HIGH_LOW, venues, today):
        flags |= HIGH_LOW
        total["high"] = max(venues[i]["high"] for i in ranged)
        total["low"] = min(venues[i]["low"] for i in ranged)
    if opened := having(OPEN, venues, today):
        flags |= OPEN
        official = [i for i in opened if is_official(venues[i], OFFICIAL_OPEN)]
        plain = [i for i in opened if not venues[i]["flags"] & OPEN_ALONE]
        first = min(official or plain or opened, key=lambda i: opens_before(venues[i], i))
        flags |= venues[first]["flags"] & OPEN_ALONE
        total["open"], total["open_time"] = venues[first]["open"], venues[first]["open_time"]
    if extended := having(EXTENDED, venues, today):
        flags |= EXTENDED
        newest_one = max(extended, key=lambda i: (venues[i]["extended_time"], -i))
        for name in ("extended_price", "extended_time"):
            total[name] = venues[newest_one][name]
    return flags | closes(venues, today, total)


def opens_before(venue: Row, i: int) -> tuple[bool, int, int]:
    return bool(venue["flags"] & OPEN_ALONE), venue["open_time"], i


def is_official(venue: Row, flag: int) -> bool:
    return venue["flags"] & (flag | LISTED) == flag | LISTED


def closes(venues: list[Row], today: list[int], total: dict[str, int | None]) -> int:
    flags = 0
    if official := having(OFFICIAL_CLOSE, venues, today):
        flags |= OFFICIAL_CLOSE
        close = min(official, key=lambda i: (not venues[i]["flags"] & LISTED, i))
        for name in ("official_close", "official_close_time"):
            total[name] = venues[close][name]
    if closed := having(PREVIOUS, venues, today):
        close = min(closed, key=lambda i: (not venues[i]["flags"] & LISTED, i))
        total["close_row"], total["previous_close"] = close, venues[close]["previous_close"]
        flags |= PREVIOUS | venues[close]["flags"] & LISTED
    return flags


def quotes(
    venues: list[Row], exact: list[Row], speaking: list[int], total: dict[str, int | None]
) -> int:
    live = [i for i in speaking if not venues[i]["flags"] & STALE]
    counted = live or speaking
    total["quote_time"] = max((venues[i]["quote_time"] for i in counted), default=0)
    flags = 0
    for side, best, flag in (("bid", max, BID), ("ask", min, ASK)):
        quoting = having(flag, venues, counted)
        if not quoting:
            continue
        flags |= flag
        total[side] = best(venues[i][side] for i in quoting)
        at = [i for i in quoting if venues[i][side] == total[side]]
        size = f"{side}_size"
        total[size] = min(sum(venues[i][size] for i in at), MOST)
        total[f"{side}_row"] = max(at, key=lambda i: (exact[i][size], -i))
    return flags


def state(venues: list[Row], total: dict[str, int | None], sold: list[int]) -> int:
    live = [i for i, venue in enumerate(venues) if not venue["flags"] & STALE]
    known = [venue for venue in venues if venue["status"] != UNKNOWN]
    official = [venue for venue in known if venue["flags"] & LISTED and not venue["flags"] & STALE]
    trading = [venue for venue in known if venue["status"] == TRADING]
    for venue in [*official, *trading, *known][:1]:
        total["status"] = venue["status"]
    fresh = [i for i in live if i in sold] if sold else live
    tests = TEST if any(venue["flags"] & TEST for venue in venues) else 0
    return tests | (0 if fresh else STALE)


SIZES = ("size", "bid_size", "ask_size")
few = st.integers(0, 3)
"""From so few values that ties are the rule."""
prices = st.sampled_from([0, -E9, E9, 2 * E9, 3 * E9 + 1, 2**62, -(2**63)])
sizes = st.one_of(st.integers(0, 300), st.sampled_from([2**63, MOST]))


@st.composite
def venue_rows(draw: st.DrawFn) -> tuple[Row, int, bool]:
    row = {name: draw(few) for name in FIELDS}
    row["flags"] = draw(st.integers(0, 15)) | draw(
        st.sampled_from([0, 0, LAST_ALONE, OPEN_ALONE, LAST_ALONE | OPEN_ALONE])
    )
    for name in HAS:
        row[name] = draw(prices)
    for flag in set(HAS.values()):
        if draw(st.booleans()):
            row["flags"] |= flag
    for name, flag in HAS.items():  # as the writer has it: what is not there is 0
        if not row["flags"] & flag:
            row[name] = 0
    for name in (*SIZES, "volume"):
        row[name] = draw(sizes)
    row["volume_high"] = draw(st.sampled_from([0, 0, 0, 1, 2**30, MOST]))
    row["status"] = draw(st.integers(0, 5))
    speaks = bool(draw(st.integers(0, 3)))
    return row, draw(st.sampled_from([0, 0, 0, 2, 8, 19])), speaks


def unsigned(row: dict[str, int | None]) -> dict[str, int | None]:
    """As `consolidated` says the words of a row: without signs."""
    return {
        name: value & MOST if name in FIELDS and value is not None else value
        for name, value in row.items()
    }


def asking(size: int, exponent: int = 0) -> tuple[Row, int, bool]:
    """A venue that asks 1.00 for so much, or, for nothing, has no quote."""
    quote = {"ask": E9, "flags": ASK} if size else {}
    return dict.fromkeys(FIELDS, 0) | quote | {"ask_size": size}, exponent, True


@given(st.lists(venue_rows(), min_size=1, max_size=5))
@example([({name: MOST if name in (*SIZES, "volume") else 0 for name in FIELDS}, 19, True)] * 2)
@example([asking(2**63), asking(MOST), asking(0, 2)])
@example([asking(2**63, 2), asking(MOST, 2), asking(0, 19)])
@example([asking(MOST, 2), asking(MOST)])
def test_the_rules(rows: Rows) -> None:
    assert consolidated(rows) == unsigned(model(rows))


@given(venue_rows())
def test_one_venue_is_itself(row: tuple[Row, int, bool]) -> None:
    values, exponent, _ = row
    found = consolidated([(values, exponent, True)])
    same = set(FIELDS) - {"flags", "official_open", "regular_price"}
    for flag, names in OF_A_FLAG.items():
        if not values["flags"] & flag:
            same -= names
    assert {name: found[name] for name in same} == {name: values[name] & MOST for name in same}
    assert found["size_exponent"] == exponent
    assert found["exchange_time"] == (values["exchange_time"] if values["flags"] & LAST else 0)


OF_A_FLAG = {
    LAST: {"price", "size", "exchange_time", "receive_time"},
    OPEN: {"open", "open_time"},
    HIGH_LOW: {"high", "low"},
    BID: {"bid", "bid_size"},
    ASK: {"ask", "ask_size"},
    PREVIOUS: {"previous_close"},
    EXTENDED: {"extended_price", "extended_time"},
    OFFICIAL_CLOSE: {"official_close", "official_close_time"},
}
"""What is nothing, whatever the words are, without its flag."""


def test_a_late_first_print_gives_way_to_any_sale_of_its_session() -> None:
    """Sold out of sequence on one venue of a tape, before that venue sold otherwise."""
    blank = dict.fromkeys(FIELDS, 0)
    late = blank | {
        "price": 9, "exchange_time": 1_005, "open": 9, "open_time": 1_005, "session_start": 1_000,
        "flags": LAST | OPEN | LAST_ALONE | OPEN_ALONE,
    }  # fmt: skip
    sold = blank | {
        "price": 10, "exchange_time": 1_003, "open": 10, "open_time": 1_008,
        "session_start": 1_000, "flags": LAST | OPEN,
    }  # fmt: skip
    of_yesterday = sold | {"exchange_time": 900, "flags": LAST, "open": 0, "open_time": 0}
    for rows in ([late, sold], [sold, late]):
        found = consolidated([(row, 0, True) for row in rows])
        assert (found["price"], found["open"]) == (10, 10)
    for rows in ([late, of_yesterday], [of_yesterday, late]):
        found = consolidated([(row, 0, True) for row in rows])
        assert (found["price"], found["open"]) == (9, 9)
