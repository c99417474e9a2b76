"""A feed that is a recording: its pace, its begin, its successor, its faults."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.record.days import DAY_START, Watched, hand_made, only_recording, record_day, simulated
from ticker.clock import steady_ns
from ticker.config import FeedConfig
from ticker.feeds.workers.presence import PrivateContext
from ticker.record.playback.faults import parse_faults
from ticker.record.playback.playing import Play, PlayingWorker
from ticker.shm.counters import Counters, Heartbeat
from ticker.shm.table import PriceTable

SECOND = 1_000_000_000
CONFIG = FeedConfig(name="day", protocol="recording", venue="XXXX")


@contextmanager
def playing(play: Play, watched: Watched) -> Iterator[None]:
    """While it is played into the segment."""
    worker = PlayingWorker(play, CONFIG, PrivateContext(watched.mapping, look=lambda: None))
    stop = threading.Event()
    thread = threading.Thread(target=worker.serve, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


def at_once(folder: Path, **more: object) -> Play:
    play = Play(only_recording(folder), 0, steady_ns(), math.inf)
    return replace(play, **more)  # type: ignore[arg-type]


def ended(watched: Watched) -> bool:
    return Heartbeat(watched.mapping).state == "ended"


def test_at_full_speed_it_is_the_day(tmp_path: Path) -> None:
    day = record_day(hand_made(tmp_path / "day.itch"), tmp_path / "out", size=30)
    played = Watched()
    with playing(at_once(tmp_path / "out"), played):
        until(lambda: ended(played))
        assert played.rows() == day.rows()
        assert played.records() == day.records()


def test_times_are_shifted(tmp_path: Path) -> None:
    day = record_day(hand_made(tmp_path / "day.itch"), tmp_path / "out", size=30)
    played = Watched()
    with playing(at_once(tmp_path / "out", shift=1000), played):
        until(lambda: ended(played))
    for (*_, before), (*_, after) in zip(day.rows(), played.rows(), strict=True):
        assert before is not None
        assert after is not None
        for name, value in before.items():
            moved = value and (name.endswith("_time") or name == "session_start")
            assert after[name] == (value + 1000 if moved else value), name
    for one, other in zip(day.records(), played.records(), strict=True):
        assert [each["publish_time"] + 1000 for each in one] == [
            each["publish_time"] for each in other
        ]


@pytest.mark.slow
def test_events_come_at_their_pace(tmp_path: Path) -> None:
    record_day(hand_made(tmp_path / "day.itch"), tmp_path / "out", size=30)
    played = Watched()
    began = steady_ns()
    play = at_once(tmp_path / "out", since=DAY_START, started=began, speed=10.0)
    with playing(play, played):
        until(lambda: ended(played))
    took = steady_ns() - began
    newest = max(record["publish_time"] for ring in played.records() for record in ring)
    assert took >= (newest - DAY_START) / 10


@pytest.mark.slow
def test_what_was_before_the_begin_comes_at_once(tmp_path: Path) -> None:
    record_day(hand_made(tmp_path / "day.itch"), tmp_path / "out", size=30)
    begin = DAY_START + 4 * SECOND
    played = Watched()
    play = at_once(tmp_path / "out", since=begin, started=steady_ns(), speed=0.001)
    with playing(play, played):
        until(lambda: len(PriceTable(played.mapping)) > 0)
        until(lambda: Heartbeat(played.mapping).state == "live")
        time.sleep(0.1)
        times = [record["publish_time"] for ring in played.records() for record in ring]
    assert times
    assert max(times) < begin + SECOND


@pytest.mark.slow
def test_a_successor_goes_on_where_its_predecessor_stopped(tmp_path: Path) -> None:
    day = record_day(simulated(tmp_path / "day.itch", 20_000), tmp_path / "out")
    played = Watched()
    begin = DAY_START
    half = at_once(tmp_path / "out", since=begin, started=steady_ns(), speed=1000.0)
    with playing(half, played):
        until(lambda: Counters(played.mapping)["trades"] > 100)
    first = played.records()
    with playing(at_once(tmp_path / "out"), played):
        until(lambda: ended(played))
    second = played.records()
    assert played.rows() == day.rows()
    joined = [one + other for one, other in zip(first, second, strict=True)]
    assert joined == day.records()


@pytest.mark.slow
def test_the_same_faults_give_the_same_run(tmp_path: Path) -> None:
    day = record_day(simulated(tmp_path / "day.itch", 20_000), tmp_path / "out")
    faults = parse_faults("loss=5%,reorder=32,duplicate=2%")
    runs = []
    for seed, speed in ((1, math.inf), (1, 20_000.0), (2, math.inf)):
        played = Watched()
        play = at_once(tmp_path / "out", faults=faults, seed=seed, since=DAY_START, speed=speed)
        with playing(play, played):
            until(lambda played=played: ended(played))  # type: ignore[misc]
        counts = Counters(played.mapping)
        assert counts["lost_messages"] > 0
        assert counts["duplicate_messages"] > 0
        runs.append((played.rows(), played.records(), counts["lost_messages"]))
    assert runs[0] == runs[1], "its pace changes nothing"
    assert runs[0][1] != runs[2][1]
    total = sum(map(len, day.records()))
    assert sum(map(len, runs[0][1])) == total - runs[0][2]
