"""Makes images of a feed every few seconds, a slice at a time between its packets.

A successor goes on from the newest one (image.pyx), and asks for the messages since then only.
"""

from __future__ import annotations

import structlog

from ticker.feeds.images.files import ImageFiles
from ticker.feeds.images.imager import CHUNK_BYTES, Imager
from ticker.feeds.market.market import Market
from ticker.feeds.protocol import Protocol
from ticker.feeds.session import Session

log = structlog.get_logger()

SECOND = 1_000_000_000
PAUSE = SECOND // 1000
"""ns between two slices of an image."""
AGAIN = SECOND // 20
"""ns until an image is tried again that could not be begun, or was given up; twice as long after
each that was given up, up to the interval."""
NO_ROOM = 60 * SECOND
"""ns until an image is tried again whose file could not be written."""
MANY = 16
"""Images in a row that are given up, after which the log says it."""
FEWEST = 50_000
"""Messages since the last image that are worth one: fewer are asked for in a moment."""
FEWEST_PACKETS = 2
"""The same where a session counts packets, as several streams have no one number: each request
brings few messages there."""


class Keeper:
    """Makes the images of one feed.

    Args:
        interval_ns: between two images.
        fewest: messages since the last one, at least.
    """

    def __init__(
        self,
        imager: Imager,
        session: Session,
        files: ImageFiles,
        interval_ns: int,
        fewest: int,
    ) -> None:
        self.imager = imager
        self.session = session
        self.files = files
        self.interval_ns = interval_ns
        self.fewest = fewest
        self._of = b""
        self._next = 0
        self._given_up = 0
        self._beginnings = 0
        self._chunk = bytearray(CHUNK_BYTES)
        self._view = memoryview(self._chunk)

    def turn(self, now: int) -> int:
        """Make a slice if it is time; returns when the next one is due, ns. Nothing may wait to be
        published. A clock that was set back is noticed."""
        if now < self._next <= now + max(self.interval_ns, NO_ROOM):
            return self._next
        try:
            self._next = now + self._slice(now)
        except OSError as error:
            self.imager.give_up()
            self.files.remove()
            self._next = now + NO_ROOM
            log.warning(
                "image of the feed could not be written",
                feed=self.files.feed,
                reason=error.strerror,
                advice="give /dev/shm room, or set image_interval = 0; a worker that is killed "
                "asks for the whole session again then",
            )
        return self._next

    def _slice(self, now: int) -> int:
        """Makes one; returns the time until the next."""
        if not self.imager.making and not self._begin(now):
            return AGAIN
        used = self.imager.more(self._chunk)
        if used >= 0 and self.session.beginnings != self._beginnings:
            self.imager.give_up()
            used = -1
        if used < 0:
            self.files.abandon()
            self._given_up += 1
            if self._given_up == MANY:
                log.warning("no image of the feed becomes whole", feed=self.files.feed, tries=MANY)
            return min(AGAIN << min(self._given_up, 16), self.interval_ns)
        self.files.write(self._view[:used])
        if self.imager.making:
            return PAUSE
        self._given_up = 0
        self.files.finish(self.imager.finish(self.files.boot_id, self.files.fingerprint))
        return self.interval_ns

    def _begin(self, now: int) -> bool:
        session = self.session.session_id
        behind = self.session.next_expected_sequence - self.imager.sequence
        if session == self._of and 0 <= behind < self.fewest:
            return False
        if session != self._of and self.session.next_expected_sequence < self.fewest:
            return False
        if not self.imager.begin(now):
            return False
        self._of = session
        self._beginnings = self.session.beginnings
        self.files.begin()
        return True


def keeper_of(
    market: Market, session: Session, protocol: Protocol, files: ImageFiles, interval: float
) -> Keeper | None:
    """The keeper of a feed's images, an image every `interval` s; None: none are made (interval 0,
    or a decoder that has none)."""
    if not interval or not protocol.has_images:
        return None
    imager = Imager(market, session, protocol)
    fewest = FEWEST if session.counts_messages else FEWEST_PACKETS
    return Keeper(imager, session, files, int(interval * SECOND), fewest)
