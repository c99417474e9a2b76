"""The peers: their processes, their packages, and the way to publish to each."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from bench.runs import ROOT

HERE = Path(__file__).resolve().parent
SERVERS = HERE / "servers"
BUILD = ROOT / "build" / "peers"
PYTHON = BUILD / "venv" / "bin" / "python"
NODE_MODULES = BUILD / "node" / "node_modules"
GO_BIN = BUILD / "go"
GO_MODULES = {
    "nats-server": "github.com/nats-io/nats-server/v2@v2.15.2",
    "centrifugo": "github.com/centrifugal/centrifugo/v6@v6.5.1",
}
# Sources in Debian packages, where there is no module to be had; servers/centrifuge/go.mod.
DEBIAN_SOURCES = {
    "centrifuge": ("golang-github-centrifugal-centrifuge-dev", "0.15.0+git20210306.f435ba2-2"),
    "protocol": ("golang-github-centrifugal-protocol-dev", "0.3.6-3"),
}

Argv = list[str]


@dataclass(frozen=True)
class Ports:
    """Where clients connect, and where ticks go in."""

    clients: int
    ticks: int


@dataclass(frozen=True)
class Peer:
    """One other server. `commands` are its processes in the order of their start, each an argv
    for pinned.py; `file` is its adapter, whose head says how it is tuned and after which page;
    `parts` are the (package, kind) that it is made of."""

    name: str
    title: str
    file: str
    sink: str
    commands: Callable[[Ports], list[Argv]]
    needs: Path | str
    parts: tuple[tuple[str, str], ...]
    dialect: str = "plain"
    one_port: bool = False
    goals: tuple[float | None, float | None] = (None, None)  # ratio at 5 and at 50 symbols
    heavy: bool = False  # carries a million deliveries per second
    timed: bool = False  # its adapter can publish by a timer: by_timer

    @property
    def snapshots(self) -> bool:
        """Whether a subscriber gets the last price; else only the subscription is confirmed."""
        return self.dialect not in ("nats", "centrifugo", "centrifuge")

    def by_timer(self, seconds: float) -> Peer:
        """The same server, which publishes what has come once in so many seconds."""

        def commands(ports: Ports) -> list[Argv]:
            *before, last = self.commands(ports)
            return [*before, [f"PEER_TIMER_MS={seconds * 1e3:g}", *last]]

        return replace(self, commands=commands)

    def missing(self) -> str | None:
        """The reason why it cannot run here, or None."""
        if isinstance(self.needs, Path):
            there = self.needs.exists()
        else:
            there = shutil.which(self.needs) is not None and PYTHON.exists()
        if there:
            return None
        noted = BUILD / f"{self.name}.missing"
        reason = noted.read_text(encoding="utf-8").strip() if noted.exists() else ""
        return reason or f"{self.needs} is not there; `make bench-peers` installs what it can"

    def versions(self) -> dict[str, str]:
        """The versions of its installed packages."""
        return {package: version(package, kind) for package, kind in self.parts}


def version(package: str, kind: str) -> str:
    """The installed version of a package of PyPI, npm, Go or Debian."""
    if kind == "npm":
        described = json.loads((NODE_MODULES / package / "package.json").read_text())
        return str(described["version"])
    if kind == "pypi":
        code = f"import importlib.metadata as m; print(m.version({package!r}))"
        return _output(str(PYTHON), "-c", code)
    if kind == "go":
        return GO_MODULES[package].partition("@")[2]
    if kind == "debian sources":
        return DEBIAN_SOURCES[package][1]
    return _output(package, "--version")


def _output(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


def in_python(name: str, *more: str) -> Callable[[Ports], list[Argv]]:
    """A server in servers/, run by the peers' own interpreter."""
    return lambda ports: [
        [str(PYTHON), str(SERVERS / name), str(ports.clients), str(ports.ticks), *more]
    ]


def in_node(name: str) -> Callable[[Ports], list[Argv]]:
    """A server in servers/, from beside its packages."""
    return lambda ports: [
        ["NODE_ENV=production", "node", str(BUILD / "node" / name), str(ports.clients),
         str(ports.ticks)]
    ]  # fmt: skip


