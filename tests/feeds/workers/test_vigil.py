"""Why a feed is not vouched for: which reason goes before which, and by which clock it ages."""

from __future__ import annotations

import itertools

import pytest
import structlog

from ticker.config import parse
from ticker.errors import ConfigError
from ticker.feeds.workers.presence import PrivateContext
from ticker.feeds.workers.vigil import AGAIN, FRESH, Findings, Vigil
from ticker.feeds.workers.worker import FeedWorker
from ticker.gateway.rest.status import Status
from ticker.shm.counters import Counters, Heartbeat
from ticker.shm.header import Mapping
from ticker.shm.layout import StaleReason
from ticker.shm.segment import Geometry, private_feed

S = 1_000_000_000
NOW = 1_774_881_002 * S
STEADY = 5_000 * S

NO_CONNECTION = StaleReason.WHY_NOT_CONNECTED
PINGS = StaleReason.WHY_ONLY_PINGS
NO_RULE = StaleReason.WHY_NO_RULE
NO_JSON = StaleReason.WHY_NO_JSON
REFUSED = StaleReason.WHY_REFUSED
SILENT = StaleReason.WHY_SILENT
NONE = StaleReason.WHY_NONE


@pytest.mark.parametrize(
    ("notes", "why"),
    [
        ([], SILENT),
        ([(0, PINGS)], PINGS),
        ([(0, NO_RULE), (1, PINGS)], NO_RULE),
        ([(0, NO_RULE), (FRESH + 1, PINGS)], PINGS),
        ([(0, REFUSED), (FRESH + 1, PINGS), (FRESH + 2, NO_RULE)], REFUSED),
        ([(0, NO_JSON), (1, NO_CONNECTION)], NO_JSON),
        ([(0, NO_JSON), (FRESH + 1, NO_CONNECTION)], NO_CONNECTION),
        ([(0, REFUSED), (FRESH + 1, NO_CONNECTION)], NO_CONNECTION),
        ([(0, NO_CONNECTION), (1, NO_JSON)], NO_JSON),
        ([(0, NO_RULE), (1, NO_JSON)], NO_JSON),
    ],
)
def test_what_explains_best(notes: list[tuple[int, StaleReason]], why: StaleReason) -> None:
    findings = Findings()
    for time, reason in notes:
        findings.note(reason, "x", STEADY + time)
    assert findings.why(STEADY + notes[-1][0] if notes else STEADY, 0) == why


def test_what_was_before_something_of_use_explains_nothing_after_a_while() -> None:
    findings = Findings()
    findings.note(REFUSED, "no", STEADY)
    findings.use(STEADY + 1)
    assert not findings.refused
    assert findings.why(STEADY + FRESH // 2, 0) == REFUSED, "a part of the feed may still lack"
    assert findings.why(STEADY + FRESH + 1, 0) == SILENT


class Source:
    """A source that says what a test wants."""

    def __init__(self) -> None:
        self.findings = Findings()
        self.silence_ns = 2 * S
        self.heard = 0
        self.joined = True


class Watch:
    """A vigil, its source, and two clocks."""

    def __init__(self) -> None:
        self.mapping: Mapping = private_feed(Geometry(4, 1, 8), 7, NOW)
        self.counters = Counters(self.mapping)
        self.source = Source()
        self.vigil = Vigil("sim", self.source, self.counters, STEADY)
        self.steady = STEADY

    def after(self, seconds: float, wall: float = 0.0) -> StaleReason:
        """What is the matter so long after the last look; `wall`: how wrong the wall clock is."""
        self.steady += int(seconds * S)
        return self.vigil.look(NOW + self.steady - STEADY + int(wall * S), self.steady)

    def hear(self, wall: float = 0.0) -> None:
        self.source.heard = NOW + self.steady - STEADY + int(wall * S)


@pytest.mark.parametrize("wall", [-86_400.0, -40.0, 0.0, 40.0, 86_400.0])
def test_a_wall_clock_that_is_set_ages_nothing(wall: float) -> None:
    watch = Watch()
    watch.hear()
    assert watch.after(0.1) == NONE
    assert watch.after(1.8, wall) == NONE
    assert watch.after(0.2, wall) == SILENT
    watch.hear(wall)
    assert watch.after(0.1, wall) == NONE
    assert watch.after(1.8) == NONE, "and set right again"
    assert watch.after(0.2) == SILENT


def test_it_is_patient_at_the_start_only() -> None:
    watch = Watch()
    assert watch.after(2.0) == NONE
    assert watch.after(0.1) == SILENT
    watch.source.joined = False
    assert watch.after(0.1) == NO_CONNECTION


def test_trades_that_go_on_being_refused_while_none_is_accepted() -> None:
    watch = Watch()

    def refuse(seconds: float, trades: int = 1) -> StaleReason:
        watch.counters.add("rejected_older", trades)
        watch.hear()
        return watch.after(seconds)

    assert [refuse(1.5), refuse(1.5)] == [NONE, NONE]
    assert refuse(1.5) == StaleReason.WHY_OLDER
    watch.counters.add("trades")
    watch.hear()
    assert watch.after(0.1) == NONE
    assert refuse(0.1, trades=50) == NONE
    for _ in range(10):
        watch.hear()
        assert watch.after(1.0) == NONE, "many at once prove nothing"


def test_what_is_refused_while_a_worker_rebuilds_is_no_news() -> None:
    watch = Watch()
    for _ in range(5):
        watch.counters.add("rejected_older")
        watch.hear()
        assert watch.vigil.look(NOW, watch.steady, settled=False) == NONE
        assert watch.after(0.0) == NONE
        watch.steady += S


def test_the_log_tells_it_once_a_minute_and_only_news() -> None:
    watch = Watch()
    with structlog.testing.capture_logs() as logged:
        for number in itertools.count():
            if watch.steady > STEADY + 2 * AGAIN:
                break
            watch.source.findings.note(NO_RULE, f"text {number}", watch.steady)
            watch.after(0.5)
            watch.vigil.tell(watch.steady)
        assert [line["why"] for line in logged] == ["no_rule", "no_rule"]
        assert logged[1]["example"] != logged[0]["example"]
        for _ in range(10):
            watch.after(AGAIN / S)
            watch.vigil.tell(watch.steady)
    assert [line["why"] for line in logged[2:]] == ["no_rule"], "of the newest text, and no more"


def test_a_worker_that_cannot_start_leaves_its_feed_with_a_reason() -> None:
    segment = private_feed(Geometry(16, 1, 64), 1, 1)
    feed = parse(
        '[[feeds]]\nname = "f"\nprotocol = "json"\nvenue = "XNAS"\nurl = "ws://127.0.0.1:1/"\n'
        'mapping = "polygon"\ncredentials = { key = "$TICKER_TEST_ABSENT" }\n'
    ).feeds[0]
    with pytest.raises(ConfigError, match="set TICKER_TEST_ABSENT"):
        FeedWorker(feed, PrivateContext(segment))
    heartbeat = Heartbeat(segment)
    assert (heartbeat.state, heartbeat.why, heartbeat.pid) == ("stale", "not_started", 0)
    (report,) = Status([("f", segment)], version="", epoch=1).feed_reports(10 * S)
    assert (report.state, report.status, report.why) == ("stale", "stale", "not_started")
