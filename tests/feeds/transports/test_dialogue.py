"""What is said on a connection."""

from __future__ import annotations

import json

import pytest

from ticker.errors import ConfigError
from ticker.feeds.json.mapping import Stream
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


def test_a_missing_credential() -> None:
    with pytest.raises(ConfigError, match=r"credentials\.key: missing"):
        Dialogue(load_mapping("polygon").stream, SYMBOLS)


def test_credentials_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKER_TEST_KEY", "s3")
    assert read_credentials({"key": "$TICKER_TEST_KEY", "id": "me"}) == {"key": "s3", "id": "me"}
    monkeypatch.delenv("TICKER_TEST_KEY")
    with pytest.raises(ConfigError, match="set TICKER_TEST_KEY in the environment"):
        read_credentials({"key": "$TICKER_TEST_KEY"})
