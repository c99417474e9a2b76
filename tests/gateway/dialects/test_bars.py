"""Bars in the vendors' dialects: once their time is over, and when they changed after that."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.gateway.conftest import Rig, new_rig
from tests.gateway.dialects.speaking import E9, Speak, Spoken
from ticker.config import Config, GatewayConfig
from ticker.shm.bars.published import BarFlag, BarState

ALPACA, POLYGON = "/alpaca/v2/sip", "/polygon/stocks"
START = 1_774_960_200 * E9  # 2026-03-31T12:30:00Z
FORMING, FINAL, UPDATED = BarState
PRICE, RANGE, VWAP = BarFlag.BAR_HAS_PRICE, BarFlag.BAR_HAS_RANGE, BarFlag.BAR_HAS_VWAP
SECOND, MINUTE, DAY = 0, 1, 4


def bar(rig: Any, span: int, state: int, close: int, **words: int) -> None:
    """A bar of AAPL, which is number 0."""
    given = {
        "start": START, "open": E9, "high": 9 * E9, "low": E9 // 2, "close": close * E9,
        "volume": 1000, "trades": 3, "vwap": 2 * E9 + 1, "time": START + 1,
        "flags": PRICE | RANGE | VWAP, **words,
    }  # fmt: skip
    rig.bar(0, span, state=state, **given)


@pytest.fixture
def named(rig: Rig) -> Any:
    """A rig with AAPL, in the table and in the segment of bars."""
    rig.trade(rig.row("AAPL"), E9)
    rig.bar_writer.add("AAPL")
    return rig


def subscribed(client: Spoken, **channels: list[str]) -> Spoken:
    client.sees(T="success", msg="connected")
    client.send({"action": "subscribe", **channels})
    client.sees(T="subscription", **{"bars": [], "updatedBars": [], **channels})
    return client


def test_alpaca_tells_a_minute_that_is_over(named: Rig, speak: Speak) -> None:
    client = subscribed(speak(ALPACA), bars=["AAPL"])
    bar(named, MINUTE, FORMING, 5)
    bar(named, SECOND, FINAL, 5)
    bar(named, MINUTE, FINAL, 6)
    assert client.receive_frame()[1] == (
        b'[{"T":"b","S":"AAPL","o":1,"h":9,"l":0.5,"c":6,"v":1000,"t":"2026-03-31T12:30:00.000000000Z",'
        b'"n":3,"vw":2.000000001}]'
    )
    bar(named, MINUTE, UPDATED, 7)
    bar(named, MINUTE, FINAL, 8, start=START + 60 * E9, flags=PRICE, open=2 * E9)
    client.sees(T="b", c=8, h=8, l=2, vw=None)
    client.send({"action": "unsubscribe", "bars": ["AAPL"]})
    client.sees(T="subscription", bars=[])
    bar(named, MINUTE, FINAL, 9, start=START + 120 * E9)
    assert client.quiet(0.25)


def test_alpacas_updated_bars_are_a_channel_of_their_own(named: Rig, speak: Speak) -> None:
    client = subscribed(speak(ALPACA), updatedBars=["AAPL"])
    both = subscribed(speak(ALPACA), bars=["*"], updatedBars=["AAPL"])
    bar(named, MINUTE, FINAL, 5)
    both.sees(T="b", c=5)
    bar(named, MINUTE, UPDATED, 6, revision=1)
    client.sees(T="u", S="AAPL", c=6)
    both.sees(T="u", c=6)
    both.send({"action": "unsubscribe", "updatedBars": ["AAPL"]})
    both.sees(T="subscription", bars=["*"], updatedBars=[])
    bar(named, MINUTE, UPDATED, 7, revision=2)
    client.sees(T="u", c=7)
    bar(named, MINUTE, FINAL, 8, start=START + 60 * E9)
    both.sees(T="b", c=8)


def test_alpacas_daily_bars_come_once_a_minute_while_the_day_lasts(
    named: Rig, speak: Speak
) -> None:
    """And with bars of minutes, of which it was asked for the final ones only."""
    client = subscribed(speak(ALPACA), dailyBars=["AAPL"], bars=["AAPL"])
    for second, close in ((1, 5), (2, 6), (59, 7)):
        bar(named, DAY, FORMING, close, publish_time=START + second * E9)
        client.sees(T="d", S="AAPL", c=5) if close == 5 else None
    bar(named, MINUTE, UPDATED, 8)
    assert client.quiet(0.25)
    bar(named, DAY, FORMING, 9, publish_time=START + 60 * E9)
    client.sees(T="d", c=9, o=1, h=9, l=0.5, v=1000, n=3, t="2026-03-31T12:30:00.000000000Z")
    bar(named, DAY, FINAL, 10, publish_time=START + 61 * E9)
    client.sees(T="d", c=10)
    bar(named, DAY, UPDATED, 11, publish_time=START + 62 * E9)
    client.sees(T="d", c=11)
    client.send({"action": "unsubscribe", "dailyBars": ["AAPL"]})
    client.sees(T="subscription", dailyBars=[], bars=["AAPL"])
    bar(named, DAY, FINAL, 12, start=START + 86_400 * E9)
    bar(named, MINUTE, FINAL, 13, start=START + 60 * E9)
    client.sees(T="b", c=13)


def test_messagepack(named: Rig, speak: Speak) -> None:
    client = speak(ALPACA, "Content-Type: application/msgpack")
    client.sees(msg="connected")
    client.pack({"action": "subscribe", "bars": ["AAPL"]})
    client.sees(T="subscription")
    bar(named, MINUTE, FINAL, 6, volume=2500, size_exponent=3)
    (found,) = msgspec.msgpack.decode(client.receive_frame()[1])
    assert int(found.pop("t").timestamp()) == START // E9
    assert found == {
        "T": "b", "S": "AAPL", "o": 1.0, "h": 9.0, "l": 0.5, "c": 6.0, "v": 2.5, "n": 3,
        "vw": 2.000000001,
    }  # fmt: skip


def test_polygon_has_seconds_and_minutes(named: Rig, speak: Speak) -> None:
    client = speak(POLYGON)
    client.sees(status="connected")
    client.send({"action": "subscribe", "params": "A.AAPL,AM.*"})
    client.sees(message="subscribed to: A.AAPL")
    client.sees(message="subscribed to: AM.*")
    bar(named, SECOND, FORMING, 4)
    bar(named, SECOND, FINAL, 5)
    assert client.receive_frame()[1] == (
        b'[{"ev":"A","sym":"AAPL","v":1000,"vw":2.000000001,"o":1,"c":5,"h":9,"l":0.5,"z":333,'
        b'"s":1774960200000,"e":1774960201000}]'
    )
    bar(named, MINUTE, FINAL, 6, volume=12_500, size_exponent=3)
    client.sees(ev="AM", c=6, v=12, dv="12.5", z=4, s=START // 10**6, e=START // 10**6 + 60_000)
    bar(named, MINUTE, UPDATED, 7)
    assert client.quiet(0.25), "the cluster has no message of it"


def test_without_a_store_there_are_none() -> None:
    rig = new_rig(Config(gateway=GatewayConfig(max_connections=8)), with_bars=False)
    clients = [Spoken(rig.port, ALPACA), Spoken(rig.port, POLYGON)]
    try:
        alpaca, polygon = clients
        alpaca.sees(msg="connected")
        alpaca.send({"action": "subscribe", "bars": ["AAPL"], "trades": ["AAPL"]})
        assert alpaca.code() == 410
        alpaca.send({"action": "subscribe", "trades": ["AAPL"]})
        alpaca.sees(T="subscription", trades=["AAPL"], bars=[])
        polygon.sees(status="connected")
        polygon.send({"action": "subscribe", "params": "T.AAPL,AM.AAPL"})
        polygon.sees(status="success", message="subscribed to: T.AAPL")
        polygon.sees(status="error", message="not authorized: AM.AAPL")
    finally:
        for client in clients:
            client.close()
        assert rig.close() == 0
