"""The dialect of Alpaca's stock stream: each message field by field, each refusal by its code."""

from __future__ import annotations

import os
import signal
import time
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from tests.gateway.conftest import Rig, wait_for
from tests.gateway.dialects.speaking import (
    CANCELLED,
    CORRECTED,
    E9,
    EXTENDED,
    Speak,
    Spoken,
    change,
    sell,
)
from ticker.config import SHIPPED, Config, DirectoryConfig, GatewayConfig
from ticker.config.access import AuthConfig, TokenConfig
from ticker.gateway.access.auth import hash_token

PATH = "/alpaca/v2/sip"
PACKED = "Content-Type: application/msgpack"
MOMENT = 1_774_960_205_123_456_789  # 2026-03-31T12:30:05.123456789Z
HALTED, PAUSED, TRADING = 2, 3, 1


def token(name: str, **rights: Any) -> TokenConfig:
    return TokenConfig(name=name, sha256=hash_token(f"{name}-secret"), **rights)


ASKING = Config(
    gateway=GatewayConfig(max_connections=64),
    auth=AuthConfig(
        timeout=0.6,
        tokens=(
            token("desk"),
            token("one", connections=1, max_symbols=2),
            token("all", max_symbols=2, wildcard=True),
            token("prices", channels=("price",)),
            token("a", symbols=("A*",)),
        ),
    ),
)
NAMED = Config(
    gateway=GatewayConfig(max_connections=64),
    directory=DirectoryConfig(file=str(SHIPPED.parent / "symbols.csv")),
)
named = pytest.mark.parametrize("rig", [NAMED], indirect=True)
asking = pytest.mark.parametrize("rig", [ASKING], indirect=True)


def welcomed(client: Spoken) -> Spoken:
    client.sees(T="success", msg="connected")
    return client


def entered(client: Spoken, secret: str) -> Spoken:
    welcomed(client).send({"action": "auth", "key": "any", "secret": secret})
    client.sees(T="success", msg="authenticated")
    return client


@named
def test_a_trade_and_a_quote_byte_by_byte(rig: Rig, speak: Speak) -> None:
    row = rig.row("AAPL")
    client = welcomed(speak(PATH))
    client.send({"action": "auth", "key": "k", "secret": "s"})
    client.sees(T="success", msg="authenticated")
    client.send({"action": "subscribe", "trades": ["AAPL"], "quotes": ["AAPL"]})
    client.sees(
        T="subscription", trades=["AAPL"], quotes=["AAPL"], bars=[], statuses=[],
        corrections=["AAPL"], cancelErrors=["AAPL"],
    )  # fmt: skip
    sell(rig, row, 185_430_000_000, MOMENT, match=71)
    assert client.receive_frame()[1] == (
        b'[{"T":"t","S":"AAPL","i":71,"x":"Q","p":185.43,"s":100,"c":["@"],'
        b'"t":"2026-03-31T12:30:05.123456789Z","z":"C"}]'
    )
    rig.quote(row, bid=185 * E9, bid_size=3, flags=1 << 8 | 1 << 11)
    quote = client.receive()
    moment = quote.pop("t")
    assert quote == {
        "T": "q", "S": "AAPL", "bx": "Q", "bp": 185, "bs": 3, "ap": 0, "as": 0, "z": "C",
    }  # fmt: skip
    assert abs(datetime.now(UTC).timestamp() - datetime.fromisoformat(moment).timestamp()) < 5


@named
def test_messagepack_has_floats_and_timestamps(rig: Rig, speak: Speak) -> None:
    row = rig.row("AAPL")
    client = speak(PATH, PACKED)
    welcomed(client).pack({"action": "subscribe", "trades": ["AAPL"]})
    client.sees(T="subscription", trades=["AAPL"])
    sell(rig, row, 185_430_000_000, MOMENT, match=71, flags=1 | EXTENDED)
    opcode, payload = client.receive_frame()
    assert opcode == 2
    (trade,) = msgspec.msgpack.decode(payload)
    assert int(trade.pop("t").timestamp()) == MOMENT // E9
    assert trade == {
        "T": "t", "S": "AAPL", "i": 71, "x": "Q", "p": 185.43, "s": 100, "c": ["@", "T"], "z": "C",
    }  # fmt: skip
    seconds, nanoseconds = divmod(MOMENT, E9)
    assert b"\xd7\xff" + (nanoseconds << 34 | seconds).to_bytes(8, "big") in payload


