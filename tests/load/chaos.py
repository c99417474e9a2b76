"""A whole server as `ticker serve` starts it, its log and its processes by name; faults.py has what
is done to it.

Every other server of a run writes its log to a disk of its own that is small (a tmpfs in a mount
namespace of that server), the others into a pipe.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from ticker.errors import SegmentError
from ticker.shm.counters import Heartbeat
from ticker.shm.header import KIND_FEED, KIND_GATEWAY
from ticker.shm.segment import attach, feed_name, gateway_name
from ticker.simulate.market.listings import listings

LOOPBACK = "127.0.0.1"
DISK = 64 << 10
"""Bytes of the disk that has the log."""
ON_DISK = """
mount -t tmpfs -o size={size},mode=700 ticker-log "$1" && exec 2>>"$1/log" && shift && exec "$@"
"""
"""For a shell in a mount namespace: the folder of the disk, then the command."""
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


@dataclass
class Stop:
    """A time in which a process did not run, on the steady clock."""

    begin: float
    end: float = math.inf

    def within(self, since: float, now: float) -> float:
        """Its seconds between two moments."""
        return max(0.0, min(self.end, now) - max(self.begin, since))


class Disturbed:
    """The server, its log's reader, and its processes by name. A context."""

    def __init__(self, folder: Path, config: str = CONFIG) -> None:
        """`config` has the names of CONFIG to be filled in."""
        self.text = config
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
        self.ending = False
        """A fault ends it, and starts it again."""
        self.notes: list[str] = []
        """What was done to it, and when."""
        self.unwatched: list[Stop] = []
        """When the supervisor was stopped: it replaces nobody then."""
        self.prices_known: dict[str, float] = {}
        self.disk: int | None = None
        """A descriptor of the folder that has the log; None: this server's log is a pipe."""
        self._disk_folder = folder / "disk"
        self._disk_folder.mkdir()

    @property
    def address(self) -> tuple[str, int]:
        return LOOPBACK, self.ports[0]

    def write(self, more: str = "") -> None:
        """The configuration, with whatever is wrong with it; at one instant, as the server may
        read it now."""
        fresh = self.config.with_suffix(".new")
        fresh.write_text(
            self.text.format(
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
        fresh.replace(self.config)

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
            self._take_disk()

    def start(self) -> None:
        self._take_disk()
        self.starts += 1
        command = [sys.executable, "-m", "ticker", "serve", "--config", str(self.config)]
        on_disk = self.starts % 2 == 0 and has_namespaces()
        if on_disk:
            shell = ["unshare", "--mount", "sh", "-c", ON_DISK.format(size=DISK)]
            command = [*shell, "sh", str(self._disk_folder), *command]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        assert self.process.stderr is not None
        threading.Thread(target=self._read, args=(self.process.stderr,), daemon=True).start()
        if on_disk:
            self._open_disk()

    def _open_disk(self) -> None:
        """Wait until the server has it, and look at it from here."""
        path = f"/proc/{self.process.pid}/root{self._disk_folder}"
        end = time.monotonic() + 10.0
        while not Path(path, "log").exists():
            assert time.monotonic() < end, "no disk for the log"
            assert self.process.poll() is None, self.log()
            time.sleep(0.002)
        self.disk = os.open(path, os.O_RDONLY | os.O_DIRECTORY)

    def _take_disk(self) -> None:
        """The server is gone: read what it has said there."""
        if self.disk is not None:
            self.said.append(self._on_disk())
            os.close(self.disk)
            self.disk = None

    def _on_disk(self) -> bytes:
        with os.fdopen(os.open("log", os.O_RDONLY, dir_fd=self.disk), "rb") as log:
            return log.read()

    def _read(self, pipe: Any) -> None:
        with pipe:
            while self.reading.wait() and (line := os.read(pipe.fileno(), 4096)):
                self.said.append(line)

    def note(self, what: str) -> None:
        self.notes.append(
            f"{time.strftime('%H:%M:%S')}.{time.time_ns() // 1_000_000 % 1000:03} {what}"
        )

    def log(self) -> str:
        """What all servers have said."""
        on_disk = self._on_disk() if self.disk is not None else b""
        return (b"".join(self.said) + on_disk).decode(errors="replace")

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
        for pid in children_of(self.process.pid):
            with contextlib.suppress(OSError):
                command = Path(f"/proc/{pid}/cmdline").read_bytes()
                name = known.get(pid, "store")
                if b"simulate" in command:
                    name = "vendor exchange" if b"vendor" in command else "itch exchange"
                found[name] = pid
        return found

    def prices(self, symbols: list[str]) -> dict[str, dict[str, Any]]:
        """REST's answer."""
        url = f"http://{LOOPBACK}:{self.ports[0]}/prices?symbols={','.join(symbols)}"
        with urlopen(url, timeout=10) as answer:
            return {each["symbol"]: each for each in json.load(answer)["prices"]}

    def ask_to_reload(self) -> None:
        """As `ticker reload` does, which finds a server by its gateways: by those of this one."""
        if "0" in self.pids():
            send(self.process.pid, signal.SIGHUP)

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


def children_of(pid: int) -> list[int]:
    """The processes that a process has started, also those that have ended and are not reaped."""
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _free(kind: int) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def send(pid: int, number: int) -> None:
    """A signal to a process that may be gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


@cache
def has_namespaces() -> bool:
    """Whether a process of ours may mount a disk for itself."""
    if shutil.which("unshare") is None:
        return False
    command = ["unshare", "--mount", "mount", "-t", "tmpfs", "ticker-probe", "/mnt"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