def nats(ports: Ports) -> list[Argv]:
    return [
        [
            f"PEER_PORT={ports.clients}",
            f"PEER_TICK_PORT={ports.ticks}",
            str(GO_BIN / "nats-server"),
            "--config",
            str(SERVERS / "nats.conf"),
        ]
    ]


def centrifugo(ports: Ports) -> list[Argv]:
    return [
        [
            "CENTRIFUGO_HTTP_SERVER_ADDRESS=127.0.0.1",
            f"CENTRIFUGO_HTTP_SERVER_PORT={ports.clients}",
            str(GO_BIN / "centrifugo"),
            "--config",
            str(SERVERS / "centrifugo.yaml"),
        ]
    ]


def centrifuge(ports: Ports) -> list[Argv]:
    return [[str(GO_BIN / "centrifuge"), str(ports.clients), str(ports.ticks)]]


def redis(ports: Ports) -> list[Argv]:
    """redis-server on the port of the ticks, then the application."""
    settings = {
        "port": str(ports.ticks),
        "bind": "127.0.0.1",
        "save": "",
        "appendonly": "no",
        "client-output-buffer-limit": "pubsub 0 0 0",
        "dir": str(BUILD),
    }
    server = ["redis-server"]
    for name, value in settings.items():
        server += [f"--{name}", *(value.split(" ") if value else [""])]
    return [server, *in_python("redis_aiohttp.py")(ports)]


PEERS = (
    Peer(
        "uwebsockets", "uWebSockets (socketify)", "uwebsockets.py", "websocket",
        in_python("uwebsockets.py"), PYTHON, (("socketify", "pypi"),), one_port=True,
        goals=(1.3, 3.5), heavy=True, timed=True,
    ),
    Peer(
        "aiohttp", "aiohttp, as most write it", "naive_aiohttp.py", "lines",
        in_python("naive_aiohttp.py", "asyncio"), PYTHON, (("aiohttp", "pypi"),),
        goals=(5.0, None), timed=True,
    ),
    Peer(
        "aiohttp-uvloop", "aiohttp, the same with uvloop", "naive_aiohttp.py", "lines",
        in_python("naive_aiohttp.py"), PYTHON, (("aiohttp", "pypi"), ("uvloop", "pypi")),
        goals=(5.0, None), timed=True,
    ),
    Peer(
        "websockets", "python-websockets, broadcast", "broadcast_websockets.py", "lines",
        in_python("broadcast_websockets.py"), PYTHON, (("websockets", "pypi"), ("uvloop", "pypi")),
        goals=(5.0, None), timed=True,
    ),
    Peer(
        "nats", "nats-server", "nats.conf", "nats", nats, GO_BIN / "nats-server",
        (("nats-server", "go"),), dialect="nats", goals=(1.5, 5.0), heavy=True,
    ),
    Peer(
        "centrifugo", "Centrifugo", "centrifugo.yaml", "centrifugo", centrifugo,
        GO_BIN / "centrifugo", (("centrifugo", "go"),), dialect="centrifugo", one_port=True,
        goals=(4.0, None),
    ),
    Peer(
        "centrifuge", "centrifuge (the library that Centrifugo is made of)", "centrifuge/main.go",
        "lines", centrifuge, GO_BIN / "centrifuge",
        (("centrifuge", "debian sources"), ("protocol", "debian sources")), dialect="centrifuge",
        goals=(4.0, None), timed=True,
    ),
    Peer(
        "ws", "ws (npm)", "ws.mjs", "lines", in_node("ws.mjs"), NODE_MODULES / "ws",
        (("ws", "npm"), ("bufferutil", "npm")), timed=True,
    ),
    Peer(
        "redis", "Redis pub/sub + aiohttp", "redis_aiohttp.py", "redis", redis, "redis-server",
        (("redis-server", "debian"), ("redis", "pypi"), ("hiredis", "pypi"), ("aiohttp", "pypi")),
    ),
    Peer(
        "socketio", "Socket.IO", "socketio.mjs", "lines", in_node("socketio.mjs"),
        NODE_MODULES / "socket.io", (("socket.io", "npm"), ("ws", "npm"), ("bufferutil", "npm")),
        dialect="socketio",
    ),
)  # fmt: skip