def test_no_snapshot_and_no_quote_without_a_change(rig: Rig, speak: Speak) -> None:
    row = rig.row("AAPL")
    sell(rig, row, 1 * E9, time.time_ns())
    client = welcomed(speak(PATH))
    client.send({"action": "subscribe", "trades": ["AAPL"], "quotes": ["AAPL"]})
    client.sees(T="subscription")
    assert client.quiet(0.25), "what was before the subscription is not told"
    rig.quote(row, bid=E9, ask=2 * E9, bid_size=1, ask_size=1, flags=0x1900)
    client.sees(T="q", bp=1, ap=2)
    for price in (2, 3):
        sell(rig, row, price * E9, time.time_ns())
        client.sees(T="t", p=price)
    assert client.quiet(0.25), "a trade is no news of the quote"


@named
def test_cancels_and_corrections_come_with_the_trades(rig: Rig, speak: Speak) -> None:
    row = rig.row("AAPL")
    client = welcomed(speak(PATH))
    client.send({"action": "subscribe", "trades": ["AAPL"]})
    client.sees(T="subscription")
    sell(rig, row, 5 * E9, MOMENT, match=71)
    client.sees(T="t", i=71)
    change(rig, row, CORRECTED, 71, 6 * E9, 40, new=72)
    client.sees(
        T="c", S="AAPL", x="Q", oi=71, op=5, os=100, oc=["@"], ci=72, cp=6, cs=40, cc=["@"], z="C"
    )
    change(rig, row, CORRECTED, 72, 7 * E9, 30)
    client.sees(T="c", oi=72, op=6, os=40, ci=72, cp=7, cs=30)
    change(rig, row, CORRECTED, 99, 8 * E9, 10)
    client.sees(T="c", oi=99, op=0, os=0, cp=8)
    change(rig, row, CANCELLED, 72, 7 * E9, 30)
    client.sees(T="x", S="AAPL", i=72, x="Q", p=7, s=30, a="C", z="C")


@named
@pytest.mark.parametrize("headers", [(), (PACKED,)])
def test_halts_by_the_letters_of_the_tape(rig: Rig, speak: Speak, headers: tuple[str, ...]) -> None:
    rows = {symbol: rig.row(symbol) for symbol in ("AAPL", "AA")}
    for row in rows.values():
        rig.table.put(row, status=TRADING)
        sell(rig, row, E9, time.time_ns())
    client = welcomed(speak(PATH, *headers))
    client.send({"action": "subscribe", "statuses": ["*"]})
    client.sees(T="subscription", statuses=["*"])
    changes = (
        (HALTED, "AAPL", "H", "C"),
        (TRADING, "AAPL", "T", "C"),
        (PAUSED, "AAPL", "P", "C"),
        (HALTED, "AA", "2", "A"),
        (TRADING, "AA", "3", "A"),
    )
    for status, symbol, code, tape in changes[: 1 if headers else None]:
        rig.table.put(rows[symbol], status=status)
        rig.heartbeat.beat(time.time_ns())
        client.sees(T="s", S=symbol, sc=code, rc="", rm="", z=tape)


def test_all_symbols_also_those_that_come_later(rig: Rig, speak: Speak) -> None:
    rig.row("AAPL")
    everything, later = welcomed(speak(PATH)), welcomed(speak(PATH))
    everything.send({"action": "subscribe", "trades": ["*"]})
    everything.sees(T="subscription", trades=["*"])
    later.send({"action": "subscribe", "trades": ["MSFT", "NOSUCH"]})
    later.sees(T="subscription", trades=["MSFT", "NOSUCH"])
    row = rig.row("MSFT")
    subscriptions = rig.counters["subscriptions"]
    wait_for(lambda: rig.counters["subscriptions"] == subscriptions + 2)
    sell(rig, row, E9, time.time_ns())
    everything.sees(T="t", S="MSFT")
    later.sees(T="t", S="MSFT")
    everything.send({"action": "unsubscribe", "trades": ["*"]})
    everything.sees(T="subscription", trades=[])
    later.send({"action": "unsubscribe", "trades": ["MSFT"]})
    later.sees(T="subscription", trades=["NOSUCH"])
    sell(rig, row, 2 * E9, time.time_ns())
    assert everything.quiet(0.25)
    assert later.quiet(0.05)


