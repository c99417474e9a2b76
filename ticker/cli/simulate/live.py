"""A simulated exchange until it is told to stop, with its counts at the end."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from typing import Protocol

import click
import structlog

from ticker import log


class Speaks(Protocol):
    """An exchange of ticker/simulate."""

    def run(
        self, stopping: Callable[[], bool], duration: float | None = None, linger: float = 0.3
    ) -> None: ...

    def statistics(self) -> dict[str, object]: ...


def speak(
    exchange: Speaks, duration: float | None, linger: float, as_json: bool, **said: object
) -> None:
    """Run an exchange until SIGTERM, SIGINT or the end of `duration`; `said` is logged."""
    log.configure()
    logger = structlog.get_logger()
    stopped: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: stopped.append(number))
    logger.info("simulated exchange", **said)
    exchange.run(lambda: bool(stopped), duration, linger)
    statistics = exchange.statistics()
    logger.info("simulated exchange closed", **statistics)
    if as_json:
        click.echo(json.dumps(statistics))


def shown(*addresses: tuple[str, int] | None) -> str:
    """Addresses for a log line."""
    return ", ".join(f"{host}:{port}" for host, port in filter(None, addresses)) or "none"
