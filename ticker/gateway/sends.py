"""When a connection was sent a symbol's price, for `/lineage/{symbol}?connection=`.

In: the name of a connection, as its `hello` gave it. Out: its newest flushes with news of the
symbol. Owned by one gateway worker, which knows its own connections only.
"""

from __future__ import annotations

from typing import Any

from ticker.clock import Clock
from ticker.gateway.access.access import Access
from ticker.gateway.access.auth import Grant
from ticker.gateway.hub.fields import CHANNEL_NAMES
from ticker.gateway.hub.hub import Hub
from ticker.gateway.prices.board import Board
from ticker.units import format_timestamp

NOTHING: dict[str, Any] = {
    "channel": None,
    "asked_since_timestamp": None,
    "last_send_timestamp": None,
    "waiting": None,
    "sends": [],
}


class Sends:
    """Answers for the connections of one worker."""

    def __init__(self, hub: Hub, board: Board, access: Access, clock: Clock) -> None:
        self.hub = hub
        self.board = board
        self.access = access
        self.clock = clock

    def of(self, name: int, symbol: str, grant: Grant) -> dict[str, Any]:
        """What `/lineage` shows of a connection (ConnectionSends in rest/resources.py). Another
        token's connection is an unknown one."""
        worker, number = self.hub.noted.find(name)
        mine = worker == self.hub.noted.worker
        held = self.access.grant(number) if number >= 0 else None
        if held is None or held.name != grant.name:
            state = "unknown" if mine or worker < 0 else "elsewhere"
            return {
                "id": name,
                "worker": worker if worker >= 0 else None,
                "state": state,
                **NOTHING,
            }
        found = self.hub.ask(number, self.board.index(symbol))
        ago = found["sent_ago"]
        return {
            "id": name,
            "worker": worker,
            "state": "open",
            "channel": None if found["topic"] is None else CHANNEL_NAMES[found["topic"]],
            "asked_since_timestamp": _timestamp(found["since"]),
            "last_send_timestamp": None if ago is None else _timestamp(self.clock() - ago),
            "waiting": found["waiting"],
            "sends": [
                {
                    "seq": seq,
                    "flush_timestamp": _timestamp(flushed),
                    "send_timestamp": _timestamp(sent),
                }
                for seq, flushed, sent in found["notes"]
            ],
        }


def _timestamp(ns: int | None) -> str | None:
    return None if ns is None else format_timestamp(ns)
