"""The limits and settings for the clients of one worker, of its configuration."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from ticker.config import Config
from ticker.gateway.pacing.settings import rates_of
from ticker.gateway.protocol.messages import Limits


@dataclass(frozen=True)
class Terms:
    """The limits and settings for the clients of one worker."""

    epoch: int
    heartbeat: float
    retry_after: float
    limits: Limits
    immediate: bool  # whether a client may be told each change as it comes


def epoch_of(config: Config, boot_id: int) -> int:
    """What `hello` names: this run of the server, or the cluster, in which `seq` and the times of
    prices go on when a client changes boxes."""
    if config.bus is None:
        return boot_id
    return int.from_bytes(hashlib.blake2b(config.bus.name.encode(), digest_size=6).digest())


def terms_of(whole: Config, boot_id: int) -> Terms:
    """The terms that a configuration gives."""
    config = whole.gateway
    limits = Limits(
        symbols=config.max_symbols,
        message=config.max_message,
        outbound=config.max_outbound,
        commands_per_second=config.commands_per_second,
        commands_burst=config.commands_burst,
        max_rate=round(rates_of(config).rate_of(0), 6),
        slow_timeout=config.slow_timeout,
    )
    epoch = epoch_of(whole, boot_id)
    return Terms(epoch, config.heartbeat, config.retry_after, limits, config.immediate)
