"""How far a bench is, on a terminal; nothing is printed elsewhere.

Law: it draws twice a second and costs nothing that a measurement could see.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

REDRAW_SECONDS = 0.5
_where: list[str] = []
_shown = False


@contextmanager
def on_terminal() -> Iterator[None]:
    """Progress is drawn on stderr while this lasts, if that is a terminal."""
    global _shown
    _shown = sys.stderr.isatty()
    try:
        yield
    finally:
        _shown = False


@contextmanager
def within(where: str) -> Iterator[None]:
    """Name the step of the waits inside: "step 2 of 8, 2,000 clients"."""
    _where.append(where)
    try:
        yield
    finally:
        _where.pop()


def wait(seconds: float, what: str) -> None:
    """Sleep so long, with a bar that says what is being waited for."""
    if not _shown:
        time.sleep(seconds)
        return
    begin = time.monotonic()
    label = ": ".join((*_where, what))[:60]
    with click.progressbar(length=1000, label=label, file=sys.stderr, show_eta=True) as bar:
        while (passed := time.monotonic() - begin) < seconds:
            bar.update(max(0, round(passed / seconds * 1000) - bar.pos))
            time.sleep(min(REDRAW_SECONDS, seconds - passed))
        bar.update(1000 - bar.pos)


def say(what: str) -> None:
    """A line about what has begun and cannot say how far it is."""
    if _shown:
        click.echo(": ".join((*_where, what)), err=True)
