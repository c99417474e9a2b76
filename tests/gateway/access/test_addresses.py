"""Limits by address."""

from __future__ import annotations

import pytest

from ticker.gateway.access.addresses import AddressLimits, canonical

NS = 1_000_000_000


def test_connections_of_one_address_are_bounded_and_come_back() -> None:
    limits = AddressLimits(2, 0, 1)
    assert limits.active
    assert limits.admit("192.0.2.1", 0) is None
    assert limits.admit("192.0.2.1", 0) is None
    refusal = limits.admit("192.0.2.1", 0)
    assert refusal is not None
    assert "2 connections" in refusal
    assert limits.admit("192.0.2.2", 0) is None
    limits.release("192.0.2.1")
    assert limits.admit("192.0.2.1", 0) is None
    for address in ("192.0.2.1", "192.0.2.1", "192.0.2.2"):
        limits.release(address)
    assert not limits.seen


def test_handshakes_refill_with_time() -> None:
    limits = AddressLimits(0, 10, 3)
    assert [limits.admit("192.0.2.1", 0) is None for _ in range(4)] == [True, True, True, False]
    assert limits.admit("192.0.2.1", NS // 10) is None
    assert limits.admit("192.0.2.1", NS // 10) is not None
    # an hour gives back the burst and no more
    hour = 3600 * NS
    assert [limits.admit("192.0.2.1", hour) is None for _ in range(4)] == [True, True, True, False]


def test_an_address_is_forgotten_once_it_is_idle_again() -> None:
    limits = AddressLimits(0, 10, 3)
    limits.admit("192.0.2.1", 0)
    limits.admit("192.0.2.2", 0)
    limits.release("192.0.2.1")
    limits.forget(NS // 10)
    assert len(limits.seen) == 2
    limits.forget(NS)
    assert list(limits.seen) == ["192.0.2.2"]


def test_one_ipv6_subscriber_is_one_address() -> None:
    limits = AddressLimits(1, 0, 1)
    assert limits.admit("2001:db8::1", 0) is None
    assert limits.admit("2001:db8::2", 0) is not None
    assert limits.admit("2001:db8:0:1::1", 0) is None
    limits.release("2001:db8::1")
    assert limits.admit("2001:db8::2", 0) is None


@pytest.mark.parametrize(
    ("address", "same"),
    [
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:c000:201", "192.0.2.1"),
        ("::ffff:192.0.2.1%eth0", "192.0.2.1"),
        ("2001:DB8::0001", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("192.0.2.1", "192.0.2.1"),
        ("no address", "no address"),
        ("no: address", "no: address"),
    ],
)
def test_an_address_has_one_spelling(address: str, same: str) -> None:
    assert canonical(address) == same


def test_an_ipv4_address_counts_once_however_it_comes() -> None:
    limits = AddressLimits(1, 0, 1)
    assert limits.admit("192.0.2.1", 0) is None
    assert limits.admit("::ffff:192.0.2.1", 0) is not None
    assert limits.admit("::ffff:192.0.2.2", 0) is None, "mapped addresses are no /64 of their own"


def test_without_limits_there_is_nothing_to_count() -> None:
    assert not AddressLimits(0, 0, 100).active
