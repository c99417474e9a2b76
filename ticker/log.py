"""One line per event: pretty on a terminal, JSON otherwise.

Law: a line is one write to standard error, so lines of several processes never mix; it never
raises and never waits (lines.py).
A module logs through `structlog.get_logger()`: an event in few words, with the facts as keyword
arguments. Lines of libraries are limited in rate, because strangers may cause them.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from typing import Any, Literal

import structlog

from ticker.lines import Lines

Mode = Literal["auto", "pretty", "json"]
BURST = 10  # lines of one kind in a PERIOD
PERIOD = 60.0  # s


def configure(mode: Mode = "auto") -> None:
    """Set up structlog, and the standard library's logging with it, for this process."""
    pretty = mode == "pretty" or (mode == "auto" and sys.stderr.isatty())
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if pretty else "iso", utc=not pretty),
    ]
    last = _renderers(pretty)
    lines = _standard_error()
    structlog.configure(
        processors=shared + last,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(lines),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(lines)
    formatter = structlog.stdlib.ProcessorFormatter
    handler.setFormatter(
        formatter(foreign_pre_chain=shared, processors=[formatter.remove_processors_meta, *last])
    )
    handler.addFilter(Paced())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


def _standard_error() -> Any:
    try:
        return Lines(sys.stderr.fileno())
    except OSError:  # standard error has no descriptor: a test captures it inside of this process
        return sys.stderr


def name_process(name: str) -> None:
    """Every further line of this process says `process=name`."""
    structlog.contextvars.bind_contextvars(process=name)


def _renderers(pretty: bool) -> list[Any]:
    if pretty:
        return [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                pad_event_to=34,
                exception_formatter=structlog.dev.plain_traceback,
            )
        ]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]


class Paced(logging.Filter):
    """Passes BURST records of one kind in a PERIOD; a kind is a logger and a line of its code. The
    next record that passes has the number of records left out."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.clock = clock
        self.kinds: dict[tuple[str, str, int], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        kind = (record.name, record.pathname, record.lineno)
        begun, count = self.kinds.get(kind, (self.clock(), 0))
        if self.clock() >= begun + PERIOD:
            if count > BURST:
                record.msg = f"{record.msg} ({count - BURST} more of its kind were left out)"
            begun, count = self.clock(), 0
        self.kinds[kind] = begun, count + 1
        return count < BURST
