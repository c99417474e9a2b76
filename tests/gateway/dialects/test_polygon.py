"""The dialect of Polygon's (Massive's) cluster of stocks."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.gateway.conftest import Rig
from tests.gateway.dialects.speaking import (
    CANCELLED,
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

PATH = "/polygon/stocks"
MOMENT = 1_774_960_205_123_456_789
NAMED = Config(
    gateway=GatewayConfig(max_connections=64, max_symbols=3),
    directory=DirectoryConfig(file=str(SHIPPED.parent / "symbols.csv")),
)
named = pytest.mark.parametrize("rig", [NAMED], indirect=True)


def token(name: str, **rights: Any) -> TokenConfig:
    return TokenConfig(name=name, sha256=hash_token(name), **rights)


ASKING = Config(
    gateway=GatewayConfig(max_connections=64),
    auth=AuthConfig(
        timeout=0.6, tokens=(token("desk", connections=1), token("t", channels=("trades",)))
    ),
)


def welcomed(client: Spoken) -> Spoken:
    client.sees(ev="status", status="connected")
    return client


def entered(client: Spoken, key: str = "any") -> Spoken:
    welcomed(client).send({"action": "auth", "params": key})
    client.sees(ev="status", status="auth_success", message="authenticated")
    return client


@named
def test_a_trade_and_a_quote_byte_by_byte(rig: Rig, speak: Speak) -> None:
    row = rig.row("AAPL")
    client = entered(speak(PATH))
    client.send({"action": "subscribe", "params": "T.AAPL,Q.AAPL"})
    client.sees(status="success", message="subscribed to: T.AAPL")
    client.sees(status="success", message="subscribed to: Q.AAPL")
    sell(rig, row, 185_430_000_000, MOMENT, match=71, flags=1 | EXTENDED)
    assert client.receive_frame()[1] == (
        b'[{"ev":"T","sym":"AAPL","x":12,"i":"71","z":3,"p":185.43,"s":100,"c":[12],'
        b'"t":1774960205123,"q":1}]'
    )
    now = time.time_ns() // 10**6
    rig.quote(row, bid=185 * E9, bid_size=3, quotes=1, flags=1 << 8 | 1 << 11)
    quote = client.receive()
    assert 0 <= quote.pop("t") - now < 5000
    assert quote == {
        "ev": "Q", "sym": "AAPL", "bx": 12, "bp": 185, "bs": 3, "ap": 0, "as": 0, "q": 1, "z": 3,
    }  # fmt: skip
    change(rig, row, CANCELLED, 71, 185_430_000_000, 100)
    sell(rig, row, 186 * E9, MOMENT + E9)
    client.sees(ev="T", p=186, c=None, q=2)


@named
def test_each_part_of_a_request_has_its_answer(rig: Rig, speak: Speak) -> None:
    rows = [rig.row(symbol) for symbol in ("AAPL", "BRK.B", "BRK A")]
    client = entered(speak(PATH))
    client.send({"action": "subscribe", "params": "T.BRK.B, X.AAPL,T.,T.BRK A"})
    client.sees(status="success", message="subscribed to: T.BRK.B")
    client.sees(status="success", message="subscribed to: T.BRK A")
    client.sees(status="error", message="not authorized: X.AAPL")
    client.sees(status="error", message="not authorized: T.")
    for row in rows:
        sell(rig, row, E9, time.time_ns())
    client.sees(ev="T", sym="BRK.B")
    client.sees(ev="T", sym="BRK A")
    client.send({"action": "subscribe", "params": "T.A,T.B,T.C"})
    client.sees(status="error", message="too many subscriptions")
    client.send({"action": "subscribe", "params": "T.*"})
    client.sees(status="success", message="subscribed to: T.*")
    sell(rig, rows[0], 2 * E9, time.time_ns())
    client.sees(ev="T", sym="AAPL", p=2)
    client.send({"action": "unsubscribe", "params": "T.*"})
    client.sees(status="success", message="unsubscribed to: T.*")
    sell(rig, rows[0], 3 * E9, time.time_ns())
    assert client.quiet(0.25)
    wrongs: list[Any] = [[], {"action": "subscribe"}, {"action": "dance", "params": ""}]
    for wrong in wrongs:
        client.send(wrong)
        client.sees(ev="status", status="error")


@pytest.mark.parametrize("rig", [ASKING], indirect=True)
def test_a_key_is_a_token(rig: Rig, speak: Speak) -> None:
    rig.row("AAPL")
    client = welcomed(speak(PATH))
    client.send({"action": "subscribe", "params": "T.AAPL"})
    client.sees(status="auth_required")
    client.send({"action": "auth", "params": "wrong"})
    client.sees(status="auth_failed")
    assert client.receive_close() == 4402
    entered(speak(PATH), "desk")
    other = welcomed(speak(PATH))
    other.send({"action": "auth", "params": "desk"})
    other.sees(status="max_connections")
    poor = entered(speak(PATH), "t")
    poor.send({"action": "subscribe", "params": "Q.AAPL"})
    poor.sees(status="error", message="not authorized")
    poor.send({"action": "auth", "params": "t"})
    poor.sees(status="error", message="already authenticated")
    late = welcomed(speak(PATH))
    late.sees(status="auth_timeout")
    assert late.receive_close() == 4404
