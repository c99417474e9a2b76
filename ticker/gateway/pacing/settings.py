"""The pace that `[gateway]` asks for."""

from __future__ import annotations

from ticker.config import GatewayConfig
from ticker.gateway.pacing.law import Law
from ticker.gateway.pacing.rates import NS, Rates

CEILING = 4
"""Configured intervals in the longest one, unless `flush_ceiling` says otherwise."""


def rates_of(config: GatewayConfig) -> Rates:
    """How often a client can be flushed."""
    interval = round(config.flush_interval * NS)
    if config.pace == "fixed":
        return Rates(interval, interval, paced=False)
    return Rates(interval, min(round(config.flush_floor * NS), interval), paced=True)


def law_of(config: GatewayConfig) -> Law:
    """The law of a worker. At a fixed pace it only keeps account of the load."""
    rates = rates_of(config)
    if not rates.paced:
        return Law(rates.interval, rates.interval, rates.interval)
    ceiling = round(config.flush_ceiling * NS) or CEILING * rates.interval
    return Law(rates.floor, rates.interval, ceiling)