@asking
def test_each_refusal_has_alpacas_code(rig: Rig, speak: Speak) -> None:
    for symbol in ("AAPL", "AA", "MSFT"):
        rig.row(symbol)
    client = welcomed(speak(PATH))
    client.send({"action": "subscribe", "trades": ["AAPL"]})
    assert client.code() == 401
    client.send({"action": "auth", "key": "k", "secret": "wrong"})
    assert client.code() == 402
    assert client.receive_close() == 4402
    client = entered(speak(PATH), "one-secret")
    client.send({"action": "auth", "key": "k", "secret": "one-secret"})
    assert client.code() == 403
    client.send({"action": "subscribe", "trades": ["AAPL"], "quotes": ["AAPL", "AA"]})
    assert client.code() == 405
    client.send({"action": "subscribe", "trades": ["*"]})
    assert client.code() == 405, "there are three symbols"
    client.send({"action": "subscribe", "trades": ["AAPL"], "quotes": ["AAPL"]})
    client.sees(T="subscription", trades=["AAPL"], quotes=["AAPL"])
    free = entered(speak(PATH), "all-secret")
    free.send({"action": "subscribe", "trades": ["*"], "quotes": ["*"]})
    free.sees(T="subscription", trades=["*"], quotes=["*"])
    other = welcomed(speak(PATH))
    other.send({"action": "auth", "key": "k", "secret": "one-secret"})
    assert other.code() == 406
    poor = entered(speak(PATH), "prices-secret")
    poor.send({"action": "subscribe", "trades": ["AAPL"]})
    assert poor.code() == 409
    poor.send({"action": "subscribe", "lulds": ["AAPL"]})
    assert poor.code() == 410
    wrongs: list[Any] = [
        {"action": "dance"},
        {},
        [],
        {"action": "subscribe", "trades": "AAPL"},
        {"action": "subscribe", "trades": [""]},
        {"action": "subscribe", "tea": ["A"]},
        {"action": "auth", "key": "k"},
    ]
    for wrong in wrongs:
        fresh = welcomed(speak(PATH))
        fresh.send(wrong)
        assert fresh.code() == 400, wrong
    late = welcomed(speak(PATH))
    assert late.code() == 404
    assert late.receive_close() == 4404


@asking
def test_the_pair_of_headers_is_a_login_and_rights_hold(rig: Rig, speak: Speak) -> None:
    rows = [rig.row("AAPL"), rig.row("MSFT")]
    client = welcomed(speak(PATH, "APCA-API-KEY-ID: k", "APCA-API-SECRET-KEY: a-secret"))
    client.sees(T="success", msg="authenticated")
    client.send({"action": "subscribe", "trades": ["*"]})
    client.sees(T="subscription")
    for row in reversed(rows):
        sell(rig, row, E9, time.time_ns())
    client.sees(T="t", S="AAPL")
    assert client.quiet(0.25), "MSFT is not for this token"
    refused = welcomed(speak(PATH, "APCA-API-KEY-ID: k", "APCA-API-SECRET-KEY: b"))
    assert refused.code() == 402


def test_paths_and_ends(rig: Rig, speak: Speak) -> None:
    for path in ("/alpaca/v2/sip", "/alpaca/v2/iex", "/alpaca/v2/delayed_sip", "/alpaca/v2/test"):
        welcomed(speak(path))
    assert b" 404 " in speak("/alpaca/v2/none").head
    bare = speak("/status HTTP/1.1\r\nHost: localhost\r\n\r\nGET " + PATH)
    assert b" 200 " in bare.head
    assert bare.read_until(b"101 Switching Protocols"), "on a connection that had another request"
    client, plain = welcomed(speak(PATH)), speak("/stream")
    os.kill(rig.pid, signal.SIGTERM)
    assert client.receive_close() == 1012, "1001 would end the program that uses alpaca-py"
    assert plain.receive_close() == 1001


@pytest.mark.parametrize(
    "rig",
    [Config(gateway=GatewayConfig(max_connections=64, commands_per_second=1, commands_burst=1))],
    indirect=True,
)
def test_too_many_requests(rig: Rig, speak: Speak) -> None:  # noqa: ARG001
    client = welcomed(speak(PATH))
    for _ in range(3):
        client.send({"action": "subscribe", "trades": ["AAPL"]})
    client.sees(T="subscription")
    assert client.code() == 429


@named
def test_the_directory_says_the_tape(rig: Rig, speak: Speak) -> None:
    tapes = (("AA", "A", " "), ("SPY", "B", " "), ("NOSUCH", "", "@"))
    rows = [rig.row(symbol) for symbol, _, _ in tapes]
    client = welcomed(speak(PATH))
    client.send({"action": "subscribe", "trades": ["*"]})
    client.sees(T="subscription")
    for row, (symbol, tape, regular) in zip(rows, tapes, strict=True):
        sell(rig, row, E9, time.time_ns())
        client.sees(S=symbol, z=tape, c=[regular])
