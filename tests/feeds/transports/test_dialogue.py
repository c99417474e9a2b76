"""The messages of a client to a vendor."""

from __future__ import annotations

import json

import pytest

from ticker.errors import ConfigError
from ticker.feeds.json.mapping import Stream
from ticker.feeds.json.tables import Message
from ticker.feeds.transports.dialogue import Dialogue, Verdict
from ticker.feeds.workers.credentials import read_credentials
from ticker.feeds.workers.mappings import load_mapping

SYMBOLS = ["AAPL", "MSFT"]


def test_polygon() -> None:
    dialogue = Dialogue(load_mapping("polygon").stream, SYMBOLS, {"key": 'k"1'})
    assert json.loads(dialogue.auth or "") == {"action": "auth", "params": 'k"1'}
    assert [json.loads(text) for text in dialogue.subscriptions] == [
        {"action": "subscribe", "params": "T.AAPL,Q.AAPL,T.MSFT,Q.MSFT"}
    ]
    assert dialogue.waits
    connected = b'[{"ev":"status","status":"connected","message":"Connected Successfully"}]'
    assert dialogue.judge(connected) is Verdict.NOTHING
    assert dialogue.judge(connected.replace(b"connected", b"auth_success")) is Verdict.ACCEPTED
    assert dialogue.judge(connected.replace(b"connected", b"auth_failed")) is Verdict.REFUSED
    assert dialogue.judge(b"\xff{") is Verdict.NOTHING
    assert dialogue.judge(b"[" * 100_000) is Verdict.NOTHING


def test_lists_and_batches() -> None:
    stream = Stream(
        subscribe=({"op": "sub", "args": ["${symbols}"], "n": 1}, "SUB ${symbols} ${name}"),
        subscribe_batch=2,
    )
    texts = Dialogue(stream, ["A", "B", "C"], {"name": "x"}).subscriptions
    assert texts == [
        '{"op":"sub","args":[["A","B"]],"n":1}', "SUB A,B x",
        '{"op":"sub","args":[["C"]],"n":1}', "SUB C x",
    ]  # fmt: skip


def test_a_list_of_patterns() -> None:
    """Binance needs a list, with its symbols in lower case."""
    stream = Stream(subscribe=({"params": "${list:{lower}@trade,{}#x}", "id": 1}, "${each:{}}"))
    assert Dialogue(stream, ["AB", "C/D"]).subscriptions == [
        '{"params":["ab@trade","AB#x","c/d@trade","C/D#x"],"id":1}', "AB,C/D",
    ]  # fmt: skip
    assert Dialogue(stream, []).subscriptions == ['{"params":[],"id":1}', ""]


@pytest.mark.parametrize(
    ("answer", "record", "text"),
    [
        ({"pong": "${ping}"}, '{"ping":1774963800123456789}', '{"pong":1774963800123456789}'),
        ({"op": "pong", "n": ["${a.b.1}"]}, '{"a":{"b":[1,{"c":null}]}},"x"', None),
        ("pong ${ping}!", '{"ping":"x7"}]', "pong x7!"),
        ("3", "2", "3"),
        ({"pong": "${}"}, "7", '{"pong":7}'),
    ],
)
def test_an_answer_repeats_what_the_record_has(answer: Message, record: str, text: str) -> None:
    said = Dialogue(Stream()).answer(answer, record)
    assert said == (text or '{"op":"pong","n":[{"c":null}]}')


@pytest.mark.parametrize("record", ['{"pong":1}', "[]", "7", "{", "", '{"ping"'])
def test_an_answer_to_nothing(record: str) -> None:
    with pytest.raises(ConfigError, match="nothing is at 'ping'"):
        Dialogue(Stream()).answer({"pong": "${ping}"}, record)


def test_a_book_is_asked_for_by_its_symbol() -> None:
    dialogue = Dialogue(load_mapping("kraken").stream, ["BTC/USD", "ETH/USD"])
    texts = [json.loads(text) for text in dialogue.book_again("ETH/USD")]
    assert [text["method"] for text in texts] == ["unsubscribe", "subscribe"]
    assert [text["params"]["symbol"] for text in texts] == [["ETH/USD"], ["ETH/USD"]]
    assert Dialogue(load_mapping("coinbase").stream, ["BTC-USD"]).book_again("BTC-USD") == []


def test_a_missing_credential() -> None:
    with pytest.raises(ConfigError, match=r"credentials\.key: missing"):
        Dialogue(load_mapping("polygon").stream, SYMBOLS)


def test_credentials_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKER_TEST_KEY", "s3")
    assert read_credentials({"key": "$TICKER_TEST_KEY", "id": "me"}) == {"key": "s3", "id": "me"}
    monkeypatch.delenv("TICKER_TEST_KEY")
    with pytest.raises(ConfigError, match="set TICKER_TEST_KEY in the environment"):
        read_credentials({"key": "$TICKER_TEST_KEY"})
