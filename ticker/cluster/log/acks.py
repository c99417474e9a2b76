"""Whether the log has taken all frames: the numbers that it gives, against the frames sent.

Law: no I/O and no clock. The log acknowledges one frame of many. Its numbers grow by one with each
frame, so between two acknowledgements they grow by as much as was sent. If they grow by less,
frames are missing. Another box may have written between, and hide that many; readers of the log
check the frames' own numbers.
"""

from __future__ import annotations


class AckCount:
    """Of one feed.

    Attributes:
        sent: frames that were published.
        stored: the newest number in the log.
        lost: frames that are not in the log.
    """

    def __init__(self) -> None:
        self.sent = 0
        self.stored = 0
        self.lost = 0
        self._ahead: int | None = None

    def acked(self, sent: int, stored: int) -> int:
        """The frame that was number `sent` has this number in the log; how many were found lost."""
        before, self._ahead = self._ahead, stored - sent
        begun_anew = stored <= self.stored
        self.stored = stored
        if before is None or begun_anew or self._ahead >= before:
            return 0
        lost = before - self._ahead
        self.lost += lost
        return lost
