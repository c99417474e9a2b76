"""The limits and settings for the clients of one worker, of its configuration."""

from __future__ import annotations

from dataclasses import dataclass

from ticker.config import GatewayConfig
from ticker.gateway.pacing.settings import rates_of
from ticker.gateway.protocol.messages import Limits


@dataclass(frozen=True)
class Terms:
    """The limits and settings for the clients of one worker."""

    epoch: int
    heartbeat: float
    retry_after: float
    limits: Limits


def terms_of(config: GatewayConfig, epoch: int) -> Terms:
    """The terms that a configuration gives."""
    limits = Limits(
        symbols=config.max_symbols,
        message=config.max_message,
        outbound=config.max_outbound,
        commands_per_second=config.commands_per_second,
        commands_burst=config.commands_burst,
        max_rate=round(rates_of(config).rate_of(0), 6),
        slow_timeout=config.slow_timeout,
    )
    return Terms(epoch, config.heartbeat, config.retry_after, limits)
