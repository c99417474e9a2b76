"""Checks of a machine before the server runs: clock, buffers, memory, descriptors, ports, routes.

In: a configuration, and the state of this machine. Out: findings, each with the next step. Nothing
is changed; sockets are opened and closed again.
"""

from __future__ import annotations

import ctypes
import os
import resource
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from ticker.config import Config, FeedConfig
from ticker.errors import NoServerError, SegmentError
from ticker.feeds.transports.datagram_sockets import RECEIVE_BUFFER, is_multicast
from ticker.feeds.workers.sources import Kind, Plan, plan_of
from ticker.gateway.sockets.sender import refusal_here
from ticker.shm.header import KIND_BARS, KIND_FEED, KIND_GATEWAY, segment_size
from ticker.shm.segment import BARS_RING
from ticker.supervisor.find import check_runs
from ticker.supervisor.instance import bar_symbols
from ticker.supervisor.serve import DESCRIPTORS, files_needed

CLOCK_ERROR = 5  # of adjtimex(2): the clock is not synchronized
UNSYNCHRONISED = 0x40
LISTENS = "0A"  # of /proc/net/tcp
LEAST_GOOD_ERROR = 0.5
"""s by which a clock may be wrong before the filter may refuse trades for their time."""


@dataclass(frozen=True)
class Finding:
    """One finding. `advice` is empty if all is well. `grave`: the server would not start, or would
    lose data."""

    subject: str
    text: str
    advice: str = ""
    grave: bool = False


class Machine:
    """This machine, or for a test another one: `root` has its /proc, /sys and /dev/shm."""

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root

    def text(self, path: str) -> str:
        """A file's text; empty if there is no such file."""
        try:
            return (self.root / path).read_text().strip()
        except OSError:
            return ""

    def number(self, path: str) -> int | None:
        """The number in a file; None if there is no such file."""
        text = self.text(path)
        return int(text) if text.isdecimal() else None

    def shared_memory(self) -> int:
        """Bytes that are free in /dev/shm."""
        found = os.statvfs(self.root / "dev/shm")
        return found.f_bavail * found.f_frsize

    def clock(self) -> tuple[bool, float]:
        """Whether the clock is synchronized, and its greatest error in s."""
        buffer = (ctypes.c_long * 64)()
        state = ctypes.CDLL(None).adjtimex(ctypes.byref(buffer))
        # struct timex: modes, offset, freq, maxerror (us), esterror, status, ...
        kept = state != CLOCK_ERROR and not int(buffer[5]) & UNSYNCHRONISED
        return kept, buffer[3] / 1e6

    def io_uring_refusal(self) -> str | None:
        """Why a process can have no io_uring; None: it can."""
        return refusal_here()

    def descriptors(self) -> int:
        """Files that a process may open at most."""
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        return (1 << 31) - 1 if hard == resource.RLIM_INFINITY else hard


def examine(config: Config, machine: Machine) -> Iterator[Finding]:
    """The findings of all checks, in the order of the output."""
    yield _clock(machine)
    yield _descriptors(config, machine)
    yield _shared_memory(config, machine)
    yield _huge_pages(machine)
    yield _port(config, machine)
    plans = [(feed, plan_of(feed)) for feed in config.feeds]
    datagrams = [(feed, plan) for feed, plan in plans if plan.kind is Kind.DATAGRAMS]
    if datagrams:
        yield _receive_buffers(machine)
    for feed, plan in datagrams:
        yield from _groups(feed, plan)
    yield _clients(config)
    yield _sender(config, machine)


def _clock(machine: Machine) -> Finding:
    kept, error = machine.clock()
    if not kept:
        return Finding(
            "clock",
            "this machine's clock is not synchronized",
            "start chrony or systemd-timesyncd: trades look late or early, and may be refused",
        )
    if error > LEAST_GOOD_ERROR:
        return Finding(
            "clock",
            f"the clock may be wrong by {error:.1f} s",
            "look at `chronyc tracking`: a synchronized clock is right within some ms",
        )
    return Finding("clock", f"synchronized, within {error * 1e3:.0f} ms")


def _descriptors(config: Config, machine: Machine) -> Finding:
    wanted = files_needed(config)
    allowed = machine.descriptors()
    if allowed < wanted:
        return Finding(
            "open files",
            f"{allowed} are allowed, and gateway.max_connections needs {wanted}",
            f"allow more (LimitNOFILE={wanted} in systemd, or ulimit -n), or set "
            f"gateway.max_connections = {max(0, allowed - DESCRIPTORS)}",
        )
    return Finding("open files", f"{allowed} are allowed, {wanted} are needed at most")


