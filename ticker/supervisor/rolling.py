"""A rolling restart: each worker in turn gets a successor, and drains once that is up.

Law: no clock, no signal and no process in here. Each of the group's slots is occupied or vacant; a
successor starts in the vacant one and serves the same socket, so no client is refused meanwhile.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum

from ticker.supervisor.slot import Slot


class Step(Enum):
    """The next action of the arbiter, for the slot beside it."""

    START = "start a worker in it"
    RETIRE = "tell its worker to drain"
    KILL = "its worker does not end"
    ABANDON = "its worker did not come up"
    DONE = "all are replaced"


class Rolling:
    """Replaces the workers of `slots`. One slot is vacant. Times are monotonic seconds.

    Args:
        boot: seconds that a successor may take to come up.
        drain: gives the seconds that a predecessor may take to drain.
    """

    def __init__(self, slots: list[Slot], *, boot: float, drain: Callable[[], float]) -> None:
        self.slots = slots
        self.boot, self.drain = boot, drain
        self.waiting: deque[Slot] = deque()
        self.successor: Slot | None = None
        self.retiring: Slot | None = None
        self._deadline = 0.0

    @property
    def active(self) -> bool:
        return bool(self.waiting or self.successor or self.retiring)

    def begin(self) -> bool:
        """Begin to replace all present workers; False if a restart is already under way."""
        if self.active:
            return False
        self.waiting.extend(slot for slot in self.slots if not slot.vacant)
        return bool(self.waiting)

    def step(self, now: float) -> tuple[Step, Slot] | None:
        """The next step that is due; call it again until there is none."""
        if self.retiring is not None:
            return self._drained(self.retiring, now)
        if self.successor is not None:
            return self._come_up(self.successor, now)
        if not self.waiting:
            return None
        slot = next(each for each in self.slots if each.vacant and not each.pid)
        slot.occupy(self.waiting[0].position)
        self.successor, self._deadline = slot, now + self.boot
        return Step.START, slot

    def is_trial(self, slot: Slot) -> bool:
        """Whether the slot has a successor that is not up yet: its death hurts no client."""
        return slot is self.successor

    def is_retiring(self, slot: Slot) -> bool:
        """Whether the slot's worker was told to drain, so that its end is expected."""
        return slot is self.retiring

    def _come_up(self, slot: Slot, now: float) -> tuple[Step, Slot] | None:
        if slot.up():
            self.successor, self.retiring = None, self.waiting.popleft()
            self._deadline = now + self.drain()
            return Step.RETIRE, self.retiring
        if slot.vacant or now >= self._deadline:
            self.successor = None
            self.waiting.clear()
            return Step.ABANDON, slot
        return None

    def _drained(self, slot: Slot, now: float) -> tuple[Step, Slot] | None:
        if slot.vacant:
            self.retiring = None
            return None if self.waiting else (Step.DONE, slot)
        if now >= self._deadline:
            self._deadline = now + 1.0
            return Step.KILL, slot
        return None
