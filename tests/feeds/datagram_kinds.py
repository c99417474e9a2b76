"""Small exchanges that speak in datagrams; what they share with those of every_kind.py."""

from __future__ import annotations

import socket
import struct
import threading
import time
from abc import ABC, abstractmethod
from typing import Any, NamedTuple, Self

from tests.feeds.conftest import Iex, Itch
from tests.feeds.protocols.pitch_messages import say as pitch
from tests.feeds.sessions.xdp_messages import RESET
from tests.feeds.sessions.xdp_messages import packet as xdp_packet
from tests.feeds.sessions.xdp_messages import say as pillar
from ticker.bench.rig.ports import free_port
from ticker.feeds.workers.sources import SECOND

HOST = "127.0.0.1"
SIZE = 100
BEAT = 0.02
"""s between two heartbeats."""


class Close(NamedTuple):
    """An official close, as `Exchange.close` says it; `match`: of its trade, if it has one."""

    price: int
    at: int
    match: int


def itch_close(close: Close, midnight: int) -> bytes:
    """The closing cross."""
    time = close.at - midnight
    return Itch().cross(1, SIZE, close.price * 10_000, close.match, time=time, kind="C")


class Exchange(ABC):
    """The base of all: a thread that beats until the exchange is closed.

    Args:
        midnight: of the exchange's day, ns since the epoch; what times of day count from.
        folder: for files that the feed's configuration names.
    """

    feed = ""
    table = ""

    def __init__(self, midnight: int, folder: Any) -> None:
        self.midnight = midnight
        self.folder = folder
        self.matches = 0
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._thread.join()

    @property
    def has_listener(self) -> bool:
        """The listeners to the next trade are there, as far as the exchange can tell."""
        return True

    def toml(self, more: str = "") -> str:
        """The feed; `more` are further keys of it."""
        return f'[[feeds]]\nname = "f"\nrows = 16\n{self.feed}\n{more}\n{self.table}\n'

    def trade(self, price: int, at: int) -> None:
        """AAPL, 100 shares."""
        with self._lock:
            self.matches += 1
            self.say_trade(price, at, self.matches)

    @abstractmethod
    def say_trade(self, price: int, at: int, match: int) -> None: ...

    def close(self, price: int, at: int) -> None:
        """The official close of AAPL; with a trade of 100 shares, where the protocol has it so."""
        with self._lock:
            self.matches += 1
            self.say_close(Close(price, at, self.matches))

    @abstractmethod
    def say_close(self, close: Close) -> None: ...

    def beat(self) -> None:  # noqa: B027 - not every exchange beats
        """What the exchange says when it has nothing to say."""

    def _run(self) -> None:
        while not self._closed.wait(BEAT):
            with self._lock:
                self.beat()


class Datagrams(Exchange):
    """Speaks on UDP ports of this machine."""

    ports = 1

    def __init__(self, midnight: int, folder: Any) -> None:
        super().__init__(midnight, folder)
        self.to = [free_port() for _ in range(self.ports)]
        self.out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self.out.close()

    def send(self, packet: bytes, port: int = 0) -> None:
        self.out.sendto(packet, (HOST, self.to[port]))


class MoldItch(Datagrams):
    """ITCH 5.0 over MoldUDP64."""

    def __init__(self, midnight: int, folder: Any) -> None:
        super().__init__(midnight, folder)
        self.session = b"FIRST     "
        self.next = 1
        self.feed = f'protocol = "itch50"\nvenue = "XNAS"\nlines = ["{HOST}:{self.to[0]}"]'

    def say(self, *messages: bytes) -> None:
        body = b"".join(len(each).to_bytes(2, "big") + each for each in messages)
        self.send(self.session + struct.pack(">QH", self.next, len(messages)) + body)
        self.next += len(messages)

    def say_trade(self, price: int, at: int, match: int) -> None:
        self.say(Itch().trade(1, SIZE, price * 10_000, match, time=at - self.midnight))

    def say_close(self, close: Close) -> None:
        self.say(itch_close(close, self.midnight))

    def beat(self) -> None:
        self.say()


