"""The load of a bench, and the cores of its parts."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ticker.errors import BenchError


@dataclass(frozen=True)
class Load:
    """The load on the gateway; times in seconds."""

    clients: int
    symbols: int
    per_client: int
    flush_interval: float = 0.1
    pace: str = "fixed"
    ticks: float = 1.0  # per symbol and flush interval
    probes: int = 0  # clients that do not watch, see Swarm.probe
    encoding: str = "plain"  # commands.ENCODINGS
    channel: str = "price"
    gateways: int = 1
    popularity: str = "uniform"  # which symbols clients ask for: popularity.py
    trades_by: str = "even"  # every symbol trades alike, or by "popularity": ticks is the mean
    warm_up: float = 1.0  # of trades before anything is measured
    sender: str = "auto"  # of the gateway: auto, send or io_uring
    client_pace: str = ""  # that each client asks for; empty: the server's own
    compress: bool = False  # clients and gateway speak permessage-deflate
    nap_us: int = 0  # how often clients look, see Swarm; 0: they are woken by what comes

    @property
    def rate(self) -> float:
        """Trades per second of a symbol, the mean over all."""
        return self.ticks / self.flush_interval


@dataclass(frozen=True)
class Cores:
    """The core of the part under test, and those of everything else."""

    tested: int
    others: tuple[int, ...]

    @staticmethod
    def choose() -> Cores:
        """Raises BenchError on a machine with a single core: the generator needs its own."""
        usable = sorted(os.sched_getaffinity(0))
        if len(usable) < 2:
            raise BenchError("a bench needs two cores: one for the server, one for its clients")
        return Cores(usable[0], tuple(usable[1:]))

    @staticmethod
    def shared() -> Cores:
        """All cores for everybody."""
        usable = tuple(sorted(os.sched_getaffinity(0)))
        return Cores(usable[0], usable)
