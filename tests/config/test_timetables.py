"""The shipped tables hold what the library computes, each day of them; and three years at least."""

from __future__ import annotations

from datetime import timedelta

import exchange_calendars
import pytest

from ticker.config.calendar import library_names
from ticker.config.timetables import tables
from ticker.supervisor.feeds.calendar import computed_days

LEAD = timedelta(400)
YEAR = timedelta(365)
BROKEN = {"ASEX", "XBEL", "XBSE", "XCYS", "XTAE"}
"""The library itself cannot compute these for whole years."""


def test_all_that_the_library_has_is_shipped() -> None:
    assert tables().keys() == library_names() - BROKEN


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", sorted(tables()))
def test_a_table_is_what_the_library_computes(name: str) -> None:
    table = tables()[name]
    calendar = exchange_calendars.get_calendar(
        name, start=(table.first - LEAD).isoformat(), end=table.last.isoformat()
    )
    computed = computed_days(calendar, table.first, table.last)
    assert list(table.days(table.first, table.last)) == computed
    assert table.close == calendar.close_times[-1][1].strftime("%H:%M")


def test_they_reach_for_three_years() -> None:
    """But for calendars whose holidays are announced year by year."""
    short = {name for name, table in tables().items() if table.last - table.first < 3 * YEAR}
    assert short <= {"XBOM", "XSES", "XSHG"}, "run .ci/timetables.py"


def test_only_days_that_are_known_are_told() -> None:
    table = tables()["XNYS"]
    assert not table.covers(table.first - timedelta(1), table.last)
    assert not table.covers(table.first, table.last + timedelta(1))
    beyond = list(table.days(table.last - timedelta(6), table.last + timedelta(20)))
    assert beyond
    assert beyond[-1].date <= table.last
