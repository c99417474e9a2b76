"""When a worker is replaced and when it is given up, with time passed in."""

from __future__ import annotations

import pytest

from ticker.shm.counters import Heartbeat
from ticker.shm.liveness import WORKER_TIMEOUT_NS
from ticker.shm.segment import Geometry, private_feed
from ticker.supervisor.arbiter import SOONEST, TICK
from ticker.supervisor.slot import Patience, Slot, Stage

PATIENCE = Patience()


def slot() -> Slot:
    """With a heartbeat in memory of its own."""
    mapping = private_feed(Geometry(rows=1, rings=1, ring_capacity=2), 1, 1)
    return Slot("feed x", Stage.FEED, lambda: None, Heartbeat(mapping))


def beaten() -> Slot:
    """One whose worker was seen to beat at 100 s."""
    place = slot()
    assert place.heartbeat is not None
    place.taken(8, 100.0)
    place.heartbeat.take_over(8, 1)
    assert place.sentence(100.0, PATIENCE) == ""
    return place


def delays(slot: Slot, deaths: int, *, comes_up: bool) -> list[float]:
    """The delays before each restart when every worker dies a second after its start."""
    found, now = [], 100.0
    for pid in range(1, deaths + 1):
        slot.taken(pid, now)
        if comes_up and slot.heartbeat:
            slot.heartbeat.take_over(pid, 1)
        now += 1.0
        found.append(slot.vacated(now, PATIENCE))
        now += found[-1]
        assert slot.due == pytest.approx(now)
    return found


def test_first_restart_is_immediate_and_then_it_takes_longer() -> None:
    found = delays(slot(), 12, comes_up=False)
    assert found[0] == 0.0
    assert 0.18 < found[1] < 0.32
    assert found[2] < found[4] < found[6]
    assert max(found) <= 1.25 * PATIENCE.backoff_limit


def test_one_that_came_up_is_back_within_two_seconds_however_often_it_dies() -> None:
    assert max(delays(slot(), 30, comes_up=True)) < 1.9


def test_a_stable_life_starts_the_count_again() -> None:
    place = slot()
    delays(place, 5, comes_up=True)
    place.taken(99, 200.0)
    assert place.vacated(200.0 + PATIENCE.stable, PATIENCE) == 0.0


def test_up_is_the_worker_that_is_in_it_now() -> None:
    place = slot()
    assert place.heartbeat is not None
    place.heartbeat.take_over(7, 1)
    place.taken(8, 0.0)
    assert not place.up()
    place.heartbeat.take_over(8, 1)
    assert place.up()
    assert place.been_up


def test_silence_is_a_beat_that_does_not_move() -> None:
    """A beat counts with any time in it, because the wall clock may be set."""
    place = slot()
    assert place.heartbeat is not None
    place.taken(8, 100.0)
    place.heartbeat.take_over(8, 5_000)
    assert place.silence(101.0) == 0.0
    assert place.silence(104.0) == 3.0
    place.heartbeat.beat(1_000)  # set back
    assert place.silence(105.0) == 0.0


def test_hung_is_told_to_abort_and_then_killed() -> None:
    place = beaten()
    late = 100.0 + PATIENCE.hung
    assert place.sentence(late - 0.1, PATIENCE) == ""
    assert place.sentence(late, PATIENCE) == "abort"
    assert place.sentence(late + 0.1, PATIENCE) == ""
    assert place.sentence(late + PATIENCE.last_words, PATIENCE) == "kill"


def test_a_worker_that_gets_no_core_is_not_hung() -> None:
    """Silent for long, and for most of the time another one had the core."""
    place = slot()
    assert place.heartbeat is not None
    place.taken(8, 100.0)
    place.heartbeat.take_over(8, 1)
    assert place.silence(100.0, 7.0) == 0.0
    assert place.silence(110.0, 16.0) == pytest.approx(1.0)
    assert place.sentence(110.0, PATIENCE, 16.0) == ""
    assert place.sentence(112.0, PATIENCE, 16.0) == "abort"
    place.heartbeat.beat(2)
    assert place.silence(113.0, 16.5) == 0.0


def test_a_hung_worker_is_seen_in_three_seconds_and_gone_two_later() -> None:
    """The last beat is seen up to a TICK late; the end of patience is looked at when it comes.
    Readers take the worker for hung by then."""
    assert PATIENCE.hung < WORKER_TIMEOUT_NS / 1e9 <= 2.5
    assert PATIENCE.hung + TICK + SOONEST <= 2.5
    assert PATIENCE.last_words + 2 * TICK < 2.0


def test_the_end_of_patience_is_known_beforehand() -> None:
    place = slot()
    assert place.heartbeat is not None
    place.taken(8, 100.0)
    assert place.patience_left(101.0, PATIENCE) == PATIENCE.boot - 1.0
    place.heartbeat.take_over(8, 1)
    assert place.patience_left(101.0, PATIENCE, 7.0) == PATIENCE.hung
    assert place.patience_left(103.5, PATIENCE, 8.5) == pytest.approx(PATIENCE.hung - 1.0)


def test_nobody_could_be_started() -> None:
    """Tried again soon, but not at once, and ever less often."""
    place = slot()
    waits = []
    for _ in range(8):
        waits.append(place.unborn(50.0, PATIENCE))
        assert place.due == 50.0 + waits[-1]
    assert 0.0 < waits[0] < waits[2]
    assert max(waits) < 1.9


def test_a_watcher_that_slept_blames_nobody() -> None:
    place = beaten()
    place.excuse(500.0, PATIENCE)
    assert place.sentence(500.0 + PATIENCE.awake / 2, PATIENCE) == ""
    assert place.heartbeat is not None
    place.heartbeat.beat(2)
    assert place.sentence(500.0 + PATIENCE.awake, PATIENCE) == ""


def test_a_worker_that_hung_while_its_watcher_slept_is_seen_soon() -> None:
    place = beaten()
    place.excuse(102.1, PATIENCE)
    assert place.sentence(102.0 + PATIENCE.awake, PATIENCE) == ""
    assert place.sentence(102.2 + PATIENCE.awake, PATIENCE) == "abort"


def test_a_short_sleep_of_the_watcher_makes_no_silence() -> None:
    place = beaten()
    place.excuse(100.5, PATIENCE)
    assert place.silence(100.5) == 0.5


def test_booting_is_given_more_time() -> None:
    place = slot()
    place.taken(8, 100.0)
    assert place.sentence(100.0 + PATIENCE.hung, PATIENCE) == ""
    assert place.sentence(100.0 + PATIENCE.boot, PATIENCE) == "abort"


def test_without_a_heartbeat_it_has_started_when_it_has_lived_a_while() -> None:
    place = Slot("simulator x", Stage.SIMULATOR, lambda: None)
    place.taken(8, 100.0)
    place.vacated(100.5, PATIENCE)
    assert not place.been_up
    place.taken(9, 101.0)
    place.vacated(101.0 + PATIENCE.settled, PATIENCE)
    assert place.been_up
