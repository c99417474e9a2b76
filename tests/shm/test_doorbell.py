"""The doorbell: rung when asleep, silent when awake, and no wake-up is ever lost."""

from __future__ import annotations

import mmap
import os
import select
from collections.abc import Iterator

import pytest

from ticker.bench.shm import shm
from ticker.errors import SegmentError
from ticker.shm import segment
from ticker.shm.doorbell import Doorbell, DoorbellRinger
from ticker.shm.header import KIND_GATEWAY, Mapping, segment_size


@pytest.fixture
def bell() -> Iterator[int]:
    fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
    yield fd
    os.close(fd)


def rings(fd: int) -> bool:
    return bool(select.select([fd], [], [], 0)[0])


def ringer(name: str, fd: int) -> DoorbellRinger:
    return DoorbellRinger([(segment.attach(name, KIND_GATEWAY), fd)])


def test_rung_once_per_arming(gateway_name: str, gateway: Mapping, bell: int) -> None:
    door, publisher = Doorbell(gateway, bell), ringer(gateway_name, bell)
    assert publisher.ring_from_python() == 0
    for _ in range(3):
        door.arm_from_python()
        assert not rings(bell)
        assert publisher.ring_from_python() == 1
        assert publisher.ring_from_python() == 0
        assert rings(bell)
        door.disarm_from_python()
        assert not rings(bell)
        assert publisher.ring_from_python() == 0


def test_arming_twice_is_one_arming(gateway_name: str, gateway: Mapping, bell: int) -> None:
    door, publisher = Doorbell(gateway, bell), ringer(gateway_name, bell)
    door.arm_from_python()
    door.arm_from_python()
    assert publisher.ring_from_python() == 1
    assert publisher.ring_from_python() == 0


def test_every_publisher_rings(gateway_name: str, gateway: Mapping, bell: int) -> None:
    """Each answers an arming for itself: another one's ring may have been slept off by then."""
    door = Doorbell(gateway, bell)
    door.arm_from_python()
    assert [ringer(gateway_name, bell).ring_from_python() for _ in range(3)] == [1, 1, 1]


def test_a_successor_takes_the_bell_back(gateway_name: str, gateway: Mapping, bell: int) -> None:
    publisher = ringer(gateway_name, bell)
    Doorbell(gateway, bell).arm_from_python()
    assert publisher.ring_from_python() == 1
    successor = Doorbell(segment.attach(gateway_name, KIND_GATEWAY, writable=True), bell)
    assert not rings(bell)
    assert publisher.ring_from_python() == 0
    successor.arm_from_python()
    assert publisher.ring_from_python() == 1


def test_only_who_sleeps_is_rung() -> None:
    doors = []
    for _ in range(3):
        mapping = Mapping(mmap.mmap(-1, segment_size(KIND_GATEWAY)), True)
        mapping.format(KIND_GATEWAY, 1, 1)
        doors.append((mapping, os.eventfd(0, os.EFD_NONBLOCK)))
    publisher = DoorbellRinger(doors)
    Doorbell(*doors[1]).arm_from_python()
    assert publisher.ring_from_python() == 1
    assert [rings(fd) for _, fd in doors] == [False, True, False]
    for _, fd in doors:
        os.close(fd)


def test_a_ring_that_failed_is_tried_again(gateway_name: str, gateway: Mapping, bell: int) -> None:
    lost = os.eventfd(0, os.EFD_NONBLOCK)
    publisher = ringer(gateway_name, lost)
    os.close(lost)
    Doorbell(gateway, bell).arm_from_python()
    assert publisher.ring_from_python() == 0
    os.dup2(bell, lost)
    assert publisher.ring_from_python() == 1
    os.close(lost)


def test_refusals(gateway_name: str, gateway: Mapping, feed: Mapping, bell: int) -> None:
    with pytest.raises(SegmentError, match="own, writable segment"):
        Doorbell(segment.attach(gateway_name, KIND_GATEWAY), bell)
    with pytest.raises(SegmentError, match="not a gateway's segment"):
        Doorbell(feed, bell)
    with pytest.raises(SegmentError, match="not a gateway's segment"):
        DoorbellRinger([(feed, bell)])
    with pytest.raises(SegmentError, match="65 gateways: at most 64"):
        DoorbellRinger([(gateway, bell)] * 65)
    blocking = os.eventfd(0)
    for fd in (blocking, -1):
        with pytest.raises(SegmentError, match="not an open, non-blocking eventfd"):
            Doorbell(gateway, fd)
    os.close(blocking)


def check(found: dict[str, int], rounds: int) -> None:
    assert found["lost"] == 0
    assert found["rounds"] == rounds
    assert found["slept"] > 0
    assert 0 < found["rung"] <= rounds


@pytest.mark.slow
def test_no_wake_up_is_lost() -> None:
    check(shm.ping_pong(10_000), 10_000)


@pytest.mark.stress
@pytest.mark.timeout(900)
def test_no_wake_up_is_lost_in_a_hundred_thousand() -> None:
    check(shm.ping_pong(100_000), 100_000)
