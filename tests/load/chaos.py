"""A whole server as `ticker serve` starts it, and everything that is done to it: its processes
killed and stopped, its exchanges, configuration, log, descriptors and lines disturbed.

A fault is a generator: it does something, yields the seconds until it goes on, and is over when it
has undone what does not pass by itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tests.load.witness import FORGED
from ticker.errors import SegmentError
from ticker.shm.counters import Heartbeat
from ticker.shm.header import KIND_FEED, KIND_GATEWAY, KIND_STORE
from ticker.shm.segment import attach, feed_name, gateway_name, store_name
from ticker.simulate.market.listings import listings

LOOPBACK, STRANGER = "127.0.0.1", "127.0.0.66"
ITCH, VENDOR = 18, 24
"""Symbols of the two exchanges' markets."""
SHARED = range(12, 18)
"""Those that both feeds have."""

CONFIG = """
[server]
instance = "{instance}"
port = {port}
gateways = 2
log = "json"

[gateway]
heartbeat = 1.0
max_symbols = {max_symbols}
retry_after = 0.3
restart_spread = 1.0

[store]
folder = "{folder}"

[[feeds]]
name = "itch"
protocol = "itch50"
session = "moldudp64"
venue = "XNAS"
calendar = "none"
lines = ["{group}.1:{ports[0]}", "{group}.2:{ports[0]}"]
source = ["127.0.0.1"]
rerequest = "127.0.0.1:{ports[1]}"
rows = 64
rings = 2
ring_capacity = 4096
[feeds.simulator]
symbols = {itch}
rate = 200
loss = 0.01

[[feeds]]
name = "vendor"
protocol = "json"
mapping = "alpaca"
venue = "XNYS"
calendar = "none"
url = "ws://127.0.0.1:{ports[2]}/stream"
symbols = {wanted}
credentials = {{ key = "k", secret = "s" }}
rows = 64
rings = 2
ring_capacity = 4096
[feeds.filter]
duplicates = false  # a vendor that starts again gives its numbers again
[feeds.simulator]
symbols = {vendor}
rate = 200
seed = 2
"""


