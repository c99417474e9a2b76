"""What gateways want the depth of, as a feed worker reads it."""

from __future__ import annotations

import mmap
import os

import pytest

from ticker.shm.depth.interest import MOST_SYMBOLS, Interests, InterestWriter
from ticker.shm.doorbell import DoorbellRinger
from ticker.shm.header import KIND_GATEWAY, Mapping, segment_size
from ticker.shm.segment import private_gateway


def readers(*gateways: Mapping) -> Interests:
    bell = os.eventfd(0, os.EFD_NONBLOCK)
    return Interests(DoorbellRinger([(gateway, bell) for gateway in gateways]))


def test_nobody_wants_anything() -> None:
    assert Interests(None).read() == {}
    assert readers(private_gateway(1)).read() == {}


def test_the_most_levels_that_one_gateway_wants() -> None:
    gateways = [private_gateway(1) for _ in range(2)]
    first, second = map(InterestWriter, gateways)
    found = readers(*gateways)
    first.want({"AAPL": 10, "MSFT": 5})
    second.want({"AAPL": 50})
    assert found.read() == {"AAPL": 50, "MSFT": 5}
    second.want({})
    assert found.read() == {"AAPL": 10, "MSFT": 5}


def test_places_are_used_again() -> None:
    gateway = private_gateway(1)
    writer, found = InterestWriter(gateway), readers(gateway)
    for turn in range(3):
        wanted = {f"S{turn}.{number}": 1 + number % 50 for number in range(MOST_SYMBOLS)}
        writer.want(wanted)
        assert found.read() == wanted
    with pytest.raises(ValueError, match="4097 symbols: 4096 at most"):
        writer.want(dict.fromkeys(map(str, range(MOST_SYMBOLS + 1)), 1))
    assert found.read() == wanted


def test_a_successor_wants_what_it_says_and_no_more() -> None:
    gateway = private_gateway(1)
    found = readers(gateway)
    InterestWriter(gateway).want({"AAPL": 10, "MSFT": 10})
    assert found.read() == {"AAPL": 10, "MSFT": 10}
    InterestWriter(gateway, {"IBM": 50})
    assert found.read() == {"IBM": 50}


def test_an_interest_that_is_being_written_is_not_read() -> None:
    buffer = mmap.mmap(-1, segment_size(KIND_GATEWAY))
    gateway = Mapping(buffer, True)
    gateway.format(KIND_GATEWAY, 1, 1)
    writer, found = InterestWriter(gateway), readers(gateway)
    writer.want({"AAPL": 10})
    assert found.read() == {"AAPL": 10}
    words = memoryview(buffer).cast("Q")
    version = 512 // 8 + 4
    words[version] += 1  # killed in the middle of a change
    words[version + 1] = 0
    assert found.read() == {"AAPL": 10}
    InterestWriter(gateway, {"IBM": 1})
    assert found.read() == {"IBM": 1}
