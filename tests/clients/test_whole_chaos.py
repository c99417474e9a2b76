"""Watchers of books, bars and trades of a whole server, whose processes are killed and stopped: two
gateways, an exchange and a vendor that break and correct trades late, the store worker.

    ITCH, two multicast lines, re-requests ─┬─▶ ticker serve ─▶ the Python client
    JSON over WebSocket ────────────────────┘                 ─▶ the TypeScript client in Node
              │                                               ─▶ server-sent events
          recorder ─▶ tests/proof: books and trades           ─▶ REST

No book is told that the exchange did not show: a delta on another version makes such a one. In the
end all have the newest book and bar, and the minutes of REST are those of the trades, unless they
say that they are not exact.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from tests.clients.package import Program
from tests.clients.watchers import LEVELS, NODE, Bar, Seen, Sides, Watchers, asked
from tests.load.chaos import CONFIG, SHARED, Disturbed, send
from tests.load.chaos import ITCH as ITCH_SYMBOLS
from tests.load.faults import Fault, killed, stopped
from tests.load.server import until
from tests.load.tape import E9, TakenIn, Talk, Truth
from tests.proof.rig import ITCH, Recorder, ticker_command

WORKERS = ("itch", "vendor", "0", "1", "store")
OURS = (
    CONFIG.replace("ring_capacity = 4096", "ring_capacity = 65536")
    .replace("[feeds.simulator]\nsymbols = {vendor}\nrate = 200\nseed = 2\n", "")
    .replace("[feeds.simulator]\nsymbols = {itch}\nrate = 200\nloss = 0.01\n", "")
    .replace("[store]", "[store]\ninterval = 0.2")
    .replace("{ports[2]}/stream", "{ports[2]}/")
)
MOST_SILENCE = 15.0
"""s: a worker that hangs is replaced in 5, its clients wait for up to 2, a feed begins anew in 2;
the next fault may come meanwhile."""
SETTLED = 30.0


def disturb(server: Disturbed, chance: random.Random, seconds: float) -> int:
    """Kills and stops, up to three at a time; how many."""
    end, faults = time.monotonic() + seconds, 0
    under_way: list[tuple[float, Fault]] = []
    while time.monotonic() < end or under_way:
        now = time.monotonic()
        due = [each for each in under_way if each[0] <= now]
        under_way = [each for each in under_way if each[0] > now]
        for _, fault in due:
            if (wait := next(fault, None)) is not None:
                under_way.append((now + wait, fault))
        if now < end and len(under_way) < 3:
            faults += 1
            make = chance.choice((killed, killed, stopped))
            under_way.append((now + chance.uniform(0.3, 3.0), make(server, chance, WORKERS)))
        time.sleep(0.02)
    return faults


def rest(server: Disturbed, symbol: str) -> dict[int, dict[str, Any]]:
    """The minutes that REST has of a symbol, by their start in s."""
    url = f"http://127.0.0.1:{server.ports[0]}/bars/{symbol}?interval=1m&limit=1000"
    with urlopen(url, timeout=10) as answer:
        bars = json.load(answer, parse_float=Decimal)["bars"]
    return {int(datetime.fromisoformat(bar["start"]).timestamp()): bar for bar in bars}


def differs(bar: dict[str, Any] | None, right: dict[str, Any]) -> bool:
    """A bar that is not exact says so: a worker that was killed had counted a trade, which was
    taken back since (docs/store.md)."""
    if bar is None:
        return True
    if not bar["exact"]:
        return False
    for name, value in right.items():
        if name not in ("volume", "trades") and value is not None:
            value = Decimal(value) / E9
        if bar[name] != value:
            return True
    return False


def wrong_minutes(server: Disturbed, truth: Truth, symbols: list[str]) -> list[Any]:
    found: list[Any] = []
    for symbol in symbols:
        told = rest(server, symbol)
        for start, right in truth.minutes(symbol).items():
            bar = told.pop(start // E9, None)
            if differs(bar, right):
                found.append((symbol, start // E9, bar, right))
        found += [(symbol, start, bar, None) for start, bar in told.items() if bar["trades"]]
    return found


def check(
    number: int, seen: Seen, truth: Truth, books: dict[str, Sides], bars: dict[str, Bar]
) -> None:
    """What one watcher was told."""
    wrong = [state for state in seen.told if state[1] not in truth.itch.books[state[0]]]
    assert not wrong, (number, len(wrong), wrong[0])
    assert seen.books == books, number
    assert seen.bars == bars, number
    assert seen.silence < MOST_SILENCE, (number, seen.silence)


@contextmanager
def exchange(server: Disturbed) -> Iterator[subprocess.Popen[bytes]]:
    """ITCH for the feed, from when the server is there to hear all of it."""
    until(lambda: {"itch", "vendor", "store", "0", "1"} <= set(server.pids()), 30)
    a, b = (f"{server.group}.{line}:{server.datagrams[0]}" for line in (1, 2))
    command = ticker_command(
        "simulate", "itch", "--symbols", ITCH_SYMBOLS, "--rate", 500, "--line-a", a, "--line-b", b,
        "--rerequest", f"127.0.0.1:{server.datagrams[1]}",
    )  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as running:
        try:
            yield running
        finally:
            running.kill()


def began(server: Disturbed, talk: Talk) -> TakenIn:
    """Both feeds have a price of every symbol; all trades of the vendor are seen."""
    taken = TakenIn(server.instance, "vendor", "XNYS")
    taken.start()
    talk.speaks.set()
    until(server.has_all, 30)
    return taken


def ended(server: Disturbed, itch: int, talk: Talk, taken: TakenIn, recorder: Recorder) -> Truth:
    """Both venues fall silent when the server is well; what they have said."""
    until(server.live, 30)
    talk.speaks.clear()
    send(itch, signal.SIGSTOP)
    last = (0, 0, 0.0)
    while True:
        now = (len(recorder.packets), len(taken.prints), last[2])
        if now != last:
            last = (now[0], now[1], time.monotonic())
        elif time.monotonic() - last[2] > 1.0:
            break
        time.sleep(0.02)
    taken.stop()
    return Truth(recorder, taken, talk)


@pytest.mark.stress
@pytest.mark.timeout(3600)
def test_watchers_of_a_whole_server(tmp_path: Path, project: Path) -> None:
    """TICKER_CHAOS_SECONDS makes it longer, TICKER_CHAOS_SEED another run."""
    seconds = float(os.environ.get("TICKER_CHAOS_SECONDS", "60"))
    seed = int(os.environ.get("TICKER_CHAOS_SEED", "14"))
    server, recorder = Disturbed(tmp_path, OURS), Recorder()
    symbols = server.symbols
    watched = [*symbols[:4], *symbols[SHARED.start : SHARED.stop]]
    talk = Talk(symbols[SHARED.start :], seed)
    server.ports[1] = talk.vendor.port
    server.write()
    recorder.listen({ITCH: [(f"{server.group}.{line}", server.datagrams[0]) for line in (1, 2)]})
    talk.start()
    try:
        with server, exchange(server) as itch:
            run(server, itch.pid, talk, recorder, project, watched, seconds, seed)
    finally:
        talk.stop()
        recorder.stopping.set()


def run(
    server: Disturbed, itch: int, talk: Talk, recorder: Recorder, project: Path,
    watched: list[str], seconds: float, seed: int,
) -> None:  # fmt: skip
    taken = began(server, talk)
    url = f"http://127.0.0.1:{server.ports[0]}"
    watchers = Watchers(url, watched)
    with Program(project, NODE % LEVELS, url, *watched) as node:
        assert node.line() == "ready"
        watchers.start()
        faults = disturb(server, random.Random(seed), seconds)
        truth = ended(server, itch, talk, taken, recorder)
        books = {symbol: truth.itch.newest[symbol] for symbol in watched}
        bars = {symbol: truth.newest(symbol) for symbol in watched}

        def everybody() -> list[Seen]:
            return [*watchers.clients, *watchers.streams, asked(node)]

        end = time.monotonic() + SETTLED
        while time.monotonic() < end:
            if all((each.books, each.bars) == (books, bars) for each in everybody()):
                break
            time.sleep(0.5)
        seen = everybody()
        watchers.stop()
    until_right(server, truth)
    assert not watchers.failed
    for number, each in enumerate(seen):
        check(number, each, truth, books, bars)
    exact = [bar["exact"] for symbol in server.symbols for bar in rest(server, symbol).values()]
    print(
        f"seed {seed}: {faults} faults, {sum(map(len, truth.prints.values()))} trades, "
        f"{truth.broken} broken by the exchange, {taken.taken_back} by the vendor, "
        f"{taken.corrected} corrected, {talk.late} of these late; "
        f"{sum(len(each.told) for each in seen)} books told, {len(exact)} minutes, "
        f"{sum(exact)} exact; longest silence {max(each.silence for each in seen):.1f} s"
    )
    assert min(taken.taken_back, taken.corrected) > seconds / 10
    assert sum(exact) > len(exact) // 3


def until_right(server: Disturbed, truth: Truth) -> None:
    """Bars that still change are on the disk soon."""
    end = time.monotonic() + SETTLED
    while wrong := wrong_minutes(server, truth, server.symbols):
        said = "\n".join(map(str, [*wrong[:5], *server.notes]))
        if time.monotonic() > end:
            pytest.fail(f"{len(wrong)} bars are not those of the trades\n{said}")
        time.sleep(0.5)