class Disturbed:
    """The server, its log's reader, and its processes by name. A context."""

    def __init__(self, folder: Path) -> None:
        self.instance = f"chaos-{os.getpid()}"
        self.folder = folder
        self.config = folder / "chaos.toml"
        names = [str(each.symbol) for each in listings(VENDOR)]
        self.own = {"itch": names[: SHARED.start], "vendor": names[SHARED.stop :]}
        self.symbols = names
        self.ports = [_free(socket.SOCK_STREAM) for _ in range(2)]
        self.datagrams = [_free(socket.SOCK_DGRAM) for _ in range(2)]
        self.group = f"239.192.{os.getpid() % 200 + 20}"
        self.max_symbols = 64
        self.write()
        self.reading = threading.Event()
        self.reading.set()
        self.said: list[bytes] = []
        self.starts = 0

    @property
    def address(self) -> tuple[str, int]:
        return LOOPBACK, self.ports[0]

    def write(self, more: str = "") -> None:
        """The configuration, with whatever is wrong with it."""
        self.config.write_text(
            CONFIG.format(
                instance=self.instance,
                port=self.ports[0],
                ports=(*self.datagrams, self.ports[1]),
                folder=self.folder / "store",
                group=self.group,
                itch=ITCH,
                vendor=VENDOR,
                max_symbols=self.max_symbols,
                wanted=json.dumps(self.symbols[SHARED.start :]),
            )
            + more
        )

    def __enter__(self) -> Disturbed:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.reading.set()
        self.process.terminate()
        try:
            self.process.wait(30)
        finally:
            self.process.kill()
            self.process.wait()

    def start(self) -> None:
        command = [sys.executable, "-m", "ticker", "serve", "--config", str(self.config)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.starts += 1
        assert self.process.stderr is not None
        threading.Thread(target=self._read, args=(self.process.stderr,), daemon=True).start()

    def _read(self, pipe: Any) -> None:
        with pipe:
            while self.reading.wait() and (line := os.read(pipe.fileno(), 4096)):
                self.said.append(line)

    def log(self) -> str:
        return b"".join(self.said).decode(errors="replace")

    # -- what it is now -------------------------------------------------------------------

    def heartbeat(self, name: str) -> Heartbeat | None:
        """Of a feed by its name, or of a gateway by its slot's number."""
        try:
            if name.isdecimal():
                return Heartbeat(attach(gateway_name(self.instance, int(name)), KIND_GATEWAY))
            return Heartbeat(attach(feed_name(self.instance, name), KIND_FEED))
        except SegmentError:
            return None

    def pids(self) -> dict[str, int]:
        """The processes of the server by name: its supervisor, workers and exchanges."""
        found = {"supervisor": self.process.pid}
        known = {}
        for name in ("itch", "vendor", "0", "1", "2"):
            heartbeat = self.heartbeat(name)
            if heartbeat is not None:
                known[heartbeat.pid] = name
        for pid in _children(self.process.pid):
            with contextlib.suppress(OSError):
                command = Path(f"/proc/{pid}/cmdline").read_bytes()
                name = known.get(pid, "store")
                if b"simulate" in command:
                    name = "vendor exchange" if b"vendor" in command else "itch exchange"
                found[name] = pid
        return found

    def stores(self) -> bool:
        """Whether the store worker is there, and is up."""
        try:
            beat = Heartbeat(attach(store_name(self.instance), KIND_STORE))
        except SegmentError:
            return False
        return beat.pid in _children(self.process.pid)

    def prices(self, symbols: list[str]) -> dict[str, dict[str, Any]]:
        """REST's answer."""
        url = f"http://{LOOPBACK}:{self.ports[0]}/prices?symbols={','.join(symbols)}"
        with urlopen(url, timeout=10) as answer:
            return {each["symbol"]: each for each in json.load(answer)["prices"]}

    def ask_to_reload(self) -> None:
        """As `ticker reload` does, which finds a server by its gateways: by those of this one."""
        if "0" in self.pids():
            _send(self.process.pid, signal.SIGHUP)

    def has_all(self) -> bool:
        """Whether it is up, and every symbol has a price."""
        try:
            return len(self.prices(self.symbols)) == len(self.symbols)
        except OSError:
            assert self.process.poll() is None, self.log()
            return False

    def live(self) -> bool:
        """Whether both feeds are, and both gateways take connections."""
        found = self.pids()
        if not {"0", "1"} <= set(found):
            return False
        beats = [self.heartbeat(name) for name in ("itch", "vendor")]
        return all(each is not None and each.state == "live" for each in beats)


def _children(pid: int) -> list[int]:
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _free(kind: int) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _send(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


# -- faults -----------------------------------------------------------------------------------

Fault = Iterator[float]
Make = Callable[[Disturbed, random.Random], Fault]
WORKERS = ("itch", "vendor", "0", "1", "store", "itch exchange", "vendor exchange")


def killed(server: Disturbed, chance: random.Random) -> Fault:
    pid = server.pids().get(chance.choice(WORKERS))
    if pid:
        _send(pid, chance.choice((signal.SIGKILL, signal.SIGABRT)))
    yield 0.0


def stopped(server: Disturbed, chance: random.Random) -> Fault:
    """A worker that hangs is replaced; the others go on after a while."""
    pid = server.pids().get(chance.choice((*WORKERS, "supervisor")))
    if pid:
        _send(pid, signal.SIGSTOP)
        yield chance.uniform(1.0, 6.0)
        _send(pid, signal.SIGCONT)


def ended(server: Disturbed, chance: random.Random) -> Fault:
    """The supervisor is killed, and the server started again. The store is not dead then: both
    together lose an interval of prices (docs/store.md)."""
    while not server.stores():
        yield 0.1
    os.kill(server.process.pid, chance.choice((signal.SIGKILL, signal.SIGABRT)))
    _send(server.process.pid, signal.SIGCONT)  # it may be stopped
    server.process.wait()
    yield chance.uniform(0.0, 0.5)
    server.write()
    server.start()
    yield 2.0


def exchange_again(server: Disturbed, chance: random.Random) -> Fault:
    pid = server.pids().get(chance.choice(("itch exchange", "vendor exchange")))
    if pid:
        _send(pid, signal.SIGTERM)
    yield 0.0


def reloaded(server: Disturbed, chance: random.Random) -> Fault:
    """Rightly or wrongly."""
    server.max_symbols = chance.choice((64, 65, 66))
    server.write(chance.choice(("", "", "[gateway", 'x = "y"\n', "[auth]\ntoken = 1\n")))
    server.ask_to_reload()
    yield 0.5
    server.write()


def full_log(server: Disturbed, chance: random.Random) -> Fault:
    """Nobody reads it for a while, and it is written to."""
    server.reading.clear()
    for _ in range(20):
        server.ask_to_reload()
        yield chance.uniform(0.05, 0.15)
    server.reading.set()


def exhausted(server: Disturbed, chance: random.Random) -> Fault:
    """A gateway cannot open another file, and is asked to."""
    pid = server.pids().get(chance.choice("01"))
    callers: list[socket.socket] = []
    try:
        if pid:
            before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            open_now = len(list(Path(f"/proc/{pid}/fd").iterdir()))
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (open_now + 5, before[1]))
            for _ in range(40):
                callers.append(socket.create_connection(server.address, 5))
            yield chance.uniform(1.0, 2.0)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    except OSError:  # it, or the whole server, is gone by now
        pass
    finally:
        for each in callers:
            each.close()
    yield 0.0


def forged(server: Disturbed, chance: random.Random) -> Fault:
    """A stranger's trades, and from the venue's own address numbers and sessions of nobody."""
    line = (f"{server.group}.{chance.choice((1, 2))}", server.datagrams[0])
    session, following = _overheard(server)
    trade = _forged_trade(chance.randrange(1, ITCH))
    with _caster(STRANGER) as stranger, _caster(LOOPBACK) as venue:
        for step in range(20):
            stranger.sendto(_packet(session, following + step, [trade] * 3), line)
            stranger.sendto(_packet(b"FORGED0001", 1, [trade] * 3), line)
            venue.sendto(_packet(b"FORGED0002", 1 + step, []), line)
            venue.sendto(_packet(session, 1 << 40, []), line)
            venue.sendto(chance.randbytes(chance.randrange(1, 80)), line)
            yield 0.1


FAULTS: tuple[Make, ...] = (
    killed,
    killed,
    killed,
    stopped,
    stopped,
    ended,
    exchange_again,
    reloaded,
    full_log,
    exhausted,
    forged,
)


def _packet(session: bytes, sequence: int, messages: list[bytes]) -> bytes:
    """A MoldUDP64 packet; without messages, a heartbeat."""
    body = b"".join(len(each).to_bytes(2, "big") + each for each in messages)
    return session + sequence.to_bytes(8, "big") + len(messages).to_bytes(2, "big") + body


def _forged_trade(locate: int) -> bytes:
    """An ITCH trade message (P) of a hidden order, at a price that nothing has."""
    time_of_day = int(time.time() % 86_400 * 1e9)
    return (
        b"P"
        + struct.pack(">HH", locate, 0)
        + time_of_day.to_bytes(6, "big")
        + struct.pack(">QcI", 0, b"B", 100)
        + b"AAPL    "
        + struct.pack(">IQ", int(FORGED * 10_000), 1 << 50)
    )


def _caster(source: str) -> socket.socket:
    caster = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    caster.bind((source, 0))
    interface = socket.inet_aton(LOOPBACK)
    caster.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, interface)
    return caster


def _overheard(server: Disturbed) -> tuple[bytes, int]:
    """The session of line A, and the sequence number that follows; nobody's if it is silent."""
    group = f"{server.group}.1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        ear.bind((group, server.datagrams[0]))
        member = socket.inet_aton(group) + socket.inet_aton(LOOPBACK)
        ear.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        ear.settimeout(0.2)
        try:
            heard = ear.recv(2048)
        except TimeoutError:
            return b"FORGED0003", 1
    return heard[:10], int.from_bytes(heard[10:18], "big") + int.from_bytes(heard[18:20], "big")
