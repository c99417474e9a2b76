"""The source of a SoupBinTCP feed: one TCP connection at a time, one session.

The session has the rules (sessions/soupbintcp.pyx). This module connects and publishes.

A successor with `rebuild` requests the session from message 1, or from where the newest image of
its predecessor ends, and publishes nothing before it has caught up with its predecessor. Otherwise
it takes the rows as they are, and goes on at the next message.
"""

from __future__ import annotations

import asyncio

from ticker.config import SoupBinTcpConfig
from ticker.feeds.images.keeper import Keeper
from ticker.feeds.sessions.soupbintcp import Phase, SoupBinTcp, SoupOptions
from ticker.feeds.workers import loop
from ticker.feeds.workers.connection import SessionConnection, stay_connected
from ticker.feeds.workers.credentials import read_password
from ticker.feeds.workers.sources import SECOND, Life, Place, is_another
from ticker.feeds.workers.vigil import Findings


class SoupSource:
    """A feed's connection, and the session on it.

    Raises:
        FeedError: no such protocol, or a credential that is missing or too long.
    """

    recovering = False
    keeper: Keeper | None = None

    def __init__(self, place: Place) -> None:
        config = place.config
        soup = config.soupbintcp or SoupBinTcpConfig()
        self.place = place
        self.rebuilds = self.keeps_images = config.rebuild
        # After this silence the session itself closes the connection.
        self.silence_ns = int(soup.silence * SECOND)
        self.findings = Findings()
        self.told: dict[str, object] = {}
        self.pipeline = place.build(session_options=session_options(place, soup))
        session = self.pipeline.session
        assert isinstance(session, SoupBinTcp)
        self.session = session
        self.market = self.pipeline.market

    @property
    def heard(self) -> int:
        """The time of the last message, ns; 0: none yet."""
        return self.session.last_packet_ns

    @property
    def joined(self) -> bool:
        """Logged in."""
        return self.session.phase is Phase.LOGGED_IN

    def run(self, life: Life) -> None:
        """Receive and publish until it is time to stop; then log out."""
        loop.run(self.work, life)

    async def work(self, stop: asyncio.Event) -> None:
        """Stay logged in until `stop`."""
        images = asyncio.ensure_future(self._make_images())
        try:
            await stay_connected(
                [(host, port) for host, port, _ in self.place.plan.lines],
                lambda: SessionConnection(
                    self.session, self.place.clock, "soupbintcp", received=self.publish
                ),
                stop,
                progress=lambda: self.session.next_expected_sequence,
            )
        finally:
            images.cancel()

    async def _make_images(self) -> None:
        """Between two chunks, where all is published."""
        while self.keeper is not None:
            now = self.place.clock()
            await asyncio.sleep(min(self.keeper.turn(now) - now, SECOND) / SECOND)

    def publish(self, now: int) -> None:
        """Publish the received messages, unless the feed is still catching up."""
        if not self.market.publishing and self.session.caught_up:
            self.market.set_publishing(True, another=is_another(self.session, self.place.before))
        self.market.publish(now)
        if self.market.publishing:
            self.session.save()

    def close(self) -> None:
        """Does nothing: the loop has closed everything."""


def session_options(place: Place, soup: SoupBinTcpConfig) -> SoupOptions:
    """The session's options from the configuration. Raises ConfigError."""
    config, resume = place.config, place.resume
    password = ""
    if soup.password_env is not None:
        password = read_password("soupbintcp", soup.password_env)
    return SoupOptions(
        username=soup.username,
        password=password,
        session=soup.session,
        join="start" if config.rebuild else "live",
        resume=place.rebuild_from() if config.rebuild else resume,
        reached=resume if config.rebuild else None,
        heartbeat_ns=int(config.heartbeat * SECOND),
        silence_ns=int(soup.silence * SECOND),
    )
