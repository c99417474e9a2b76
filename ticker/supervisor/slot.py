"""A slot for one worker: its process, the time of the next start, and whether it is alive.

Law: no clock and no processes in here; times are monotonic seconds and are passed in.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from ticker.shm.counters import Heartbeat


class Stage(IntEnum):
    """The order in which a server drains: gateways first, so that clients are told; the store after
    the feeds, so that it has their last prices; the exchange last."""

    GATEWAY = 0
    FEED = 1
    STORE = 2
    SIMULATOR = 3


@dataclass(frozen=True)
class Patience:
    """The supervisor's waiting times, in seconds."""

    first_restart: float = 0.0
    backoff: float = 0.25  # before the second restart in a row; doubles with each
    backoff_limit: float = 15.0
    backoff_limit_up: float = (
        1.2  # the longest, for a worker that had come up: it is always replaced within 2 s
    )
    stable: float = 10.0  # a worker that lived so long starts the doubling anew
    boot: float = 60.0  # until the first heartbeat
    settled: float = 3.0  # a worker without a heartbeat counts as started after so long
    hung: float = 2.2  # without a heartbeat, not counting the time that it waited for a core
    awake: float = 1.0  # for a heartbeat, after the watcher itself has slept
    last_words: float = 1.0  # between SIGABRT, which prints the stack, and SIGKILL
    drain: tuple[float, float, float, float] = (15.0, 5.0, 5.0, 2.0)  # by stage


@dataclass
class Slot:
    """Where one worker runs, is watched and is replaced.

    Attributes:
        name: as the log calls it: "gateway 0".
        run: what the child does.
        heartbeat: its sign of life in shared memory; None where there is none to watch.
        position: which of the listening sockets its worker serves.
        vital: prices are not served without it, so a failure at the first start ends the server.
        vacant: no worker is in it, and none is to be started.
        ended: called once when its last worker has ended; set when the slot is to go.
        renewing: its worker was told to end, so that another one takes its place at once.
        pid: 0 while no worker is in it.
        due: when to start the next one.
    """

    name: str
    stage: Stage
    run: Callable[[], None]
    heartbeat: Heartbeat | None = None
    position: int = 0
    vital: bool = True
    vacant: bool = False
    ended: Callable[[], None] | None = None
    renewing: bool = False
    told: float = 0.0
    pid: int = 0
    due: float = 0.0
    deaths: int = 0
    started: float = 0.0
    been_up: bool = False
    _beat: int = 0
    _beat_seen: float = 0.0
    _waited: float = 0.0
    _abort_sent: float = 0.0

    def occupy(self, position: int) -> None:
        """From now on a worker is to run in this slot, in place of another slot's."""
        self.vacant, self.position = False, position
        self.due, self.deaths, self.been_up = 0.0, 0, False

    def leave(self) -> None:
        """Start no further worker in this slot."""
        self.vacant, self.pid = True, 0

    def renewed(self) -> None:
        """The worker that was told to end has ended: its successor is due now."""
        self.pid, self.renewing = 0, False
        self.occupy(self.position)

    def overdue(self, now: float, patience: Patience) -> bool:
        """Whether its worker was told to end, and has had its time to."""
        leaving = self.renewing or self.ended is not None
        return leaving and self.pid != 0 and now - self.told >= patience.drain[self.stage]

    def taken(self, pid: int, now: float) -> None:
        """Note that a new worker has started."""
        self.pid, self.started = pid, now
        self._beat_seen, self._waited, self._abort_sent = now, 0.0, 0.0

    def vacated(self, now: float, patience: Patience) -> float:
        """Note that the worker is dead; returns the seconds until the next start."""
        came_up = self.up()  # perhaps between two looks
        lived = now - self.started
        self.been_up = self.been_up or (self.heartbeat is None and lived >= patience.settled)
        self.pid = 0
        if lived >= patience.stable:
            self.deaths = 0
        limit = patience.backoff_limit_up if came_up else patience.backoff_limit
        return self._again(now, patience, limit)

    def unborn(self, now: float, patience: Patience) -> float:
        """Note that no worker could be started; returns the seconds until the next try."""
        self.deaths = max(self.deaths, 1)  # at once would be too soon
        return self._again(now, patience, patience.backoff_limit_up)

    def _again(self, now: float, patience: Patience, limit: float) -> float:
        self.deaths += 1
        delay = patience.first_restart
        if self.deaths > 1:
            delay = min(patience.backoff * 2 ** min(self.deaths - 2, 16), limit)
            delay *= random.uniform(0.75, 1.25)
        self.due = now + delay
        return delay

    def up(self) -> bool:
        """Whether the present worker has given its first sign of life."""
        if self.heartbeat is None:
            return bool(self.pid)
        shown = bool(self.pid) and self.heartbeat.pid == self.pid
        self.been_up = self.been_up or shown
        return shown

    def excuse(self, now: float, patience: Patience) -> None:
        """The watcher itself slept, so a silence until now proves nothing: the worker has
        `patience.awake` s to beat, however long it was silent."""
        longest = patience.hung if self.up() else patience.boot
        self._beat_seen = max(self._beat_seen, now - longest + patience.awake)

    def silence(self, now: float, waited: float = 0.0) -> float:
        """Seconds since the heartbeat was last seen to move, without those in which the worker
        waited for a core. `waited` is the sum of its waits so far.

        The beat is a wall-clock time, but only its changes count: a clock that is set must
        not kill a worker.
        """
        if self.heartbeat is None:
            return 0.0
        beat = self.heartbeat.time_ns
        if beat != self._beat:
            self._beat, self._beat_seen, self._waited = beat, now, waited
        return now - self._beat_seen - max(0.0, waited - self._waited)

    def patience_left(self, now: float, patience: Patience, waited: float = 0.0) -> float:
        """Seconds until its silence is too long, if it goes on; `waited` as above."""
        return (patience.hung if self.up() else patience.boot) - self.silence(now, waited)

    def sentence(self, now: float, patience: Patience, waited: float = 0.0) -> str:
        """The action against its silence: "" (none), "abort", or "kill"; `waited` as above."""
        if not self.pid or self.patience_left(now, patience, waited) > 0.0:
            return ""
        if not self._abort_sent:
            self._abort_sent = now
            return "abort"
        return "kill" if now - self._abort_sent >= patience.last_words else ""
