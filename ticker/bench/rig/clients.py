"""A swarm over several processes: its commands, and its results together."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from ticker.bench.report.latencies import Latencies
from ticker.bench.rig.load import Cores, Load
from ticker.bench.rig.part import ANSWER_TIMEOUT, Part, python_part
from ticker.bench.swarm.checks import VIOLATIONS

CLIENTS_PER_PROCESS = 8000
MOST_PER_PROCESS = 15_000  # of 20,000 descriptors


@dataclass
class Clients:
    """A swarm over as many processes as its descriptors need."""

    parts: list[Part] = field(default_factory=list)
    watchers: list[int] = field(default_factory=list)

    def ask(self, do: str, wait: float = ANSWER_TIMEOUT, **arguments: Any) -> list[Any]:
        """One command to all processes at once; their answers, within `wait` s and some."""
        for part, watchers in zip(self.parts, self.watchers, strict=True):
            own = {"watchers": watchers} if do in ("subscribe", "behind", "probe") else {}
            part.tell(json.dumps({"do": do, **own, **arguments}))
        return [part.answer(wait + 10)["value"] for part in self.parts]

    def results(self) -> SwarmResults:
        """What all of them saw since the last reset."""
        total = SwarmResults()
        for found in self.ask("results"):
            for name, number in found["counts"].items():
                total.counts[name] = total.counts.get(name, 0) + number
            total.open += found["open"]
            total.seconds = max(total.seconds, found["seconds"])
            total.latency.merge(Latencies.load(found["latency"]))
            total.first_answer.merge(Latencies.load(found["first_answer"]))
        return total


@dataclass
class SwarmResults:
    """Counts (checks.COUNTS) and latencies of a whole swarm; `seconds` are from the last reset to
    the receipt of its last update."""

    counts: dict[str, int] = field(default_factory=dict)
    open: int = 0
    seconds: float = 0.0
    latency: Latencies = field(default_factory=Latencies)
    first_answer: Latencies = field(default_factory=Latencies)

    @property
    def violations(self) -> dict[str, int]:
        """The counts of protocol violations that clients saw, by kind."""
        return {name: self.counts[name] for name in VIOLATIONS if self.counts.get(name)}

    @property
    def updates_per_second(self) -> float:
        """Updates received, over the time until the last of them was: drained, not cut off."""
        return self.counts.get("updates", 0) / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class Place:
    """Where clients connect, and what they say of themselves. `symbols` are those of a server that
    has its own; without them the load's number of synthetic ones is taken, and with them no price
    can be held against its time."""

    port: int
    host: str = "127.0.0.1"
    path: str = ""
    authority: str = ""
    token: str = ""
    symbols: tuple[str, ...] = ()


def swarm(
    stack: ExitStack,
    cores: Cores,
    where: Place | int,
    load: Load,
    *,
    first: int = 0,
    raw: bool = False,
    dialect: str = "plain",
    per_process: int = 0,
) -> Clients:
    """Processes with the clients of a load, from number `first` on; `where` may be a port of
    127.0.0.1.

    Probes have a process of their own that goes before the others, where the system lets it:
    what they measure is the server, not the swarm that they share a core with.
    """
    place = Place(where) if isinstance(where, int) else where
    clients = Clients()
    per_process = per_process or (CLIENTS_PER_PROCESS if load.gateways == 1 else MOST_PER_PROCESS)
    number = first
    while number < load.clients + load.probes:
        probing = number >= load.clients
        end = load.clients + load.probes if probing else load.clients
        size = min(per_process, end - number)
        settings = {
            "cores": cores.others,
            "host": place.host,
            "port": place.port,
            "path": place.path,
            "authority": place.authority,
            "clients": size,
            "per_client": load.per_client,
            "first_client": number,
            "raw": raw,
            "verify": not raw and not place.symbols,
            "dialect": dialect,
            "urgent": probing,
            "encoding": load.encoding,
            "channel": load.channel,
            "popularity": load.popularity,
            "nap_us": load.nap_us,
            "deflates": load.compress and not raw,
        }
        part = python_part(f"{'raw ' if raw else ''}swarm {number}", "swarm", settings)
        stack.callback(part.close)
        # not on the command line: other users must not see a token, and symbols may be many
        part.tell(json.dumps({"token": place.token, "symbols": place.symbols or load.symbols}))
        clients.parts.append(part)
        clients.watchers.append(0 if probing else size)
        number += size
    return clients
