"""Log lines of libraries that strangers can cause are limited in rate."""

from __future__ import annotations

import logging

from ticker.log import BURST, PERIOD, Paced


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def record(line: int, message: str = "lost") -> logging.LogRecord:
    return logging.LogRecord("asyncio", logging.ERROR, "loop.py", line, message, None, None)


def test_lines_of_a_kind_have_a_rate_and_the_others_pass() -> None:
    paced = Paced(Clock())
    assert sum(paced.filter(record(7, f"lost {n}")) for n in range(1000)) == BURST
    assert paced.filter(record(8))


def test_what_was_left_out_is_counted() -> None:
    clock = Clock()
    paced = Paced(clock)
    for _ in range(BURST + 4):
        paced.filter(record(7))
    clock.now = PERIOD
    late = record(7)
    assert paced.filter(late)
    assert late.getMessage() == "lost (4 more of its kind were left out)"
    again = record(7)
    assert paced.filter(again)
    assert again.getMessage() == "lost"