def _shared_memory(config: Config, machine: Machine) -> Finding:
    wanted = sum(
        segment_size(
            KIND_FEED,
            feed.rows,
            feed.rings,
            feed.ring_capacity,
            min(feed.rows, config.depth.rows),
        )
        for feed in config.feeds
    )
    wanted += (config.server.gateways + 2) * segment_size(KIND_GATEWAY)
    if config.store.enabled:
        wanted += segment_size(KIND_BARS, bar_symbols(config), 1, BARS_RING)
    free = machine.shared_memory()
    shown = f"{wanted / 2**20:.0f} MiB of shared memory are needed, {free / 2**20:.0f} are free"
    if free < wanted:
        return Finding(
            "/dev/shm",
            shown,
            f"make it larger (docker run --shm-size={wanted // 2**20 + 64}m; "
            "mount -o remount,size=... /dev/shm), or lower feeds.rows and feeds.ring_capacity",
            grave=True,
        )
    return Finding("/dev/shm", shown)


def _huge_pages(machine: Machine) -> Finding:
    text = machine.text("sys/kernel/mm/transparent_hugepage/enabled")
    chosen = text.partition("[")[2].partition("]")[0]
    if chosen == "always":
        return Finding(
            "huge pages",
            "transparent huge pages are always on",
            "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled: making them now and then "
            "stops a worker for some ms",
        )
    return Finding("huge pages", f"transparent huge pages: {chosen or 'none'}")


def _port(config: Config, machine: Machine) -> Finding:
    host, port = config.server.host, config.server.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if own := _listens(config, machine):
                return Finding("port", f"{host}:{port} is the running server's (pid {own})")
            return Finding(
                "port",
                f"cannot listen on {host}:{port}: {error.strerror or error}",
                "end the program that uses it (`ss -ltnp` shows it), or set another server.port",
                grave=True,
            )
    return Finding("port", f"{host}:{port} is free")


def _listens(config: Config, machine: Machine) -> int:
    """The pid of the running server of this configuration, if the port is its own; 0: it is not."""
    try:
        supervisor = check_runs(config.server.instance)
        held = {str(each.readlink()) for each in Path(f"/proc/{supervisor}/fd").iterdir()}
    except (NoServerError, SegmentError, OSError):
        return 0
    lines = [machine.text(f"proc/net/{name}").splitlines()[1:] for name in ("tcp", "tcp6")]
    for words in map(str.split, chain(*lines)):
        port, state, inode = words[1].rpartition(":")[2], words[3], words[9]
        if state == LISTENS and int(port, 16) == config.server.port and f"socket:[{inode}]" in held:
            return supervisor
    return 0


def _receive_buffers(machine: Machine) -> Finding:
    most = machine.number("proc/sys/net/core/rmem_max")
    if most is not None and most < RECEIVE_BUFFER and os.geteuid() != 0:
        return Finding(
            "receive buffers",
            f"at most {most / 2**20:.1f} MiB, and a feed asks for {RECEIVE_BUFFER >> 20}",
            f"sysctl -w net.core.rmem_max={RECEIVE_BUFFER}: a burst that finds no room is lost",
        )
    return Finding("receive buffers", "as large as a feed asks for")


def _groups(feed: FeedConfig, plan: Plan) -> Iterator[Finding]:
    """Each line's multicast group can be joined on the feed's interface."""
    for host, _, _ in plan.lines:
        if not is_multicast(host):
            continue
        subject = f"feed {feed.name}"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            own = socket.inet_aton(feed.interface)
            try:
                probe.setsockopt(
                    socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(host) + own
                )
            except OSError as error:
                yield Finding(
                    subject,
                    f"{host} cannot be joined on {feed.interface}: {error.strerror or error}",
                    "set feeds.interface to an address of the network card of the feed (`ip -4 a`)",
                    grave=True,
                )
            else:
                yield Finding(subject, f"{host} can be joined on {feed.interface}")


def _sender(config: Config, machine: Machine) -> Finding:
    """How gateways send to their clients."""
    reason = machine.io_uring_refusal() if config.gateway.sender != "send" else None
    if reason is None:
        chosen = "send" if config.gateway.sender == "send" else "io_uring"
        return Finding("sender", f"gateways send by {chosen}")
    return Finding(
        "sender",
        f"gateways send by send, as io_uring is refused: {reason}",
        "let the profile of the container allow io_uring_setup and io_uring_enter, for sends that "
        "cost less (docs/operations.md)",
        grave=config.gateway.sender == "io_uring",
    )


def _clients(config: Config) -> Finding:
    """The addresses from which the server can be reached, and its names."""
    host, access = config.server.host, config.access
    if host in ("127.0.0.1", "::1", "localhost"):
        return Finding("clients", "only programs on this machine can reach it")
    if not access.hosts and access.public_url is None:
        return Finding(
            "clients",
            f"it listens on {host}, and pages by another name are refused",
            "set access.public_url to the address that clients use; behind a proxy set "
            "access.proxies, too (docs/security.md)",
        )
    if config.auth is None:
        return Finding(
            "clients",
            f"it listens on {host}, and asks for no token",
            "give every client a token ([auth], `ticker token`), unless all may see all prices",
        )
    return Finding("clients", f"it listens on {host}")
