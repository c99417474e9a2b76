"""The settings of a log's stream, and what a server says of it."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ticker.cluster.log.streams import (
    consumer,
    differs,
    named_in,
    settings,
    stored_of,
    stream_name,
    time_text,
)
from ticker.cluster.natswire import place_of
from ticker.config import ClusterConfig, LogConfig
from ticker.errors import DecodeError

CLUSTER = ClusterConfig(name="prod", servers=("nats://127.0.0.1:4222",), shards=16)


def test_a_stream_has_all_that_is_published_of_a_feed_and_no_more_than_it_may() -> None:
    made = settings(CLUSTER, LogConfig(retention_days=0.5, max_gigabytes=2), "sim")
    assert made["subjects"] == ["tk.prod.sim.t.*", "tk.prod.sim.i.*", "tk.prod.sim.c.*"]
    assert made["max_age"] == 43_200 * 10**9
    assert made["max_bytes"] == 2 * 10**9
    assert named_in(made["name"]) == ("prod", "sim")


@pytest.mark.parametrize("name", ["tk:a", "orders", "tk:a:b:c", "x:tk:a"])
def test_the_stream_of_another_program_is_none(name: str) -> None:
    assert named_in(name) is None


def test_no_two_feeds_share_a_stream() -> None:
    assert stream_name("a-b", "c") != stream_name("a", "b-c")


def test_a_stream_is_updated_only_if_it_differs() -> None:
    made = settings(CLUSTER, LogConfig(), "sim")
    there = made | {"deny_purge": False}
    there["metadata"] = made["metadata"] | {"_nats.level": "1"}
    assert not differs(there, made)
    assert differs(there | {"max_bytes": 7}, made)
    assert differs(there | {"metadata": {}}, made)


def test_an_acknowledgement_has_a_number_or_a_reason() -> None:
    assert stored_of(b'{"stream":"tk:a:b","seq":17}') == (17, "")
    assert stored_of(b"") == (0, "no stream takes the frames")
    refused = b'{"error":{"code":503,"err_code":10077,"description":"no room"}}'
    assert stored_of(refused) == (0, "no room")
    assert stored_of(b"[]")[0] == 0
    assert stored_of(b"{}")[0] == 0
    assert stored_of(b"\xff")[0] == 0


def test_the_place_of_a_frame_is_in_its_acknowledgement() -> None:
    assert place_of(b"$JS.ACK.tk:a:b.name.1.70.5.1700000000000000000.12") == (70, 5, 12)
    assert place_of(b"$JS.ACK.hub.hash.tk:a:b.name.1.70.5.17000.12.token") == (70, 5, 12)
    for bad in (b"", b"$JS.ACK.a", b"$JS.ACK.a.b.1.x.5.1.2"):
        with pytest.raises(DecodeError):
            place_of(bad)


def test_a_reader_begins_at_a_time_or_behind_a_number() -> None:
    assert time_text(1_800_000_000_000_000_001) == "2027-01-15T08:00:00.000000001Z"
    begins = consumer("n", "inbox", ["a.*"], since=1, after=0)
    assert begins["opt_start_time"] == "1970-01-01T00:00:00.000000001Z"
    goes_on = consumer("n", "inbox", ["a.*"], since=1, after=41)
    assert goes_on["opt_start_seq"] == 42
    assert "opt_start_time" not in goes_on


@given(st.binary(max_size=200))
def test_any_answer_is_a_number_or_a_reason(payload: bytes) -> None:
    number, reason = stored_of(payload)
    assert bool(number) != bool(reason)


@given(st.binary(max_size=80), st.booleans())
def test_any_subject_is_a_place_or_none(rest: bytes, ours: bool) -> None:
    with suppress(DecodeError):
        assert len(place_of(b"$JS.ACK." * ours + rest)) == 3
