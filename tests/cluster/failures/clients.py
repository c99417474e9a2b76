"""Clients of gateway boxes, over real sockets: which box they use, what they are told, and when."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.cluster.failures.truth import Claims, Truth
from tests.cluster.servers import Box, within
from tests.cluster.source import rows_of
from tests.load.crowd import Crowd, Line
from tests.load.watcher import Watcher
from tests.load.witness import Told, Witness

FEED = "sim"


@dataclass(eq=False)
class Client(Witness):
    """One that notes when it was told what.

    Attributes:
        fell: when it was told that the feed is stale, the last time.
        updated: when a price came last.
    """

    fell: float = 0.0
    updated: float = 0.0

    @classmethod
    def crowd(
        cls, count: int, names: list[str], claims: Claims, max_rate: float = 0.0
    ) -> list[Client]:
        """So many, of four symbols each, half of them on `quote`."""
        return [
            cls(
                number,
                sorted({names[(number * 7 + step * 11) % len(names)] for step in range(4)}),
                channel="quote" if number % 2 else "price",
                max_rate=max_rate,
                ledger=claims,
            )
            for number in range(count)
        ]

    def _hear_of(self, told: Told) -> None:
        super()._hear_of(told)
        if told.state == "stale":
            self.fell = self.spoken

    def _priced(self, told: Told) -> None:
        super()._priced(told)
        self.updated = self.spoken

    def _gone_back(self, told: Told) -> str:
        """Totals go back after a break, the others never."""
        wrong = super()._gone_back(told)
        last = self.newest.get(told.symbol, told)
        if told.timestamp >= last.timestamp and told.seq >= last.seq and wrong:
            assert isinstance(self.ledger, Claims)
            self.ledger.doubt(told.symbol, wrong)
            return ""
        return wrong

    def has(self, seqs: dict[str, int]) -> bool:
        """Whether its prices are as new as these, or newer."""
        return all(
            name in self.newest and self.newest[name].seq >= seqs[name] for name in self.symbols
        )


class Clients(Crowd):
    """Spread over boxes; one whose connection ends goes to the next box."""

    def __init__(
        self,
        boxes: list[Box],
        watchers: Iterable[Watcher],
        clock: Callable[[], dict[str, int]] = dict,
        truth: Truth | None = None,
    ) -> None:
        super().__init__(address_of(boxes[0]), watchers, clock)
        self.truth, self.claims = truth, Claims({})
        self.boxes = boxes
        self.at = {id(line): number % len(boxes) for number, line in enumerate(self.lines)}

    def _connect(self, line: Line) -> None:
        box = self.boxes[self.at[id(line)]]
        self.at[id(line)] = (self.at[id(line)] + 1) % len(self.boxes)
        self.address = address_of(box)
        with within(box.where):
            super()._connect(line)

    @classmethod
    def of_exchange(
        cls, boxes: list[Box], exchange: Box, count: int, max_rate: float = 0.0
    ) -> Clients:
        """So many, for all symbols of the exchange that a box hears; what they are told is held
        against it."""
        names = sorted(name for name, _ in rows_of(exchange.feed(FEED)))
        claims = Claims({})
        made = cls(boxes, Client.crowd(count, names, claims, max_rate), truth=Truth(exchange, FEED))
        made.claims = claims
        return made

    def settle(self) -> None:
        if self.truth is not None:
            self.claims.settle(self.truth)

    def pump(self, seconds: float, until: Callable[[], bool] | None = None) -> bool:
        def looked() -> bool:
            self.settle()
            return until is not None and until()

        done = super().pump(seconds, looked)
        self.settle()
        return done

    def lines_at(self, box: Box) -> list[Line]:
        """Those to a box, or on their way to it."""
        after = (self.boxes.index(box) + 1) % len(self.boxes)
        return [line for line in self.lines if self.at[id(line)] == after]

    def people(self, box: Box) -> list[Watcher]:
        return [line.watcher for line in self.lines_at(box)]

    def wait(self, what: Callable[[], object], seconds: float = 20.0) -> float:
        """Until it holds; how long that took."""
        began = time.monotonic()
        assert self.pump(seconds, lambda: bool(what())), "it does not come to pass"
        return time.monotonic() - began


def address_of(box: Box) -> tuple[str, int]:
    host, _, port = box.url.removeprefix("http://").partition(":")
    return host, int(port)


def seqs(box: Box) -> dict[str, int]:
    """Of each symbol, in a box's segment."""
    return {name: values["seq"] for (name, _), (*_, values) in rows_of(box.feed(FEED)).items()}


def times(box: Box) -> dict[str, int]:
    """The exchange time of each symbol's price, us."""
    found = rows_of(box.feed(FEED)).items()
    return {name: values["exchange_time"] // 1000 for (name, _), (*_, values) in found}


def told(clients: Clients) -> list[str]:
    """All that clients objected to."""
    clients.pump(5.0, lambda: not clients.claims.doubted)
    return (clients.violations + clients.claims.violations)[:20]
