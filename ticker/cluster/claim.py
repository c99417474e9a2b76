"""Who speaks of a feed on the bus: one box of those that have its lines.

Law: no I/O and no clock. An epoch is `term << 8 | rank`, so no two boxes claim the same one. A box
that hears a higher epoch than its own stops at once. A box that waits claims the next term when it
has heard no speaker for `silence` and 50 ms for each rank, and its own pings came back meanwhile: a
box that is itself cut off claims nothing.
"""

from __future__ import annotations

from enum import Enum

MS = 1_000_000
RANK_STEP = 50 * MS
"""ns that a box waits longer for each rank, so that two of them seldom claim at once."""
TERM_SHIFT = 8


class Turn(Enum):
    """The outcome of a look at the clock."""

    NOTHING = 0
    BEGIN = 1
    """Speak from now on, in `epoch`."""


class Claim:
    """One box and one feed.

    Args:
        rank: of this box, 1 to 255.
        silence_ns: after which the speaker counts as gone.
        now: a clock that only runs, ns.

    Attributes:
        epoch: the one that this box speaks in, or spoke in last; 0: never.
        speaks: whether it does now.
        highest: the highest epoch that was heard of.
        yields: how often it stopped because of another speaker.
    """

    def __init__(self, rank: int, silence_ns: int, boot: int, now: int) -> None:
        self.rank = rank
        self.boot = boot
        self.patience = silence_ns + rank * RANK_STEP
        self.silence = silence_ns
        self.epoch = 0
        self.speaks = False
        self.highest = 0
        self.yields = 0
        self._heard = now
        self._proved = 0

    def listen(self, now: int) -> None:
        """The bus is there again: whoever speaks is to be heard first."""
        self._heard = now
        self._proved = 0

    def told(self, epoch: int, now: int) -> bool:
        """Somebody has heard a speaker of this epoch once; whether this box has to stop because of
        it. It then claims a higher one, if that speaker is gone."""
        if epoch <= self.highest:
            return False
        self.highest, self._heard = epoch, now
        stops, self.speaks = self.speaks, False
        self.yields += stops
        return stops

    def heard(self, epoch: int, boot: int, now: int) -> bool:
        """A frame of a speaker; whether this box has to stop because of it."""
        if epoch == self.epoch and boot == self.boot:
            return False  # our own
        if epoch >= self.highest:
            self.highest, self._heard = epoch, now
        if not self.speaks or epoch < self.epoch:
            return False
        if epoch == self.epoch and boot < self.boot:
            return False  # two boxes of one rank: the other one stops
        self.speaks = False
        self.yields += 1
        return True

    def ponged(self, now: int) -> None:
        """A ping of ours came back."""
        self._proved = now

    def turn(self, now: int, *, fit: bool) -> Turn:
        """Look at the clock. `fit`: this box has the feed."""
        if self.speaks:
            return Turn.NOTHING
        if not fit or now - self._heard < self.patience or now - self._proved > self.silence:
            return Turn.NOTHING
        self.epoch = ((self.highest >> TERM_SHIFT) + 1) << TERM_SHIFT | self.rank
        self.highest = self.epoch
        self.speaks = True
        return Turn.BEGIN

    def stop(self, now: int) -> None:
        """This box has the feed no more: another one may speak."""
        self.speaks = False
        self._heard = now