class Pitch(Datagrams):
    """PITCH: units 1 and 2 are the feed's, on lines of their own; the trades of unit 3, which come
    on the first line too, are not."""

    ports = 2

    def __init__(self, midnight: int, folder: Any) -> None:
        super().__init__(midnight, folder)
        proxy, gaps = free_port(), free_port()
        self.next = {1: 1, 2: 1, 3: 1}
        self.feed = f'protocol = "pitch"\nvenue = "BATS"\nlines = ["{HOST}:{self.to[0]}"]'
        self.table = (
            f'[feeds.pitch]\nunits = [1, 2]\nmore_lines = [["{HOST}:{self.to[1]}"]]\n'
            f'gap_proxy = "{HOST}:{proxy}"\ngap_lines = ["{HOST}:{gaps}"]\n'
        )

    def say(self, unit: int, *messages: bytes) -> None:
        body = b"".join(messages)
        head = struct.pack("<HBBI", 8 + len(body), len(messages), unit, self.next[unit])
        self.send(head + body, 1 if unit == 2 else 0)
        self.next[unit] += len(messages)

    def say_trade(self, price: int, at: int, match: int) -> None:
        seconds = (at - self.midnight) // SECOND
        for unit, symbol in ((3, "NONE"), (2, "MSFT"), (1, "AAPL")):
            trade = pitch.trade_long(SIZE, price * 10_000, 10 * match + unit, symbol)
            self.say(unit, pitch.time(seconds), trade)

    def say_close(self, close: Close) -> None:
        seconds = (close.at - self.midnight) // SECOND
        summary = pitch.auction_summary("AAPL", close.price * 10_000, SIZE, "C")
        self.say(1, pitch.time(seconds), summary)

    def beat(self) -> None:
        for unit in self.next:
            self.say(unit)


class Tops(Datagrams):
    """IEX TOPS over IEX-TP."""

    def __init__(self, midnight: int, folder: Any) -> None:
        super().__init__(midnight, folder)
        self.next = 1
        self.feed = f'protocol = "tops"\nvenue = "IEXG"\nlines = ["{HOST}:{self.to[0]}"]'

    def say(self, *messages: bytes) -> None:
        self.send(Iex().segment(self.next, *messages, send_time=time.time_ns()))
        self.next += len(messages)

    def say_trade(self, price: int, at: int, match: int) -> None:
        self.say(Iex().trade("AAPL", SIZE, price * 10_000, match, time=at))

    def say_close(self, close: Close) -> None:
        self.say(Iex().official("AAPL", "M", close.price * 10_000, time=close.at))

    def beat(self) -> None:
        self.say()


class PillarChannels(Datagrams):
    """NYSE Pillar: AAPL on the first channel, MSFT on the second."""

    ports = 2

    def __init__(self, midnight: int, folder: Any) -> None:
        super().__init__(midnight, folder)
        self.next = [1, 1]
        self.feed = f'protocol = "pillar"\nvenue = "XNYS"\nlines = ["{HOST}:{self.to[0]}"]'
        self.table = f'[feeds.pillar]\nmore_lines = [["{HOST}:{self.to[1]}"]]\n'

    def say_trade(self, price: int, at: int, match: int) -> None:
        for channel, (index, symbol) in enumerate(((7, b"AAPL"), (9, b"MSFT"))):
            messages = (
                pillar.reference(at // SECOND),
                pillar.mapping(index, symbol),
                pillar.trade(SIZE, price * 10_000, match, index=index, ns=at % SECOND),
            )
            self.send(xdp_packet(self.next[channel], *messages, sent=time.time_ns()), channel)
            self.next[channel] += len(messages)

    def say_close(self, close: Close) -> None:
        cross = pillar.cross(SIZE, close.price * 10_000, close.match, kind="6")
        self.send(xdp_packet(self.next[0], cross, sent=time.time_ns()))
        self.next[0] += 1

    def beat(self) -> None:
        for channel, sequence in enumerate(self.next):
            self.send(xdp_packet(sequence, flag=1, sent=time.time_ns()), channel)

    def reset(self, at: int) -> None:
        """Every channel's numbers start over."""
        for channel in range(2):
            self.send(xdp_packet(1, pillar.reset(at // SECOND), flag=RESET, sent=at), channel)
        self.next = [2, 2]
