"""The topic of prices in Kafka, for other programs: what a relay writes beside its frames.

Only the box that speaks of a feed writes. Its epoch is in each message, so that readers can leave
out those of a box that did not know yet that another one speaks.
"""

from __future__ import annotations

from typing import Any

import structlog

from ticker.cluster.frame import identity
from ticker.cluster.topic import PriceTopic
from ticker.config import ClusterConfig
from ticker.shm.header import Mapping

log = structlog.get_logger()


class Pricing:
    """Of one feed.

    Args:
        bus: a KafkaBus.
        life: names this life of the relay (frame.pyx: life_of).
    """

    def __init__(
        self, bus: Any, config: ClusterConfig, feed: str, mapping: Mapping, life: int
    ) -> None:
        self.bus, self.feed = bus, feed
        self.topic = PriceTopic(
            mapping,
            feed,
            identity(config.name, feed),
            config.shards,
            int(config.row_interval * 1e9),
            frames=config.kafka.prices == "frame",
            boot=life,
        )
        self._untold = 0

    def turn(self, epoch: int, now: int, *, ages: bool) -> None:
        """Tell what is due. `epoch`: in which this box speaks; 0: another one does. `ages`: a
        second has passed since the last time."""
        self.topic.gather()
        if ages:
            self.topic.look()
            self._look_at_losses()
        if not epoch:
            self.topic.rest(ages)
            return
        if epoch != self.topic.epoch:
            self.topic.begin(epoch)
        if self.bus.ready:
            self.bus.tell(self.topic.due(now))

    def _look_at_losses(self) -> None:
        if self.bus.untold != self._untold:
            lost, self._untold = self.bus.untold - self._untold, self.bus.untold
            log.error(
                "the topic of prices has a hole: brokers did not take all messages in time",
                feed=self.feed, messages=lost, lost=self._untold, reason=self.bus.said.last,
            )  # fmt: skip


def pricing_of(
    bus: Any, config: ClusterConfig, feed: str, mapping: Mapping, life: int
) -> Pricing | None:
    """The topic of prices of a feed; None: nobody wants it."""
    if config.bus != "kafka" or config.kafka.prices == "none":
        return None
    return Pricing(bus, config, feed, mapping, life)
