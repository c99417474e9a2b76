"""The source of a feed of datagrams: its lines, its re-request server, a fast loop of its own.

With a re-request server and `rebuild`, a successor requests the session from sequence 1, or from
where the newest image of its predecessor ends.
"""

from __future__ import annotations

import structlog

from ticker.config import parse_address
from ticker.config.pitch import PitchConfig
from ticker.feeds.images.keeper import Keeper
from ticker.feeds.session import DEADLINE_NEVER, SessionOptions
from ticker.feeds.transports.datagram_sockets import is_multicast
from ticker.feeds.transports.udp import UdpTransport
from ticker.feeds.workers.side_channels import open_channels
from ticker.feeds.workers.sources import SECOND, Life, Place, is_another, silence_ns
from ticker.feeds.workers.vigil import Findings
from ticker.shm.counters import Counters

log = structlog.get_logger()

WINDOW_SHARE = 256
"""Socket buffer for each message that is requested from the re-request server, in bytes."""
WINDOW_MOST = 16_384
MINUTE = 60 * SECOND


class DatagramSource:
    """A feed's sockets, and the session that orders their packets.

    Raises:
        FeedError: an address cannot be listened on, or the account of a proxy is missing.
    """

    joined = True
    keeper: Keeper | None = None

    def __init__(self, place: Place) -> None:
        config = place.config
        self.place = place
        self.silence_ns = silence_ns(config.heartbeat)
        self.counters = Counters(place.segment)
        self.drops_before = self.counters["socket_drops"]
        self.lost = self.counters["lost_messages"]
        whole_session = config.rebuild and config.rerequest is not None
        self.keeps_images = whole_session or place.places is not None
        self.rebuilds = whole_session or (self.keeps_images and place.image is not None)
        own = len(config.lines)
        self.transport = UdpTransport(
            [(host, port) for host, port, _ in place.plan.lines[:own]],
            interface=config.interface,
            rerequest=parse_address(config.rerequest) if config.rerequest else None,
            more=place.plan.lines[own:],
            sources=config.source,
        )
        self.foreign_seen = 0
        self.left_seen = self.tells_again = 0
        if not config.source and any(is_multicast(host) for host, _, _ in place.plan.lines):
            log.warning(
                "multicast is taken from any sender",
                feed=config.name,
                advice='name the senders of its lines in ticker.toml, like source = ["192.0.2.1"]',
            )
        self.findings = Findings()
        self.told: dict[str, object] = {"receive_buffer": self.transport.receive_buffer}
        self.pipeline = place.build(session_options=self._session_options())
        self.session = self.pipeline.session
        self.market = self.pipeline.market
        self.channels = open_channels(config, self.session)
        if self.channels is not None:
            self.transport.watch(self.channels.fileno())

    def _session_options(self) -> SessionOptions:
        config = self.place.config
        pitch = config.pitch or PitchConfig()
        return SessionOptions(
            join="start" if self.rebuilds and config.rerequest is not None else "live",
            resume=self.place.rebuild_from() if self.rebuilds else self.place.resume,
            rerequest=config.rerequest is not None,
            request_timeout_ns=int(config.request_timeout * SECOND),
            request_attempts=config.request_attempts,
            request_window=min(WINDOW_MOST, self.transport.receive_buffer // WINDOW_SHARE),
            quiet_ns=self.silence_ns,
            image_timeout_ns=int(pitch.spin_timeout * SECOND) if pitch.spin else 0,
            units=pitch.units,
            places=self.place.places,
        )

    @property
    def heard(self) -> int:
        """The last packet of the current stream, ns; 0: none yet."""
        self.counters.put("socket_drops", self.drops_before + self.transport.drops)
        foreign = self.transport.foreign
        self.counters.add("foreign_packets", foreign - self.foreign_seen)
        self.foreign_seen = foreign
        return self.session.last_packet_ns

    @property
    def recovering(self) -> bool:
        """Whether an answer of the re-request server is awaited."""
        return self.session.recovering

    def run(self, life: Life) -> None:
        """Receive and publish until it is time to stop."""
        while not life.stopping:
            now = life.clock()
            beats = life.turn(now)
            if beats:
                self._tell_of_the_server(now)
            deadline = self.session.next_deadline(now)
            # If the clock was set back, overdue requests are sent at every beat.
            if deadline <= now or (beats and deadline != DEADLINE_NEVER):
                (self.channels or self.transport).send(self.session.data_to_send(now))
                self.market.publish(now)
            if self.channels is not None and self.channels.turn(now):
                self.market.publish(now)
            if not self.market.publishing and self.session.has_caught_up(self.place.resume, now):
                lost = self.counters["lost_messages"] - self.lost
                self.market.set_publishing(
                    True,
                    whole=not lost and not self.session.skipped,
                    another=is_another(self.session, self.place.before),
                )
                self.market.publish(now)
            self.transport.run(self.session, self._next_look(now, life.next_beat))

    def _tell_of_the_server(self, now: int) -> None:
        """The log says when the re-request server is left alone, once a minute at most."""
        until = self.session.left_until
        if until <= now or until == self.left_seen or now < self.tells_again:
            return
        self.left_seen, self.tells_again = until, now + MINUTE
        flood = self.session.ignore_until == until
        config = self.place.config
        proxy = config.pitch.gap_proxy if config.pitch is not None else None
        server = config.pillar.request_server if config.pillar is not None else None
        log.warning(
            "gap proxy is left alone" if proxy else "re-request server is left alone",
            feed=config.name,
            address=proxy or server or config.rerequest,
            reason="it sends more than it is asked for" if flood else "it does not answer",
            seconds=round((until - now) / SECOND, 1),
            advice="look whether it runs and is reached; what it does not send is counted as lost",
        )

    def close(self) -> None:
        """Close the sockets."""
        if self.channels is not None:
            self.channels.close()
        self.transport.close()

    def _next_look(self, now: int, beat: int) -> int:
        """The time of the next look; during a rebuild it is soon."""
        if self.keeper is not None:
            beat = min(beat, self.keeper.turn(now))
        if self.channels is not None:
            beat = min(beat, self.channels.next_deadline(now))
        if self.market.publishing or not self.session.joined_at:
            return beat
        return min(beat, now + SECOND // 1000)
