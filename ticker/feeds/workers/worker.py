"""The process of a feed: one feed, one segment, one core.

The supervisor calls `run` in a forked child; it returns when the feed was told to stop. Feeds
differ in their sources, which sources.py chooses. Signs of life, state, calendar and stop are the
same for all feeds, and are here.

A worker that finds rows in its segment is the successor of a dead one. If its source can request
the session again (`rebuild`), it processes everything, from the start or from the newest image of
its predecessor's state (feeds/images), and publishes nothing before it has caught up with it.
Otherwise it goes on with the rows as they are. In both cases readers never see a value go back.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from datetime import date

from ticker.clock import Clock, now_ns, steady_ns
from ticker.config import FeedConfig, session_date
from ticker.config.calendar import calendar_of
from ticker.feeds.day import midnight_ns, session_day
from ticker.feeds.images.files import ImageFiles
from ticker.feeds.images.image import Image
from ticker.feeds.images.keeper import keeper_of
from ticker.feeds.images.places import Places
from ticker.feeds.sequence.channels import beginnings_of
from ticker.feeds.tracing.tracing import Tracing
from ticker.feeds.workers.datagrams import DatagramSource
from ticker.feeds.workers.fix import FixSource
from ticker.feeds.workers.pipeline import follow_tape
from ticker.feeds.workers.presence import BEAT, SECOND, Context, FeedContext, Presence
from ticker.feeds.workers.soup import SoupSource
from ticker.feeds.workers.sources import Kind, Place, Source, has_places, plan_of
from ticker.feeds.workers.stream import StreamSource
from ticker.feeds.workers.vigil import Vigil
from ticker.shm import counters
from ticker.shm.counters import Counters
from ticker.shm.table import PriceTable
from ticker.shm.timetable import hours_by_timetable

__all__ = ["FeedContext", "FeedWorker", "open_source", "run"]


def run(config: FeedConfig, context: FeedContext) -> None:
    """Serve a feed until SIGTERM or SIGINT.

    Raises:
        SegmentError: the segment is not there or not the expected one.
        FeedError, ConfigError: an address cannot be listened on, no such protocol, session or
            mapping, or a credential is missing.
    """
    worker = FeedWorker(config, context)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    try:
        worker.loop()
    except Exception:
        worker.close()
        worker.presence.not_started()
        raise
    worker.close()


def open_source(place: Place) -> Source:
    """The source of a feed's plan. Raises FeedError, ConfigError."""
    kind = place.plan.kind
    if kind is Kind.DATAGRAMS:
        return DatagramSource(place)
    if kind is Kind.SOUP:
        return SoupSource(place)
    return FixSource(place) if kind is Kind.FIX else StreamSource(place)


def newest_image(
    files: ImageFiles | None,
    config: FeedConfig,
    presence: Presence,
    day: date,
    places: Places | None = None,
) -> Image | None:
    """The image that a rebuild can go on from, None: it begins at the session's start, or there is
    no rebuild."""
    if has_places(config) and places is None:
        return None
    if files is None or not (config.rebuild and config.image_interval and presence.resume):
        return None
    session, sequence = presence.resume
    midnight = midnight_ns(session_date(config, day), config.timezone)
    image = files.newest(session, sequence, midnight, len(PriceTable(presence.segment)))
    if image is None or places is None:
        return image
    return image if beginnings_of(image.session_state) == places.beginnings else None


