"""Real servers for tests of the bus: nats-server, and boxes as `ticker serve` starts them."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Protocol

from tests.cluster.failures.network import Machine
from ticker.bench.rig.ports import free_port
from ticker.shm.counters import Counters, Heartbeat
from ticker.shm.header import KIND_FEED, KIND_RELAY, Mapping
from ticker.shm.segment import SHM_FOLDER, attach, feed_name, relay_name

numbers = itertools.count(1)
NATS = shutil.which("nats-server") or shutil.which(
    "nats-server", path=str(Path(sys.executable).parent)
)


def wait_for(what: Callable[[], Any], *, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it does not come to pass"
        time.sleep(0.005)


def within(where: Machine | None) -> AbstractContextManager[None]:
    """Sockets of this thread are of that machine; None: of the one that runs the test."""
    return nullcontext() if where is None else where.inside()


class Nats:
    """A nats-server on a port of its own, which it keeps over restarts."""

    def __init__(self, folder: Path, *more: str, where: Machine | None = None) -> None:
        assert NATS is not None
        self.where = where
        self.host = "127.0.0.1" if where is None else where.address
        self.port = free_port()
        self.url = f"nats://{self.host}:{self.port}"
        enter = [] if where is None else where.enter
        self.command = [*enter, NATS, "-a", self.host, "-p", str(self.port), *more]
        self.log = folder / f"nats-{self.port}.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log)
        wait_for(self.answers)

    def answers(self) -> bool:
        try:
            with (
                within(self.where),
                socket.create_connection((self.host, self.port), 1) as probe,
            ):
                return probe.recv(4) == b"INFO"
        except OSError:
            return False

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


class Box:
    """A `ticker serve` process, on a machine of its own or not."""

    def __init__(self, folder: Path, text: str, where: Machine | None = None) -> None:
        self.where = where
        self.instance = f"bus-{os.getpid()}-{next(numbers)}"
        self.config = folder / f"{self.instance}.toml"
        self.config.write_text(text.replace("INSTANCE", self.instance))
        self.log = folder / f"{self.instance}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def start(self) -> None:
        command = [] if self.where is None else list(self.where.enter)
        command += [sys.executable, "-m", "ticker", "serve", "--config", str(self.config)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
        self.learn_url()

    def learn_url(self) -> None:
        """It says its address when it serves."""
        assert self.process is not None
        assert self.process.stdout is not None
        line = self.process.stdout.readline().decode()
        assert line, self.log.read_text()
        self.url = line.split()[1].rstrip("/")

    def feed(self, name: str) -> Mapping:
        return attach(feed_name(self.instance, name), KIND_FEED)

    def worker(self, name: str) -> int:
        """The pid of a feed's worker."""
        return Heartbeat(self.feed(name)).pid

    def state(self, name: str) -> str:
        return Heartbeat(self.feed(name)).state

    def count(self, name: str, counter: str) -> int:
        return Counters(self.feed(name))[counter]

    def relay(self, counter: str) -> int:
        """A counter of its relay."""
        return Counters(attach(relay_name(self.instance), KIND_RELAY))[counter]

    def relays(self) -> bool:
        """Whether its relay runs, and is connected."""
        alive = Heartbeat(attach(relay_name(self.instance), KIND_RELAY)).pid
        return Path(f"/proc/{alive}").exists() and bool(self.relay("connected"))

    def kill(self) -> None:
        """End it as an operator does."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            assert self.process.stdout is not None
            self.process.stdout.close()
            self.process = None

    def there(self) -> bool:
        return any(SHM_FOLDER.glob(f"ticker.{self.instance}.*"))


class Program(Protocol):
    """A thing of a test that is started and ended."""

    def start(self) -> None: ...

    def kill(self) -> None: ...


@contextmanager
def running(*them: Program) -> Iterator[None]:
    """Start them in this order, and end them in the other one."""
    try:
        for each in them:
            each.start()
        yield
    finally:
        for each in reversed(them):
            each.kill()


HEAD = """
[server]
instance = "INSTANCE"
port = 0
[store]
enabled = false
{cluster}
[[feeds]]
name = "sim"
"""
"""Of a box's configuration, before what is its feed's own."""

CLUSTER = """
[cluster]
name = "{name}"
servers = [{servers}]
rank = {rank}
{more}
"""


def ingest(folder: Path, servers: str, *, network: int, rank: int = 1, rate: int = 2000,
           symbols: int = 50, more: str = "", simulated: bool = True,
           where: Machine | None = None, exchange: str = "127.0.0.1") -> Box:  # fmt: skip
    """A box with the simulated exchange, which publishes it as feed "sim". Not `simulated`: the
    exchange is that of another box, at the address `exchange`."""
    interface = "127.0.0.1" if where is None else where.lines
    server = interface if simulated else exchange
    cluster = CLUSTER.format(name=cluster_name(), servers=servers, rank=rank, more=more)
    same_rules = 'calendar = "none"'
    simulator = f"simulator = {{ symbols = {symbols}, rate = {rate}, loss = 0.0 }}"
    return Box(
        folder,
        HEAD.format(cluster=cluster)
        + f"""
protocol = "itch50"
venue = "XNAS"
lines = ["239.192.{network}.1:26477", "239.192.{network}.2:26477"]
rerequest = "{server}:{26502 + network}"
interface = "{interface}"
rows = 2048
{simulator if simulated else same_rules}
""",
        where,
    )


def gateway(folder: Path, servers: str, more: str = "", where: Machine | None = None) -> Box:
    """A box that serves feed "sim" from the bus."""
    cluster = CLUSTER.format(name=cluster_name(), servers=servers, rank=0, more=more)
    return Box(
        folder,
        HEAD.format(cluster=cluster)
        + """
from = "bus"
rows = 2048
""",
        where,
    )


def cluster_name() -> str:
    return f"test-{os.getpid()}"
