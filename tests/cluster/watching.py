"""What is seen of boxes from outside: their rows, their epochs, and that nothing goes back."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

from tests.cluster.servers import Box
from tests.cluster.source import rows_of
from ticker.feeds.session import session_before


def same_rows(one: Box, other: Box) -> bool:
    return rows_of(one.feed("sim")) == rows_of(other.feed("sim"))


def stop_exchange(box: Box) -> None:
    """Stop the simulated exchange of a box, the newest one, so that its rows come to rest."""
    os.kill(started(box, "simulator sim"), signal.SIGSTOP)


class Watch:
    """What a reader of the box sees of its rows: seq and corrections never go back."""

    def __init__(self, box: Box) -> None:
        self.box = box
        self.seen: dict[Any, tuple[int, int]] = {}

    def look(self) -> bool:
        for name, (*_, values) in rows_of(self.box.feed("sim")).items():
            before = self.seen.get(name, (0, 0))
            self.seen[name] = values["seq"], values["corrections"]
            assert self.seen[name] >= before, name
        return True


OF_THE_BOX = {"receive_time", "publish_time", "quotes", "flags", "quote_time"}
"""Words that two boxes which hear one exchange have of their own: clocks, and how many changes of a
quote they published together."""


def same_values(one: Box, other: Box) -> bool:
    def shared(box: Box) -> Any:
        return {
            name: {key: value for key, value in values.items() if key not in OF_THE_BOX}
            for name, (*_, values) in rows_of(box.feed("sim")).items()
        }

    return bool(shared(one) == shared(other))


def epoch(box: Box) -> int:
    """The one that the box's bridge has taken last."""
    return int.from_bytes(session_before(box.feed("sim"))[:8], "little")


def started(box: Box, worker: str) -> int:
    """The pid of the newest process in a slot."""
    pids = [
        event["pid"]
        for event in map(json.loads, box.log.read_text().splitlines())
        if event["event"] == "started" and event.get("worker") == worker and "pid" in event
    ]
    return int(pids[-1])
