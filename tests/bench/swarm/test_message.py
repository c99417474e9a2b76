"""The client's own reading of frames and messages."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.bench.swarm.message import client_frame, parse_frame, parse_message
from ticker.units import format_price, format_timestamp

TAKEN_BACK = -(2**63) + 1
UPDATE = (
    b'{"type":"update","symbol":"AAPL","price":185.43,"timestamp":"2026-03-29T14:30:01.234000Z"}'
)


def test_an_update_is_read() -> None:
    assert parse_message(UPDATE) == {
        "kind": "update",
        "symbol": b"AAPL",
        "time": 1774794601234000000,
        "price": 185430000000,
        "seq": -1,
        "skipped": -1,
        "code": -1,
    }


@given(st.integers(0, 2**62), st.integers(0, 4_000_000_000), st.integers(0, 2**53))
def test_prices_and_times_are_exact(price: int, second: int, seq: int) -> None:
    time = second * 1_000_000_000 + 123_456_000
    text = (
        f'{{ "seq" : {seq} , "type":"snapshot", "symbol":"BRK.B",\n"price": {format_price(price)},'
        f'"timestamp":"{format_timestamp(time)}" }} '
    )
    found = parse_message(text.encode())
    assert found == {
        "kind": "snapshot",
        "symbol": b"BRK.B",
        "time": time,
        "price": price,
        "seq": seq,
        "skipped": -1,
        "code": -1,
    }


def test_unknown_members_are_skipped_at_any_depth() -> None:
    rich = json.loads(UPDATE) | {"extra": {"a": [1, "}", {"b": 'q"]'}]}, "more": None}
    found = parse_message(json.dumps(rich).encode())
    assert found["kind"] == "update"
    assert found["price"] == 185430000000


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (b'{"type":"error","code":460}', "error"),
        (b'{"type":"hello"}', "other"),
        (b"", "malformed"),
        (b"[]", "malformed"),
        (UPDATE[:-1], "malformed"),
        (UPDATE + b"x", "malformed"),
        (UPDATE.replace(b"185.43", b'"x"'), "malformed"),
        (UPDATE.replace(b".234000Z", b"Z"), "malformed"),
        (UPDATE.replace(b"2026-03-29T", b"2026-03-29 "), "malformed"),
        (UPDATE.replace(b'"symbol":"AAPL",', b""), "malformed"),
    ],
)
def test_kinds(text: bytes, kind: str) -> None:
    assert parse_message(text)["kind"] == kind


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_an_error(data: bytes) -> None:
    assert parse_message(data)["kind"] in ("other", "snapshot", "update", "error", "malformed")
    used, _, payload = parse_frame(data)
    assert used == -1 or len(payload) <= used <= len(data)


@given(st.binary(max_size=70_000))
def test_server_frames_of_every_length_form(payload: bytes) -> None:
    size = len(payload)
    if size < 126:
        head = bytes((0x81, size))
    elif size < 65536:
        head = b"\x81\x7e" + size.to_bytes(2, "big")
    else:
        head = b"\x81\x7f" + size.to_bytes(8, "big")
    whole = head + payload
    assert parse_frame(whole + b"\x81") == (len(whole), 1, payload)
    assert parse_frame(whole[:-1])[0] == 0 or not payload


@pytest.mark.parametrize("head", [b"\x01\x00", b"\x81\x80", b"\xc1\x00"])
def test_what_a_server_may_not_send_is_refused(head: bytes) -> None:
    assert parse_frame(head + b"\x00" * 8)[0] == -1


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535])
def test_client_frames_are_masked(size: int) -> None:
    payload = bytes(index % 251 for index in range(size))
    sent = client_frame(1, payload)
    head = 2 if size < 126 else 4
    assert sent[0] == 0x81
    assert sent[1] & 0x80
    mask, masked = sent[head : head + 4], sent[head + 4 :]
    assert bytes(byte ^ mask[index % 4] for index, byte in enumerate(masked)) == payload


def test_a_client_frame_has_a_limit() -> None:
    with pytest.raises(ValueError, match="at most 65535"):
        client_frame(1, bytes(65536))


@pytest.mark.parametrize(
    ("said", "price"),
    [(b"0", 0), (b"-37.63", -37_630_000_000), (b"null", TAKEN_BACK), (b"-0.000000001", -1)],
)
def test_prices_may_be_taken_back_or_at_zero_and_below(said: bytes, price: int) -> None:
    found = parse_message(UPDATE.replace(b"185.43", said))
    assert (found["kind"], found["price"]) == ("update", price)


@pytest.mark.parametrize("said", [b"-", b"--1", b"1-", b"nul", b"true", b'"5"x'])
def test_what_is_no_price_is_malformed(said: bytes) -> None:
    assert parse_message(UPDATE.replace(b"185.43", said))["kind"] == "malformed"
