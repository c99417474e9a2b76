"""ticker.v1's channel of movers: lists of the whole market, the newest to each client."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.gateway.compiled_proto import payload
from tests.gateway.conftest import Rig
from tests.gateway.hub.test_encode import server_message
from tests.gateway.protocol.test_protocol_groups import token
from tests.gateway.protocol.v1 import E9, V1, Connect
from tests.gateway.rest.test_gaps import get
from ticker.config import Config, GatewayConfig
from ticker.config.access import AuthConfig
from ticker.gateway.protocol.codec import CODECS, moment
from ticker.gateway.protocol.messages import AnyMessage, Mover, Movers

__all__ = ["server_message"]

SUBSCRIBE = {"action": "subscribe", "channel": "movers"}
ASKING = Config(
    gateway=GatewayConfig(max_connections=64),
    auth=AuthConfig(
        tokens=(
            token("all"),
            token("some", symbols=("D*", "F*")),
            token("prices", channels=("price", "quote")),
        )
    ),
)


def moved(rig: Any, symbol: str, base: int, price: int, volume: int) -> int:
    row: int = rig.row(symbol)
    rig.quote(row, previous_close=base * E9, volume=volume)
    rig.trade(row, price * E9)
    return row


@pytest.fixture
def market(rig: Rig) -> Any:
    """A rig with four symbols, FAR on row 0."""
    for symbol, base, price, volume in (
        ("FAR", 100, 150, 1), ("UP", 100, 110, 5), ("DOWN", 100, 95, 50), ("SAME", 100, 100, 500),
    ):  # fmt: skip
        moved(rig, symbol, base, price, volume)
    return rig


def names(message: Any) -> list[list[str]]:
    kinds = ("gainers", "losers", "most_active")
    return [[each["symbol"] for each in message[kind]] for kind in kinds]


@pytest.mark.slow
def test_the_lists_come_at_once_and_when_they_change(market: Any, connect: Connect) -> None:
    client = connect(protocol=V1)
    client.send({**SUBSCRIBE, "id": 3})
    answer = client.until("subscribed")
    assert answer == {
        "type": "subscribed", "id": 3, "symbols": [], "rejected": [], "channel": "movers",
        "limit": 10,
    }  # fmt: skip
    first = client.until("movers")
    assert names(first) == [["FAR", "UP"], ["DOWN"], ["SAME", "DOWN", "UP", "FAR"]]
    far = first["gainers"][0]
    assert far.pop("timestamp")
    assert far == {
        "symbol": "FAR", "price": 150, "base": 100, "change": 50, "change_percent": 50,
        "volume": 1, "trades": 0,
    }  # fmt: skip
    market.trade(0, 40 * E9)
    second = client.until("movers")
    assert names(second)[:2] == [["UP"], ["FAR", "DOWN"]]
    rest = get(market, "/movers")[1]
    assert names(rest) == names(second)
    client.send({"action": "unsubscribe", "channel": "movers"})
    assert client.until("unsubscribed")["channel"] == "movers"


@pytest.mark.slow
def test_a_list_is_as_long_as_it_was_asked_for_and_one_per_client(
    market: Any, connect: Connect
) -> None:
    client, other = connect(protocol=V1), connect(protocol=V1)
    client.send({**SUBSCRIBE, "limit": 1})
    assert names(client.until("movers")) == [["FAR"], ["DOWN"], ["SAME"]]
    other.send({**SUBSCRIBE, "limit": 2})
    assert names(other.until("movers")) == [["FAR", "UP"], ["DOWN"], ["SAME", "DOWN"]]
    client.send({"action": "reconnect", "channel": "movers", "last_seen": {}, "limit": 3})
    assert client.until("recovered")["limit"] == 3
    assert len(client.until("movers")["most_active"]) == 3
    market.trade(0, 40 * E9)
    message = client.until("movers")
    assert (message["limit"], len(message["most_active"])) == (3, 3)


@pytest.mark.stress
def test_a_slow_client_gets_the_newest_list_not_those_between(
    market: Any, connect: Connect
) -> None:
    """A client at a low rate is a slow one that says so."""
    quick, slow = connect(protocol=V1), connect(protocol=V1)
    slow.send({"action": "configure", "max_rate": 0.25, "batch": True})
    slow.until("configured")
    for client in (quick, slow):
        client.send(SUBSCRIBE)
    quick.until("movers")
    while not isinstance(slow.receive(), list):
        pass
    told: list[Any] = []
    for price in (60, 50):
        market.trade(0, price * E9)
        while not told or told[-1]["losers"][0]["price"] != price:
            told.append(quick.until("movers"))
    while not isinstance(batch := slow.receive(), list):
        pass
    (newest,) = batch
    assert newest["losers"][0]["price"] == 50, "the list with 60 was left out"


@pytest.mark.usefixtures("market")
def test_a_list_is_encoded_once_for_all_who_watch_it(connect: Connect) -> None:
    clients = [connect(protocol=V1) for _ in range(3)]
    for client in clients:
        client.send(SUBSCRIBE)
    texts = {msgspec.json.encode(client.until("movers")) for client in clients}
    assert len(texts) == 1, "of one moment, to the microsecond"


@pytest.mark.usefixtures("market")
@pytest.mark.parametrize("rig", [ASKING], indirect=True)
def test_a_token_shows_its_symbols_only(connect: Connect) -> None:
    found = {}
    for name in ("all", "some"):
        client = connect(protocol=V1, headers=(f"Authorization: Bearer {name}-token",))
        client.send(SUBSCRIBE)
        found[name] = names(client.until("movers"))
    assert found["all"][0] == ["FAR", "UP"]
    assert found["some"] == [["FAR"], ["DOWN"], ["DOWN", "FAR"]]
    client = connect(protocol=V1, headers=("Authorization: Bearer prices-token",))
    client.send(SUBSCRIBE)
    error = client.until("error")
    assert (error["code"], "does not open `movers`" in error["message"]) == (401, True)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ({"symbols": ["AAPL"]}, "symbols: the channel `movers` is of the whole market"),
        ({"symbol": "AAPL"}, "symbol: the channel `movers`"),
        ({"symbols": ["*"]}, "symbols: the channel `movers`"),
        ({"limit": 26}, "limit"),
        ({"limit": 0}, "limit"),
        ({"levels": 5}, "levels: only the channel `depth` has it"),
        ({"interval": "1m"}, "interval"),
        ({"channel": "price", "symbols": ["FAR"], "limit": 5}, "limit: only the channel `movers`"),
    ],
)
@pytest.mark.usefixtures("market")
def test_what_is_wrong_is_named(connect: Connect, command: dict[str, Any], said: str) -> None:
    client = connect(protocol=V1)
    client.send({**SUBSCRIBE, **command})
    error = client.until("error")
    assert (error["code"], error["message"].startswith(said)) == (400, True), error


@pytest.mark.usefixtures("market")
def test_the_plain_dialect_has_no_lists(connect: Connect) -> None:
    client = connect()
    client.send(SUBSCRIBE)
    assert "needs a ticker.v1 subprotocol" in client.until("error")["message"]


@pytest.mark.slow
def test_as_events(market: Any, read: Any) -> None:
    reader = read("/stream?channel=movers&limit=2")
    assert names(reader.until("movers")) == [["FAR", "UP"], ["DOWN"], ["SAME", "DOWN"]]
    market.trade(0, 40 * E9)
    assert names(reader.until("movers"))[1] == ["FAR", "DOWN"]
    for query, said in (
        ("channel=movers&symbols=FAR", "symbols is not for channel=movers"),
        ("channel=movers&limit=26", "limit must be"),
        ("symbols=FAR&limit=2", "limit is of movers; ask with channel=movers"),
    ):
        refused = read(f"/stream?{query}")
        detail = refused.body()["detail"]
        assert (refused.status, said in detail) == (400, True), detail


def test_all_encodings_say_the_same(server_message: Any) -> None:
    time = moment(1_774_794_600_123_456_000)
    wide = Mover(
        symbol='A"B', price=Decimal("185.42"), base=Decimal(184), change=Decimal("1.42"),
        change_percent=Decimal("0.7717"), volume=Decimal(2**70 + 5).scaleb(-2), trades=7,
        timestamp=time,
    )  # fmt: skip
    bare = Mover(symbol="B", price=Decimal(-1), volume=Decimal(12), trades=1, timestamp=time)
    message = Movers(timestamp=time, limit=5, gainers=[wide], losers=[], most_active=[wide, bare])
    json, msgpack, proto = (codec.encode(message) for codec in CODECS[1:4])
    assert b'"volume":11805916207174113034.29' in json
    assert msgspec.json.decode(json, type=AnyMessage) == message
    packed = msgspec.msgpack.decode(msgpack)
    shown = packed["most_active"][1]
    assert (shown["price"], shown["volume"]) == ("-1", 12)
    assert shown["timestamp"] == packed["timestamp"] == 1_774_794_600_123_456
    assert packed["gainers"][0]["volume"] == "11805916207174113034.29"
    first, second = server_message.FromString(proto).movers.most_active
    assert (first.symbol, first.price_e9, first.size_exponent) == ('A"B', 185_420_000_000, 2)
    assert first.volume_high << 64 | first.volume == 2**70 + 5
    assert (second.HasField("base_e9"), second.volume, second.size_exponent) == (False, 12, 0)


@pytest.mark.usefixtures("market")
def test_binary_and_batched(connect: Connect) -> None:
    client = connect(protocol="ticker.v1.msgpack")
    client.send({"action": "configure", "batch": True})
    client.send(SUBSCRIBE)
    while True:
        message = client.receive()
        if isinstance(message, list):
            break
    assert [each["type"] for each in message] == ["movers"]
    assert message[0]["gainers"][0]["price"] == "150"


def test_the_longest_list_has_its_room() -> None:
    """The frame of 25 symbols of each kind, each figure as long as it can be."""
    time = moment(1_774_794_600_123_456_000)
    most = Decimal(-(2**63)).scaleb(-9)
    longest = Mover(
        symbol='"' * 23, price=most, base=most, change=most, change_percent=most,
        volume=Decimal(f"{2**128 - 1}").scaleb(-19), trades=2**64 - 1, timestamp=time,
    )  # fmt: skip
    lists = [longest] * 25
    message = Movers(timestamp=time, limit=25, gainers=lists, losers=lists, most_active=lists)
    for codec in CODECS[1:]:
        assert len(codec.frame(message)) <= 32768
    assert payload(CODECS[1].frame(message)) == CODECS[1].encode(message)
