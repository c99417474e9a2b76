"""The process entry of a feed worker: one feed, one segment, one core.

`run` is called by the supervisor in a forked child and returns when the feed was told to stop.

A worker that finds rows in its segment is the successor of one that died. With a re-request
server and `rebuild` it asks for the session from 1, computes everything again and shows nothing
before it has caught up with its predecessor and with the lines; otherwise it goes on with the
rows as they are and asks for what it missed. Either way nothing that readers see goes back.
"""

from __future__ import annotations

import signal

import structlog

from ticker.clock import Clock, now_ns
from ticker.config import FeedConfig, parse_address
from ticker.config.pillar import PillarConfig
from ticker.config.pitch import PitchConfig
from ticker.feeds.day import midnight_ns, session_day
from ticker.feeds.session import DEADLINE_NEVER, SessionOptions
from ticker.feeds.transports.udp import UdpTransport
from ticker.feeds.workers.cboe_channels import open_channels
from ticker.feeds.workers.presence import (
    BEAT,
    FeedContext,
    Presence,
    build_feed,
    ringer_of,
    silence_ns,
)
from ticker.shm import counters
from ticker.shm.counters import Counters

log = structlog.get_logger()

SECOND = 1_000_000_000
RETRANSMISSION = 2
CHANNEL_SHIFT = 8  # as in session.pxd
"""A Line (session.pxd)."""
WINDOW_SHARE = 256
"""Bytes of socket buffer for each message on its way from the re-request server."""
WINDOW_MOST = 16_384


def run(config: FeedConfig, context: FeedContext) -> None:
    """Serve a feed until SIGTERM or SIGINT; one with a `url` is stream.py's, one with a
    FIX session fix.py's, with SoupBinTCP soup.py's.

    Raises:
        SegmentError: the segment is not there or not the expected one.
        FeedError: an address cannot be listened on, or no such protocol or session.
    """
    if config.url is not None:
        from ticker.feeds.workers import stream as stream_worker

        stream_worker.run(config, context)
        return
    if config.fix is not None:
        from ticker.feeds.workers import fix as fix_worker

        fix_worker.run(config, context)
        return
    if config.session == "soupbintcp":
        from ticker.feeds.workers import soup as soup_worker

        soup_worker.run(config, context)
        return
    worker = FeedWorker(config, context)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    try:
        worker.loop()
    finally:
        worker.close()


