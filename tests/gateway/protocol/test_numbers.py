"""The numbers of the Protobuf wire, which no change to a type may move."""

from __future__ import annotations

import re

import msgspec
import pytest

from ticker.gateway.hub.encode_protobuf import Number
from ticker.gateway.protocol import messages, numbers, protobuf
from ticker.gateway.protocol.messages import COMMANDS, MESSAGES

# What clients were compiled with. Add to it; a line that is here stays as it is.
FROZEN = {
    "ClientMessage": "subscribe=1 unsubscribe=2 reconnect=3 configure=4 auth=5 ping=6",
    "ServerMessage": "snapshot=1 update=2 hello=3 subscribed=4 unsubscribed=5 recovered=6"
    " configured=7 status=8 lagged=9 heartbeat=10 pong=11 goodbye=12 error=13 correction=14"
    " cancel=16 bar=19 depth=17 delta=18 movers=20 batch=15",
    "Batch": "messages=1",
    "Subscribe": "id=1 symbols=2 symbol=3 channel=4 interval=7 levels=5 venue=6 limit=8",
    "Unsubscribe": "id=1 symbols=2 symbol=3 channel=4 interval=7 venue=6",
    "Reconnect": "id=1 last_seen_ns=2 channel=3 interval=7 levels=4 venue=5 limit=8",
    "Configure": "id=1 max_rate=2 batch=3 pace=4",
    "Auth": "id=1 token=2",
    "Ping": "id=1",
    "Snapshot": "symbol=1 price_e9=2 timestamp_ns=3 seq=4 channel=5 size=6 venue=7 volume=8"
    " trades=9 bid_e9=10 bid_size=11 ask_e9=12 ask_size=13 open_e9=14 high_e9=15 low_e9=16"
    " previous_close_e9=17 official_close_e9=18 extended_price_e9=19 extended_timestamp_ns=20"
    " trade_id=22 volume_high=21 size_exponent=100",
    "Update": "symbol=1 price_e9=2 timestamp_ns=3 seq=4 channel=5 size=6 venue=7 volume=8"
    " trades=9 bid_e9=10 bid_size=11 ask_e9=12 ask_size=13 open_e9=14 high_e9=15 low_e9=16"
    " previous_close_e9=17 official_close_e9=18 extended_price_e9=19 extended_timestamp_ns=20"
    " trade_id=22 volume_high=21 size_exponent=100",
    "Hello": "protocol=1 epoch=2 limits=3 heartbeat=4 auth=5 connection=6",
    "Subscribed": "id=1 symbols=2 rejected=3 channel=4 interval=7 venue=6 levels=5 limit=8",
    "Unsubscribed": "id=1 symbols=2 rejected=3 channel=4 interval=7 venue=6",
    "Recovered": "id=1 symbols=2 rejected=3 channel=4 interval=7 venue=6 levels=5 limit=8",
    "Configured": "id=1 max_rate=2 batch=3 pace=4",
    "Status": "symbol=1 feed=2 market=3 state=4 phase=5",
    "Lagged": "symbol=1 skipped=2",
    "Heartbeat": "timestamp_ns=1",
    "Pong": "id=1",
    "Goodbye": "reason=1 retry_after=2",
    "Error": "code=1 reason=2 message=3 id=4 symbol=5",
    "Limits": "symbols=1 message=2 outbound=3 commands_per_second=4 commands_burst=5 max_rate=6"
    " slow_timeout=7",
    "Rejected": "symbol=1 code=2",
    "Correction": "symbol=1 price_e9=2 timestamp_ns=3 seq=4 channel=5 size=6 venue=7 trade_id=22"
    " new_trade_id=23 eligible=24 size_exponent=100",
    "Cancel": "symbol=1 price_e9=2 timestamp_ns=3 seq=4 channel=5 size=6 venue=7 trade_id=22"
    " size_exponent=100",
    "LiveBar": "symbol=1 channel=2 interval=3 start_ns=4 state=5 open_e9=6 high_e9=7 low_e9=8"
    " close_e9=9 volume=10 trades=11 vwap_e9=12 timestamp_ns=13 revision=14 exact=15 complete=16"
    " volume_high=21 size_exponent=100",
    "Depth": "symbol=1 timestamp_ns=2 seq=3 levels=4 venue=5 bids=6 asks=7 size_exponent=100",
    "Delta": "symbol=1 timestamp_ns=2 seq=3 previous_seq=8 venue=5 bids=6 asks=7 size_exponent=100",
    "Level": "price_e9=1 size=2",
    "Movers": "timestamp_ns=1 limit=2 gainers=3 losers=4 most_active=5",
    "Mover": "symbol=1 price_e9=2 base_e9=3 change_e9=4 change_percent_e9=5 volume=6 trades=7"
    " timestamp_ns=8 volume_high=21 size_exponent=100",
}


def test_the_wire_is_the_one_that_clients_were_compiled_with() -> None:
    found = re.findall(
        r"^message (\w+) \{\n(.*?)^\}", protobuf.proto_text(), re.MULTILINE | re.DOTALL
    )
    wire = {name: " ".join("=".join(pair) for pair in fields(body)) for name, body in found}
    assert wire == FROZEN


def fields(body: str) -> list[tuple[str, str]]:
    return re.findall(r"(\w+) = (\d+);", body)


class Snapshot(messages.Snapshot, frozen=True, kw_only=True):
    """The real one, with a field that nobody gave a number."""

    halted: bool


def test_a_field_without_a_number_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Snapshot: halted: .* numbers\.py"):
        protobuf.fields_of(Snapshot)


def test_a_number_without_a_field_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(numbers.FIELD_NUMBERS, "Lagged", {"symbol": 1, "skipped": 2, "since": 3})
    with pytest.raises(TypeError, match="Lagged: since"):
        protobuf.fields_of.__wrapped__(messages.Lagged)


class Pong(msgspec.Struct, frozen=True, kw_only=True):
    """The real one with its fields in another order, and one between them."""

    id: str
    symbol: str
    sent: str


def test_the_order_of_a_type_moves_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(numbers.FIELD_NUMBERS, "Pong", {"sent": 1, "id": 2, "symbol": 4})
    found = {field.name: field.number for field in protobuf.fields_of(Pong)}
    assert found == {"sent": 1, "id": 2, "symbol": 4}


def test_no_number_is_given_twice() -> None:
    every = [numbers.COMMAND_NUMBERS, numbers.MESSAGE_NUMBERS, *numbers.FIELD_NUMBERS.values()]
    for table in every:
        assert len(set(table.values())) == len(table), table


def test_each_message_has_its_number() -> None:
    def tags(kinds: tuple[type[msgspec.Struct], ...]) -> list[str]:
        return [str(kind.__struct_config__.tag) for kind in kinds]

    assert sorted(tags(COMMANDS)) == sorted(numbers.COMMAND_NUMBERS)
    assert sorted([*tags(MESSAGES), "batch"]) == sorted(numbers.MESSAGE_NUMBERS)


def test_prices_in_motion_are_written_with_the_same_numbers() -> None:
    written = {name.lower(): int(number) for name, number in Number.__members__.items()}
    named = [numbers.FIELD_NUMBERS[kind] for kind in ("Snapshot", "Update", "Correction", "Cancel")]
    assert written == {name: number for each in named for name, number in each.items()}
    assert all(each.items() <= written.items() for each in named)
