"""Bars by REST from the files of a store, asked of a real gateway."""

from __future__ import annotations

import json
import random
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.conftest import Rig
from tests.gateway.kept import keep, kept_bar
from ticker.config import Config, GatewayConfig
from ticker.store.past import Past
from ticker.store.reader import HistoryReader
from ticker.store.rows import Hole

E9 = 1_000_000_000
START = 1_774_960_200  # 2026-03-31T12:30:00Z
MINUTES = 200


def instant(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def of_day(symbol: str, when: date, venue: str, **said: int | None) -> Any:
    start = int(datetime(when.year, when.month, when.day, 4, tzinfo=UTC).timestamp()) * E9
    return (
        symbol, venue, start, said["open"], said["high"], said["low"], said["close"],
        said.get("official_open"), said.get("official_close"), None,
        said["volume"], 3, said.get("exponent", 0), 0,
    )  # fmt: skip


@pytest.fixture(scope="module")
def prints() -> list[tuple[int, str, int, int]]:
    """(minute, venue, price, size): what the bars are made of, in no order of venues."""
    chance = random.Random(7)
    return [
        (START + 60 * minute, venue, chance.randrange(90, 110) * E9 // 4, chance.randrange(1, 900))
        for minute in range(MINUTES)
        for venue in ("XNAS", "ARCX")
        if chance.random() < 0.7
    ]


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, prints: list[tuple[int, str, int, int]]
) -> Iterator[Rig]:
    folder = tmp_path_factory.mktemp("kept")
    bars = [
        kept_bar("AAPL", minute, price, venue=venue, size=size)
        for minute, venue, price, size in prints
    ]
    bars.append(kept_bar("HALF", START, E9, 3 * E9, 2 * E9, size=15, exponent=1))
    bars.append(kept_bar("HALF", START + 60, E9))
    day, before = date(2026, 3, 31), date(2026, 3, 30)
    days = [
        of_day("AAPL", before, "XNAS", open=E9, high=9 * E9, low=E9, close=5 * E9, volume=10),
        of_day("AAPL", day, "ARCX", open=3 * E9, high=8 * E9, low=2 * E9, close=4 * E9, volume=900),
        of_day(
            "AAPL", day, "XNAS", open=4 * E9, high=7 * E9, low=3 * E9, close=5 * E9, volume=105,
            official_open=6 * E9, official_close=6 * E9, exponent=1,
        ),
    ]  # fmt: skip
    keep(folder, bars, days, [Hole("f", (START + 60) * E9, (START + 61) * E9, "lapped")])
    rig = Rig(
        "bars", Config(gateway=GatewayConfig(max_connections=64)), past=Past(HistoryReader(folder))
    )
    for symbol in ("AAPL", "HALF", "NONE"):
        rig.trade(rig.row(symbol), E9)
    yield rig
    assert rig.close() == 0


def ask(rig: Rig, path: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{rig.port}{path}", timeout=10) as answer:
            return answer.status, json.loads(answer.read(), parse_float=Decimal)
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def bars(rig: Rig, path: str) -> list[dict[str, Any]]:
    status, body = ask(rig, path)
    assert status == 200, body
    found: list[dict[str, Any]] = body["bars"]
    return found


def of(prints: list[tuple[int, str, int, int]], span: int) -> list[dict[str, Any]]:
    """The bars of the prints, counted here; those of one minute are at the same second."""
    groups: dict[int, list[tuple[int, str, int, int]]] = {}
    for one in prints:
        groups.setdefault(one[0] // span * span, []).append(one)
    found = []
    for start, group in sorted(groups.items()):
        amounts = [Decimal(price) / E9 for _, _, price, _ in group]
        volume = sum(size for *_, size in group)
        total = sum(price * size for _, _, price, size in group)
        found.append(
            {
                "start": instant(start),
                "high": max(amounts),
                "low": min(amounts),
                "volume": volume,
                "trades": len(group),
                "vwap": Decimal((2 * total + volume) // (2 * volume)) / E9,
            }
        )
    return found


def same(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    assert [{name: bar[name] for name in expected[0]} for bar in found] == expected


@pytest.mark.parametrize(
    ("interval", "span"), [("1m", 60), ("5m", 300), ("15m", 900), ("30m", 1800), ("1h", 3600)]
)
def test_bars_equal_those_of_the_trades(
    server: Rig, prints: list[tuple[int, str, int, int]], interval: str, span: int
) -> None:
    expected = of(prints, span)
    newest = bars(server, f"/bars/AAPL?interval={interval}&limit=1000")
    same(newest, expected)
    same(bars(server, f"/bars/AAPL?interval={interval}&limit=3"), expected[-3:])
    of_one = [one for one in prints if one[1] == "ARCX"]
    same(bars(server, f"/bars/AAPL?interval={interval}&limit=1000&venue=ARCX"), of(of_one, span))
    first, last = newest[0], newest[-1]
    assert first["open"] in {Decimal(one[2]) / E9 for one in prints if one[0] == START}
    assert last["close"] in {Decimal(one[2]) / E9 for one in prints[-2:]}


@pytest.mark.parametrize("interval", ["1m", "5m"])
def test_pages_have_every_bar_once(server: Rig, interval: str) -> None:
    whole = bars(server, f"/bars/AAPL?interval={interval}&limit=1000")
    found: list[dict[str, Any]] = []
    path = f"/bars/AAPL?interval={interval}&limit=7&from="
    start: str | None = instant(START)
    while start:
        status, body = ask(server, path + start)
        assert status == 200
        assert len(body["bars"]) <= 7
        found += body["bars"]
        start = body["next"]
    assert found == whole


def test_bars_at_the_bounds_are_whole(server: Rig, prints: list[tuple[int, str, int, int]]) -> None:
    """Bounds inside of a bar: it starts before `from`, and before `to`."""
    every = of(prints, 300)
    begin, end = START + 610, START + 1210  # 10 s after the start of a bar
    shown = [bar for bar in every if instant(begin) <= bar["start"] < instant(end)]
    same(bars(server, f"/bars/AAPL?interval=5m&from={begin}&to={end}"), shown)
    same(bars(server, f"/bars/AAPL?interval=5m&to={end}&limit=2"), shown[-2:])
    begin, end = START + 60, START + 1380  # whole minutes
    shown = [bar for bar in every if instant(begin) <= bar["start"] < instant(end)]
    same(bars(server, f"/bars/AAPL?interval=5m&from={begin}&to={end}"), shown)


def test_times_are_bounds(server: Rig) -> None:
    whole = bars(server, "/bars/AAPL?limit=1000")
    some = [bar for bar in whole if instant(START + 600) <= bar["start"] < instant(START + 1200)]
    for begin, end in (
        (instant(START + 600), instant(START + 1200)),
        (str(START + 600), str(START + 1200)),
        ("2026-03-31T08:40:00-04:00", "2026-03-31T14:50:00+02:00"),
        ("2026-03-31T08:40:00-04:00", "2026-03-31T14:50:00%2B02:00"),
    ):
        assert bars(server, f"/bars/AAPL?from={begin}&to={end}") == some
    assert bars(server, f"/bars/AAPL?to={START + 1200}&limit=2") == some[-2:]
    assert bars(server, f"/bars/AAPL?from={START - 9_000_000}&to={START}") == []
    assert bars(server, f"/bars/AAPL?from={START + 60}&to={START}") == []


def test_sizes_with_decimals_and_holes(server: Rig) -> None:
    first, second = bars(server, "/bars/HALF")
    assert first == {
        "start": instant(START), "open": 1, "high": 3, "low": 1, "close": 2,
        "volume": Decimal("4.5"), "trades": 3, "vwap": 2, "revision": 0, "exact": True,
        "complete": True,
    }  # fmt: skip
    assert not second["complete"], "the hole begins with its minute"
    assert bars(server, "/bars/NONE") == []


def test_days_are_the_venues_together(server: Rig) -> None:
    before, day = bars(server, "/bars/AAPL?interval=1d")
    assert [before["start"], day["start"]] == ["2026-03-30", "2026-03-31"]
    assert (day["open"], day["close"]) == (6, 6), "the official ones"
    assert (day["high"], day["low"]) == (8, 2)
    assert (day["volume"], day["trades"]) == (Decimal("910.5"), 6)
    (arca,) = bars(server, "/bars/AAPL?interval=1d&venue=ARCX")
    assert (arca["open"], arca["close"], arca["volume"]) == (3, 4, 900)
    assert bars(server, "/bars/AAPL?interval=1d&limit=1") == [day]
    status, body = ask(server, "/bars/AAPL?interval=1d&limit=1&from=2026-03-01")
    assert (status, body["bars"], body["next"]) == (200, [before], "2026-03-31")
    status, body = ask(server, f"/bars/AAPL?interval=1d&limit=1&from={body['next']}")
    assert (body["bars"], body["next"]) == ([day], None)
    assert bars(server, "/bars/AAPL?interval=1d&to=2026-03-31") == [before]


def test_several_at_once(server: Rig) -> None:
    status, body = ask(server, "/bars?symbols=HALF,NOPE,AAPL,NONE&limit=5")
    assert status == 200
    assert body["unknown"] == ["NOPE"]
    assert [one["symbol"] for one in body["bars"]] == ["HALF", "AAPL", "NONE"]
    for one in body["bars"]:
        assert one["bars"] == bars(server, f"/bars/{one['symbol']}?limit=5")


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/bars/NOPE", 404, "No feed has 'NOPE'"),
        ("/bars/AAPL?interval=2m", 400, "1m, 5m, 15m"),
        ("/bars/AAPL?limit=0", 400, "from 1 to 1000"),
        ("/bars/AAPL?from=yesterday", 400, "2026-03-31T13:30:00Z"),
        ("/bars/AAPL?from=2026-03-31T13:30:00", 400, "with its offset"),
        ("/bars/AAPL?since=1", 400, "known: interval"),
        ("/bars", 400, "symbols is missing"),
        ("/bars?symbols=" + ",".join(f"S{n}" for n in range(20)) + "&limit=1000", 400, "fewer"),
    ],
)
def test_what_is_wrong_is_named(server: Rig, path: str, status: int, said: str) -> None:
    code, problem = ask(server, path)
    assert code == status
    assert said in problem["detail"]


def test_without_a_store(rig: Rig) -> None:
    rig.trade(rig.row("AAPL"), E9)
    for path in ("/bars/AAPL", "/bars?symbols=AAPL"):
        status, problem = ask(rig, path)
        assert (status, problem["code"]) == (404, "no_history")
        assert "[store] enabled = true" in problem["detail"]


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    keep(tmp_path, [kept_bar("AAPL", START, E9)])
    (file,) = (tmp_path / "history").glob("2026-03.sqlite")
    file.write_bytes(b"no database" * 1000)
    rig = Rig(
        "badbars",
        Config(gateway=GatewayConfig(max_connections=64)),
        past=Past(HistoryReader(tmp_path)),
    )
    try:
        rig.trade(rig.row("AAPL"), E9)
        status, problem = ask(rig, "/bars/AAPL")
        assert (status, problem["code"]) == (503, "store_failing")
        assert ask(rig, "/prices/AAPL")[0] == 200
    finally:
        assert rig.close() == 0
