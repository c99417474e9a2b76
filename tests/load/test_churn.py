"""Connections that break at random while prices flow: everybody ends with the table's prices,
no price goes back in time, and every hole is said."""

from __future__ import annotations

import random
import time
from functools import partial
from pathlib import Path

import pytest

from tests.load.crowd import Crowd, Line, State
from tests.load.server import LoadServer, every_gateway
from tests.load.watcher import JSON, MSGPACK, PLAIN, Watcher

KINDS = [  # encoding, channel, symbols, flushes a second, pace
    (JSON, "price", 5, 0.0, ""),
    (MSGPACK, "price", 5, 0.0, ""),
    (JSON, "trades", 1, 0.0, ""),
    (PLAIN, "price", 5, 0.0, ""),
    (MSGPACK, "trades", 1, 0.0, ""),
    (JSON, "price", 3, 2.5, ""),
    (MSGPACK, "price", 3, 0.0, ""),
    (MSGPACK, "trades", 1, 0.8, ""),  # the server keeps trades for less long, and has to say so
    (JSON, "trades", 1, 0.7, ""),
    (PLAIN, "price", 3, 2.5, ""),
    (JSON, "price", 3, 0.0, "immediate"),
    (MSGPACK, "price", 3, 0.0, "saver"),
    (JSON, "trades", 1, 0.0, "immediate"),
]


def watchers(server: LoadServer, count: int) -> list[Watcher]:
    chance = random.Random(7)
    made = []
    for number in range(count):
        encoding, channel, symbols, rate, pace = KINDS[number % len(KINDS)]
        chosen = chance.sample(server.symbols, symbols)
        made.append(Watcher(number, chosen, encoding, channel, rate, pace))
    return made


def missing(crowd: Crowd, now: dict[str, tuple[int, float]]) -> list[object]:
    """Who is not there, or has not the newest of which symbols."""
    return [
        (
            line.state.name,
            line.watcher.number,
            line.watcher.encoding,
            line.watcher.channel,
            line.watcher.counts,
            [(name, line.watcher.last.get(name), now[name]) for name in line.watcher.behind(now)],
        )
        for line in crowd.lines
        if line.state is not State.OPEN or not line.watcher.ready or line.watcher.behind(now)
    ]


def back(crowd: Crowd) -> list[Line]:
    """Who is connected, and was told that it is subscribed."""
    return [line for line in crowd.lines if line.state is State.OPEN and line.watcher.ready]


def has_published(server: LoadServer, ticks: int) -> bool:
    return server.published() >= ticks


def churn(
    folder: Path,
    *,
    clients: int,
    symbols: int,
    rounds: int,
    drops: int,
    ticks: int,
    rate: float,
    gateway: dict[str, str] | None = None,
) -> None:
    """`rounds` times, `drops` of the clients lose their connection while `ticks` pass. Only those
    who are back lose it again: on a machine with other work that may take longer than a round."""
    chance = random.Random(11)
    begun = time.monotonic()
    keys = {"trades_kept": 2048, "immediate": True, **(gateway or {})}
    with LoadServer(folder, symbols=symbols, gateways=2, gateway=keys) as server:

        def times() -> dict[str, int]:
            return {symbol: at for symbol, (at, _) in server.newest().items()}

        with Crowd(server.address, watchers(server, clients), times) as crowd:
            crowd.come(crowd.lines)
            assert crowd.pump(10, crowd.all_open), "not all were connected"
            first = server.published()
            server.publish(rate)
            for turn in range(rounds):
                due = first + ticks * (turn + 1) // (rounds + 1)
                assert crowd.pump(60, partial(has_published, server, due))
                assert crowd.pump(60, lambda: len(back(crowd)) >= drops), "too few came back"
                for line in chance.sample(back(crowd), drops):
                    crowd.drop(line, chance.choice(["close", "reset", "half"]))
            assert crowd.pump(60, partial(has_published, server, first + ticks))
            server.publish(0)
            passed = server.published() - first

            def whole() -> bool:
                return crowd.all_open() and not any(
                    line.watcher.behind(server.newest()) for line in crowd.lines
                )

            assert crowd.pump(10, whole), missing(crowd, server.newest())
            assert not crowd.violations, crowd.violations[:20]
            assert not crowd.lost
            assert not crowd.refused
            assert len(crowd.away) == rounds * drops
            assert crowd.count("recovered") > 0
            assert crowd.count("lagged") > 0
            assert server.worker(0) != server.worker(1)
            print(
                f"{clients} clients, {rounds} rounds of {drops} drops, {passed} ticks in "
                f"{time.monotonic() - begun:.0f} s: {crowd.count('update')} updates, "
                f"{crowd.count('snapshot')} snapshots, {crowd.count('recovered')} recovered, "
                f"{crowd.count('lagged')} lagged; back after {max(crowd.away):.2f} s at most"
            )


@pytest.mark.slow
def test_dropped_clients_end_with_the_table(tmp_path: Path) -> None:
    churn(tmp_path, clients=60, symbols=40, rounds=3, drops=15, ticks=40_000, rate=20_000)


@pytest.mark.stress
@every_gateway
def test_500_clients_10_rounds_of_100_drops_1m_ticks(
    tmp_path: Path, gateway: dict[str, str]
) -> None:
    churn(
        tmp_path,
        clients=500,
        symbols=200,
        rounds=10,
        drops=100,
        ticks=1_000_000,
        rate=20_000,
        gateway=gateway,
    )
