"""Real calendars, computed by a real child: early closes, holidays, breaks; and the names."""

import json
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from ticker.config import FeedConfig, parse
from ticker.config.calendar import calendar_names, calendar_of, extended_hours
from ticker.config.timetables import tables
from ticker.errors import ConfigError, FeedError
from ticker.supervisor.feeds.calendar import (
    MarketHours,
    Question,
    hours_of_capture,
    markets_of,
    timetable,
)

FEED = '[[feeds]]\nname="f"\nprotocol="itch50"\nlines=["127.0.0.1:1"]\nvenue="{}"\n{}'

DAYS = timedelta(30)


def feed(venue: str, more: str = "") -> FeedConfig:
    return parse(FEED.format(venue, more)).feeds[0]


@pytest.mark.parametrize(
    ("venue", "more", "expected"),
    [
        ("XNAS", "", "XNYS"),
        ("IEXG", "", "XNYS"),
        ("XLON", "", "XLON"),
        ("XXXX", "", None),
        ("XNAS", 'calendar = "none"', None),
        ("XXXX", 'calendar = "XTKS"', "XTKS"),
    ],
)
def test_a_feeds_calendar(venue: str, more: str, expected: str | None) -> None:
    assert calendar_of(feed(venue, more)) == expected


def test_hours() -> None:
    assert extended_hours(feed("XNAS")) == ("04:00", "20:00")
    assert extended_hours(feed("XNAS", 'pre_open = "07:00"')) == ("07:00", "20:00")
    assert extended_hours(feed("XLON")) == (None, None)
    (market,) = markets_of([feed("XNAS")]).values()
    assert market.name == "XNYS 04:00-20:00"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('calendar = "XNYSE"', r"feeds\[0\].calendar: no calendar 'XNYSE', did you mean XNYS\?"),
        ('post_close = "8 pm"', r"feeds\[0\].post_close: '8 pm' is no time of day, like 04:00"),
    ],
)
def test_refused(more: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        feed("XNAS", more)


def test_a_simulated_exchange_is_always_open() -> None:
    assert calendar_of(feed("XNAS", "[feeds.simulator]\nsymbols = 3")) is None


def test_nothing_that_serves_imports_pandas() -> None:
    code = (
        "import sys, ticker.cli.serve, ticker.feeds.workers.worker, ticker.gateway.worker, "
        "ticker.supervisor.serve; from ticker.config import load; load(); "
        "sys.exit('pandas' in sys.modules or 'exchange_calendars' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("venue", "meant"), [("XNSA", "XNAS"), ("XNYZ", "XNYS"), ("BTAS", "BATS"), ("XLNO", "XLON")]
)
def test_a_venue_that_is_one_slip_away_is_refused(venue: str, meant: str) -> None:
    said = rf"feeds\[0\].venue: .* '{venue}'; did you mean {meant}"
    with pytest.raises(ConfigError, match=said):
        feed(venue)
    assert calendar_of(feed(venue, 'calendar = "none"')) is None, "as one that is said to be right"


def test_of_a_simulated_exchange_too() -> None:
    with pytest.raises(ConfigError, match="did you mean XNAS"):
        feed("XNSA", "[feeds.simulator]\nsymbols = 3")


@pytest.mark.parametrize("venue", ["XXXX", "XOFF", "CBSE", "XLOM", "XNAS", "XTKS"])
def test_other_venues_pass(venue: str) -> None:
    assert feed(venue).venue == venue


def test_sessions_of_real_calendars() -> None:
    code = (
        "import json; from datetime import date; from ticker.supervisor.feeds.calendar import *;"
        "print(json.dumps([sessions_of(MarketHours('XNYS', '04:00', '20:00'), date(2026, 11, 25),"
        " date(2026, 11, 30)), sessions_of(MarketHours('XHKG'), date(2026, 11, 24),"
        " date(2026, 11, 25))]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, timeout=60, text=True
    )

    york, hong_kong = json.loads(done.stdout)
    shown = [[utc(each) for each in day[:4]] for day in york]
    assert shown == [
        ["25 09:00", "25 14:30", "25 21:00", "26 01:00"],
        # Thanksgiving is no session; the day after ends at 13:00 New York, late trading at 17:00
        ["27 09:00", "27 14:30", "27 18:00", "27 22:00"],
        ["30 09:00", "30 14:30", "30 21:00", "01 01:00"],
    ]
    assert [utc(each) for each in hong_kong[0]] == [
        "24 01:30", "24 01:30", "24 08:00", "24 08:00", "24 04:00", "24 05:00",
    ]  # fmt: skip


def utc(ns: int) -> str:
    return datetime.fromtimestamp(ns // 10**9, UTC).strftime("%d %H:%M")


@pytest.mark.slow
def test_the_worker_writes_a_timetable(tmp_path: Path) -> None:

    from ticker.shm.timetable import Timetable

    path = tmp_path / "timetable"
    code = (
        "import sys; from pathlib import Path; from ticker.supervisor.feeds.calendar import *;"
        "from ticker.shm.segment import private_gateway;"
        "life = Heartbeat(private_gateway(1));"
        "run({'f': MarketHours('XNYS', '04:00', '20:00')}, Path(sys.argv[1]), life)"
    )
    worker = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 60
        while not path.exists():
            assert worker.poll() is None and time.monotonic() < end
            time.sleep(0.01)
        resident = Path(f"/proc/{worker.pid}/smaps_rollup").read_text()
        assert worker.poll() is None
    finally:
        worker.terminate()
        worker.wait(10)
    table = Timetable(["f"], path)
    table.look()
    (market,) = table.markets(time.time_ns())
    assert market.phase in ("closed", "pre", "open", "post")
    assert market.next_open > time.time_ns() < market.next_close
    kilobytes = next(int(x.split()[1]) for x in resident.splitlines() if x.startswith("Rss"))
    assert kilobytes < 60_000, "the calendar library stays in the child that ended"


def test_names_are_found_without_importing() -> None:
    assert {"XNYS", "XLON", "XTKS", "XHKG"} <= calendar_names()


@pytest.fixture
def no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where exchange_calendars is not installed."""
    monkeypatch.setitem(sys.modules, "exchange_calendars", None)


@pytest.mark.usefixtures("no_library")
def test_shipped_calendars_need_no_library() -> None:
    day = date(2026, 11, 27)
    days, faults = timetable(Question([MarketHours("XNYS", "04:00", "20:00")], day, day))
    assert faults == {}
    assert [utc(each) for each in days["XNYS 04:00-20:00"][0][:4]] == [
        "27 09:00", "27 14:30", "27 18:00", "27 22:00"
    ]  # fmt: skip
    assert calendar_of(feed("XLON")) == "XLON"
    midnight = int(datetime(2027, 7, 2, 4, tzinfo=UTC).timestamp()) * 10**9
    hours = hours_of_capture("XNYS", "America/New_York")(midnight)
    assert hours == (34_200 * 10**9, 57_600 * 10**9)


@pytest.mark.usefixtures("no_library")
def test_without_the_library_the_rest_says_what_to_install() -> None:
    last = tables()["XNYS"].last
    days, faults = timetable(Question([MarketHours("XNYS")], last - timedelta(9), last + DAYS))
    assert days["XNYS"], "what is known is told"
    assert "pip install 'ticker[calendars]'" in faults["XNYS"]
    assert last.isoformat()[:4] in faults["XNYS"]
    early = tables()["XNYS"].first - DAYS
    assert timetable(Question([MarketHours("XNYS")], early - DAYS, early))[0] == {}
    with pytest.raises(FeedError, match=r"XNYS from 2019-06-24 .* --calendar none"):
        hours_of_capture("XNYS", "America/New_York")(1562212800 * 10**9)
    with pytest.raises(ConfigError, match=r"no calendar 'XTAE'.*ticker\[calendars\]"):
        feed("XXXX", 'calendar = "XTAE"')


@pytest.mark.slow
def test_the_library_is_asked_for_what_is_not_shipped() -> None:
    first, last = date(2025, 12, 22), date(2026, 1, 5)
    days, faults = timetable(Question([MarketHours("XNYS")], first, last))
    assert faults == {}
    closes = [utc(each.close) for each in days["XNYS"]]
    assert len(closes) == 9
    assert closes[2] == "24 18:00", "it closes early on the day before Christmas"


@pytest.mark.slow
def test_a_market_that_cannot_be_computed_leaves_the_others() -> None:
    first, last = date(2026, 12, 28), date(2027, 1, 8)
    days, faults = timetable(Question([MarketHours("XNYS"), MarketHours("XSHG")], first, last))
    assert len(days["XNYS"]) == 9
    assert len(days["XSHG"]) == 4, "the library knows it until the end of 2026"
    assert faults.keys() == {"XSHG"}
