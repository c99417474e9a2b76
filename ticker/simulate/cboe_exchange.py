"""A simulated Cboe feed on the network: units on lines A and B, gap proxy, gap line, spin.

A session is a day in New York: at midnight every unit ends and begins again at 1.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from ticker.feeds.day import midnight_ns, session_day
from ticker.simulate.exchange import TURN, open_line, visit_round
from ticker.simulate.lines.history import History
from ticker.simulate.servers.cboe import PROXY, Address, ProxyLimits, Servers
from ticker.simulate.speakers.cboe import CboeSender
from ticker.simulate.speakers.pitch import PitchMarket

HEARTBEAT = 1.0
NO_LIMITS = ProxyLimits()


@dataclass(frozen=True, kw_only=True)
class CboeSettings:
    """The settings of a simulated Cboe feed. `loss` is a share, `history` bytes of all units
    together. Unit n's spin server is the n-th of `spin`."""

    symbols: int = 200
    rate: float = 2000.0
    seed: int = 1
    units: int = 4
    lines: tuple[Address, ...] = (("239.192.1.1", 26487), ("239.192.1.2", 26487))
    gap_proxy: Address | None = None
    gap_line: Address | None = None
    spin: tuple[Address, ...] = ()
    interface: str = "127.0.0.1"
    loss: float = 0.0
    reorder: int = 0
    history: int = 256 << 20
    limits: ProxyLimits = NO_LIMITS


class CboeExchange:
    """Owns the sockets; `run` sends until told to stop.

    Raises:
        FeedError: a socket cannot be opened.
        ValueError: no such number of symbols or units.
    """

    def __init__(self, settings: CboeSettings) -> None:
        self.settings = settings
        self._lines: list[socket.socket] = []
        self._gap: socket.socket | None = None
        self.servers = Servers(settings.gap_proxy, settings.spin[: settings.units], settings.limits)
        try:
            for address in settings.lines:
                self._lines.append(open_line(address, settings.interface))
            if settings.gap_line is not None:
                self._gap = open_line(settings.gap_line, settings.interface)
            self._open_session()
        except BaseException:
            self.close()
            raise

    @property
    def gap_proxy(self) -> Address | None:
        """Where the gap request proxy really listens (its port may have been given as 0)."""
        return self.servers.address(PROXY)

    def spin(self, unit: int) -> Address | None:
        """Where the spin server of a unit really listens."""
        return self.servers.address(unit)

    def _open_session(self) -> None:
        settings = self.settings
        now = time.time_ns()
        today = session_day(now)
        midnight = midnight_ns(today)
        self.next_midnight = midnight_ns(today + timedelta(days=1))
        market = PitchMarket(
            settings.symbols,
            settings.seed,
            units=settings.units,
            rate=settings.rate,
            start=now - midnight,
            visit_round=visit_round(settings.history, settings.rate),
        )
        share = settings.history // settings.units
        self._sender = CboeSender(
            market,
            [History(share, byte_lengths=True) for _ in range(settings.units)],
            [line.fileno() for line in self._lines],
            -1 if self._gap is None else self._gap.fileno(),
            self.servers.fileno(),
            midnight,
            settings.rate,
            settings.loss,
            settings.reorder,
            settings.seed,
        )
        self.servers.sender = self._sender

    def run(
        self, stopping: Callable[[], bool], duration: float | None = None, linger: float = 0.3
    ) -> None:
        """Speak until `stopping()` or for `duration` seconds, then end every unit.

        A signal ends a turn at once; `linger` is how long requests are still answered.
        """
        until = None if duration is None else time.monotonic() + duration
        while not stopping():
            turn = TURN
            if until is not None:
                turn = min(turn, until - time.monotonic())
                if turn <= 0:
                    break
            self.servers.serve()
            self._sender.run(turn)
            if time.time_ns() >= self.next_midnight:
                self._sender.finish()
                self._open_session()
        self._sender.finish()
        self._linger(linger)

    def _linger(self, seconds: float) -> None:
        """Heartbeats and answers after the end."""
        until = time.monotonic() + seconds
        beat = 0.0
        while (now := time.monotonic()) < until:
            if now >= beat:
                self._sender.heartbeat()
                beat = now + min(HEARTBEAT, max(seconds / 4, 0.05))
            self.servers.serve()
            self._sender.run(min(until, beat) - now)
        self._sender.heartbeat()

    def statistics(self) -> dict[str, object]:
        """Counts of the session: messages, and per line packets, lost and errors, ..."""
        return {
            **self._sender.statistics(),
            "requests": self.servers.requests,
            "unanswered": self.servers.refused,
            "images": self.servers.images,
        }

    def close(self) -> None:
        """Close every socket."""
        for line in [*self._lines, *filter(None, [self._gap])]:
            line.close()
        self.servers.close()

    def __enter__(self) -> CboeExchange:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