class FeedWorker:
    """A feed's sockets, its pipeline and its signs of life."""

    def __init__(self, config: FeedConfig, context: FeedContext, clock: Clock = now_ns) -> None:
        self.config = config
        self.clock = clock
        self.stopping = False
        self.presence = Presence(config, context, clock)
        self.heartbeat = self.presence.heartbeat
        self.resume = self.presence.resume
        self.silence_ns = silence_ns(config.heartbeat)
        self.beat_ns = min(BEAT, int(config.heartbeat * SECOND / 4))
        self.presence.set_patience(config, self.silence_ns)
        self.counters = Counters(self.presence.segment)
        self.drops_before = self.counters["socket_drops"]
        self.lost = self.counters["lost_messages"]
        self.transport = UdpTransport(
            [parse_address(line) for line in config.lines],
            interface=config.interface,
            rerequest=parse_address(config.rerequest) if config.rerequest else None,
            more=further_lines(config),
        )
        self.rebuilds = config.rebuild and config.rerequest is not None
        self.day = session_day(clock(), config.timezone)
        self.pipeline = build_feed(
            config,
            self.presence.segment,
            config.session,
            self.day,
            ringer=ringer_of(context),
            session_options=self._session_options(),
        )
        self.session = self.pipeline.session
        self.market = self.pipeline.market
        self.channels = open_channels(config, self.session)
        if self.channels is not None:
            self.transport.watch(self.channels.fileno())
        self.rows_adopted = self.market.adopt_rows(rebuild=self.rebuilds)
        self.market.set_publishing(not self.rebuilds)

    def _session_options(self) -> SessionOptions:
        config = self.config
        pitch = config.pitch or PitchConfig()
        return SessionOptions(
            join="start" if self.rebuilds else "live",
            resume=None if self.rebuilds else self.resume,
            rerequest=config.rerequest is not None,
            request_timeout_ns=int(config.request_timeout * SECOND),
            request_attempts=config.request_attempts,
            request_window=min(WINDOW_MOST, self.transport.receive_buffer // WINDOW_SHARE),
            quiet_ns=self.silence_ns,
            image_timeout_ns=int(pitch.spin_timeout * SECOND) if pitch.spin else 0,
            units=pitch.units,
        )

    def loop(self) -> None:
        """Receive and publish until `stop`."""
        self.presence.started(
            self.rows_adopted,
            rebuild=self.rebuilds,
            receive_buffer=self.transport.receive_buffer,
        )
        beat = 0
        while not self.stopping:
            now = self.clock()
            # A clock that was set back is noticed too, here and by `run`.
            beats = not beat - self.beat_ns <= now < beat
            if beats:
                beat = now + self.beat_ns
                self._beat(now)
            deadline = self.session.next_deadline(now)
            if deadline <= now or (beats and deadline != DEADLINE_NEVER):
                (self.channels or self.transport).send(self.session.data_to_send(now))
                self.market.publish(now)
            if self.channels is not None and self.channels.turn(now):
                self.market.publish(now)
            if not self.market.publishing and self._caught_up():
                self.market.set_publishing(True, whole=self.counters["lost_messages"] == self.lost)
                self.market.publish(now)
            self.transport.run(self.session, self._next_look(now, beat))
        self.market.publish(self.clock())

    def stop(self) -> None:
        """Leave `loop` soon. May be called by a signal handler."""
        self.stopping = True

    def close(self) -> None:
        """Give the sockets back, and let readers know that nobody feeds this feed now."""
        if self.channels is not None:
            self.channels.close()
        self.transport.close()
        self.presence.stopped()

    def _next_look(self, now: int, beat: int) -> int:
        """While a rebuild is under way, look often whether it is done."""
        if self.channels is not None:
            beat = min(beat, self.channels.next_deadline(now))
        if self.market.publishing or not self.session.joined_at:
            return beat
        return min(beat, now + SECOND // 1000)

    def _caught_up(self) -> bool:
        """A rebuild has reached all that was shown before, and what the lines brought first."""
        session = self.session
        target = session.joined_at
        if self.resume and self.resume[0] == session.session_id:
            target = max(target, self.resume[1])
        return 0 < target <= session.next_expected_sequence

    def _beat(self, now: int) -> None:
        self.heartbeat.beat(now)
        self.heartbeat.heard(self.session.last_packet_ns)
        self.counters.put("socket_drops", self.drops_before + self.transport.drops)
        state = self._state(now)
        self.presence.show(state)
        if state != counters.LIVE:
            self._follow_the_calendar(now)

    def _state(self, now: int) -> int:
        """A FeedLiveness (layout.pxd)."""
        session = self.session
        if session.ended:
            return counters.ENDED
        if not session.last_packet_ns:
            return counters.STARTING
        if now - session.last_packet_ns > self.silence_ns:
            return counters.STALE
        if session.recovering or not self.market.publishing:
            return counters.RECOVERING
        return counters.LIVE

    def _follow_the_calendar(self, now: int) -> None:
        """A session that begins on another day counts its times from that day's midnight; one
        that goes on past midnight does not change, hence only while nothing comes."""
        day = session_day(now, self.config.timezone)
        if day != self.day and self.config.date == "today":
            self.day = day
            self.pipeline.protocol.midnight_ns = midnight_ns(day, self.config.timezone)


def further_lines(config: FeedConfig) -> list[tuple[str, int, int]]:
    """(address, port, line) of what a feed hears beside `lines`: other units, gap lines, and
    other channels, whose line has the channel above CHANNEL_SHIFT."""
    pitch = config.pitch or PitchConfig()
    pillar = config.pillar or PillarConfig()
    found = [(parse_address(a), line) for each in pitch.more_lines for line, a in enumerate(each)]
    found += [(parse_address(address), RETRANSMISSION) for address in pitch.gap_lines]
    for channel, lines in enumerate(pillar.more_lines, 1):
        found += [
            (parse_address(a), line | channel << CHANNEL_SHIFT) for line, a in enumerate(lines)
        ]
    return [(*address, line) for address, line in found]
