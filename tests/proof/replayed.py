"""Every packet once more, a step at a time; 3 of test_three_venues.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.proof.book import Hours
from tests.proof.follower import shown_by
from tests.proof.recomputation import E9, FEEDS, Recomputation
from tests.proof.rig import ITCH, MICS, VENDOR, Packet
from ticker.config.calendar import NEW_YORK
from ticker.feeds.day import midnight_ns
from ticker.feeds.workers.mappings import load_mapping
from ticker.feeds.workers.pipeline import Pipeline, build, follow_tape
from ticker.gateway.prices.board import Board
from ticker.shm import counters, segment
from ticker.shm.counters import Heartbeat


def pipelines(day: Any) -> dict[str, Pipeline]:
    """The server's own, into private memory."""
    found = {}
    for feed in FEEDS:
        mapping = segment.private_feed(segment.Geometry(1024, 4, 4096), 1, E9)
        beat = Heartbeat(mapping)
        beat.take_over(1, E9)
        beat.set_state(counters.LIVE)
        if feed == VENDOR:
            options = {"mapping": load_mapping("alpaca")}
            found[feed] = build(
                mapping, "json", "framed", day, venue=MICS[feed], protocol_options=options
            )
        else:
            name = "itch50" if feed == ITCH else "pitch"
            found[feed] = build(mapping, name, None, day, venue=MICS[feed])
    return found


def check_every_step(
    packets: list[Packet],
    day: Any,
    tamper: Callable[[Packet], Packet] = lambda packet: packet,
    hours: Hours | None = None,
) -> int:
    """How many consolidated prices were compared. `tamper`: what the recomputation is given
    instead of a packet; `hours`: of the regular session, by default nobody knows any."""
    parts = pipelines(day)
    if hours is not None:
        opens, closes = hours
        for part in parts.values():
            follow_tape(part, NEW_YORK, lambda midnight: (opens - midnight, closes - midnight))
    board = Board([(feed, part.mapping) for feed, part in parts.items()])
    board.look(E9)
    truth = Recomputation(midnight_ns(day), hours)
    compared = 0
    for packet in sorted(packets, key=lambda each: each.received):
        part = parts[packet.feed]
        part.session.receive_data(packet.data, packet.line, packet.received)
        part.market.publish(packet.received)
        touched = truth.take(tamper(packet))
        board.refresh()
        for symbol in touched:
            there = [f for f in FEEDS if parts_have(board, symbol, f)]
            view = board.price(symbol)
            assert view is not None
            assert shown_by(view) == truth.shown(symbol, there), (symbol, packet.feed)
            compared += 1
    return compared


def parts_have(board: Board, symbol: str, feed: str) -> bool:
    return board.price(symbol, MICS[feed]) is not None