class FeedWorker:
    """A feed's source in its segment, with its signs of life. It is its source's `Life`.

    Args:
        steady: the monotonic clock, for waits and ages.
        watch: called with the time at every beat.

    Attributes:
        stopping: whether `loop` has to end.
        next_beat: the time at which `turn` must be called, ns.
    """

    def __init__(
        self,
        config: FeedConfig,
        context: Context,
        clock: Clock = now_ns,
        *,
        steady: Clock = steady_ns,
        watch: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.config = config
        self.clock = clock
        self.steady = steady
        self.watch = watch
        self.stopping = False
        self.next_beat = 0
        self.beat_ns = min(BEAT, int(config.heartbeat * SECOND / 4))
        self.presence = Presence(config, context.attach(), clock)
        ringer = context.ringer()
        files = context.images(config)
        day = session_day(clock(), config.timezone)
        places = files.open_places() if files is not None and has_places(config) else None
        image = newest_image(files, config, self.presence, day, places)
        if places is not None and image is None:
            places.begin()
        try:
            self.source = open_source(
                Place(
                    config,
                    plan_of(config),
                    self.presence.segment,
                    day,
                    clock,
                    ringer,
                    self.presence.resume,
                    self.presence.before,
                    image,
                    None if places is None else places.words,
                    steady,
                )
            )
        except Exception:
            self.presence.not_started()
            raise
        self.pipeline = self.source.pipeline
        self.session = self.pipeline.session
        self.market = self.pipeline.market
        self.session.ledger.watch(ringer)
        self.session.ledger.take_over(clock(), again=image is not None)
        self.counters = Counters(self.presence.segment)
        self.tracing = Tracing(
            context.instance,
            config.name,
            self.presence.segment,
            self.pipeline.protocol,
            self.session,
        )
        self.vigil = Vigil(config.name, self.source, self.counters, steady())
        if calendar := calendar_of(config):
            hours = hours_by_timetable(config.name, context.timetable)
            follow_tape(self.pipeline, calendar, hours)
        self.rows_adopted = self.market.adopt_rows(rebuild=self.source.rebuilds)
        self.market.set_publishing(not self.source.rebuilds)
        if image is not None:
            self._go_on_from(image)
        if files is not None and self.source.keeps_images:
            self.source.keeper = keeper_of(
                self.market, self.session, self.pipeline.protocol, files, config.image_interval
            )
        self.presence.set_patience(config, self.source.silence_ns)

    def _go_on_from(self, image: Image) -> None:
        """The state of the predecessor's image is the market's."""
        started = self.steady()
        image.restore(self.market)
        self.pipeline.protocol.restore_image(image.protocol_state)
        self.session.restore_image(image.session_state)
        self.source.told |= {
            "image_of": image.sequence,
            "image_age_s": round((self.clock() - image.made_ns) / SECOND, 1),
            "restored_in_s": round((self.steady() - started) / SECOND, 3),
        }

    def loop(self) -> None:
        """Receive and publish until `stop`. Raises FeedError, ConfigError."""
        self.presence.started(self.rows_adopted, rebuild=self.source.rebuilds, **self.source.told)
        self.source.run(self)
        self.market.publish(self.clock())

    def stop(self) -> None:
        """Leave `loop` soon. May be called by a signal handler."""
        self.stopping = True

    def close(self) -> None:
        """Release everything, and let readers know that the feed has no worker now."""
        self.source.close()
        self.tracing.close()
        self.presence.stopped()

    def turn(self, now: int) -> bool:
        """Beat if it is time; returns whether it was. A clock that was set back is noticed, too."""
        if self.next_beat - self.beat_ns <= now < self.next_beat:
            return False
        self.next_beat = now + self.beat_ns
        self._beat(now)
        self.watch(now)
        return True

    def _beat(self, now: int) -> None:
        steady = self.steady()
        why = self.vigil.look(now, steady, settled=self.market.publishing)
        self.presence.heartbeat.beat(now)
        self.presence.heartbeat.heard(self.source.heard)
        self.presence.show(self._state(), why)
        self.vigil.tell(steady)
        self.market.pass_time(now)
        self.session.ledger.settle(now)
        self.tracing.look(now)

    def _state(self) -> int:
        """A FeedLiveness (layout.pxd)."""
        source = self.source
        if self.session.ended:
            return counters.ENDED
        if self.vigil.patient or (not source.heard and not self.vigil.why):
            never = self.presence.state == counters.STARTING
            return counters.STARTING if never else counters.STALE
        if self.vigil.why:
            return counters.STALE
        if source.recovering or not self.market.publishing:
            return counters.RECOVERING
        return counters.LIVE
