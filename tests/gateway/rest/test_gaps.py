"""GET /gaps: the ledgers of all feeds, and what clients felt."""

from __future__ import annotations

import json
from collections.abc import Callable
from http.client import HTTPConnection
from itertools import pairwise
from typing import Any

import pytest

from ticker.shm.gaps import GapLedger

Connect = Callable[..., Any]
E9 = 1_000_000_000
NOTHING = {"conflated": 0, "lagged": 0, "lapped": 0}


def get(rig: Any, path: str) -> tuple[int, Any]:
    connection = HTTPConnection("127.0.0.1", rig.port, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    try:
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def test_every_missing_number_is_in_one_count(rig: Any) -> None:
    ledger = GapLedger(rig.feed)
    for start in range(5):
        gap = ledger.found_from_python(10 * start + 1, 10 * start + 5, E9, line=start % 2)
        ledger.became_from_python(gap, "recovered", start, 2 * E9)
    status, found = get(rig, "/gaps?limit=2")
    assert status == 200
    assert found["clients"] == NOTHING
    (feed,) = found["feeds"]
    last = feed.pop("last")
    assert feed.pop("name") == get(rig, "/status")[1]["feeds"][0]["name"]
    assert feed == {
        "gaps": 5, "missing": 20, "filled_by_line": 0, "recovered": 10, "lost_upstream": 0,
        "lost_downstream": 0, "withdrawn": 0, "open": 10, "requests": 0,
    }  # fmt: skip
    assert [(gap["first"], gap["last"], gap["line"], gap["state"]) for gap in last] == [
        (31, 34, "b", "open"),
        (41, 44, "a", "filled"),
    ]
    assert last[1]["closed_timestamp"] == "1970-01-01T00:00:02.000000Z"


def test_of_one_feed(rig: Any) -> None:
    name = get(rig, "/status")[1]["feeds"][0]["name"]
    assert [feed["name"] for feed in get(rig, f"/gaps?feed={name}")[1]["feeds"]] == [name]
    assert get(rig, "/gaps?feed=nosuch")[1]["feeds"] == []
    for query in ("limit=-1", "limit=1001", "sort=up"):
        status, problem = get(rig, f"/gaps?{query}")
        assert (status, problem["code"]) == (400, "bad_parameter"), query


@pytest.mark.parametrize("rig", [{"flush_interval": 0.2}], indirect=True)
def test_what_a_client_misses_between_two_numbers_is_conflated(rig: Any, connect: Connect) -> None:
    row = rig.row("AAPL")
    rig.trade(row, E9)
    client = connect(protocol="ticker.v1.json")
    client.send({"action": "subscribe", "symbols": ["AAPL"]})
    seen = [client.receive()]
    while seen[-1].get("type") != "snapshot":
        seen.append(client.receive())
    numbers = [seen[-1]["seq"]]
    for price in range(2, 60):
        rig.trade(row, price * E9)
    while numbers[-1] < 59:
        numbers.append(client.receive()["seq"])
    missed = sum(later - sooner - 1 for sooner, later in pairwise(numbers))
    assert missed > 0
    assert get(rig, "/gaps")[1]["clients"] == {**NOTHING, "conflated": missed}
