"""What is done to a server: its processes killed and stopped, its exchanges, configuration, log,
descriptors and lines disturbed.

A fault is a generator: it does something, yields the seconds until it goes on, and is over when it
has undone what does not pass by itself.
"""

from __future__ import annotations

import contextlib
import os
import random
import resource
import signal
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.load.chaos import ITCH, LOOPBACK, Disturbed, Stop, children_of, send
from tests.load.witness import FORGED

STRANGER = "127.0.0.66"

Fault = Iterator[float]
Make = Callable[[Disturbed, random.Random], Fault]
WORKERS = ("itch", "vendor", "0", "1", "store", "itch exchange", "vendor exchange")


def killed(server: Disturbed, chance: random.Random, workers: tuple[str, ...] = WORKERS) -> Fault:
    name = chance.choice(workers)
    pid = server.pids().get(name)
    if pid:
        server.note(f"kills {name}")
        send(pid, chance.choice((signal.SIGKILL, signal.SIGABRT)))
    yield 0.0


def stopped(server: Disturbed, chance: random.Random, workers: tuple[str, ...] = WORKERS) -> Fault:
    """A worker that hangs is replaced; the others go on after a while."""
    name = chance.choice((*workers, "supervisor"))
    pid = server.pids().get(name)
    if pid:
        seconds = chance.uniform(1.0, 6.0)
        server.note(f"stops {name} for {seconds:.1f} s")
        stop = Stop(time.monotonic())
        if name == "supervisor":
            server.unwatched.append(stop)
        send(pid, signal.SIGSTOP)
        yield seconds
        send(pid, signal.SIGCONT)
        stop.end = time.monotonic()


def ended(server: Disturbed, chance: random.Random) -> Fault:
    """The supervisor is killed, alone or with others, and the server started again."""
    while server.ending:
        yield 0.1
    server.ending = True
    how = chance.choice((_supervisor_killed, _killed_without_store, _all_killed))
    server.note(how.__name__)
    yield from how(server, chance)
    send(server.process.pid, signal.SIGCONT)  # it may be stopped
    server.process.wait()
    yield chance.uniform(0.0, 0.5)
    server.write()
    server.note("starts")
    server.start()
    yield from _some_of_its_life(server, chance)
    server.ending = False


def _supervisor_killed(server: Disturbed, chance: random.Random) -> Fault:
    os.kill(server.process.pid, chance.choice((signal.SIGKILL, signal.SIGABRT)))
    yield 0.0


def _killed_without_store(server: Disturbed, chance: random.Random) -> Fault:
    """The store worker is killed before, or while the supervisor cannot see it."""
    if pid := server.pids().get("store"):
        if chance.random() < 0.5:
            send(server.process.pid, signal.SIGSTOP)
        send(pid, signal.SIGKILL)
        yield chance.choice((0.0, 0.1, 1.0, 3.0))
    os.kill(server.process.pid, signal.SIGKILL)


def _all_killed(server: Disturbed, chance: random.Random) -> Fault:  # noqa: ARG001
    """At once, as by the kernel for want of memory."""
    pids = [*server.pids().values(), *children_of(server.process.pid)]
    for pid in dict.fromkeys(pids):
        send(pid, signal.SIGKILL)
    yield 0.0


def _some_of_its_life(server: Disturbed, chance: random.Random) -> Fault:
    """Mostly until its feeds are live, but not for long where they are disturbed again; else a
    part of its start."""
    end = time.monotonic() + (15.0 if chance.random() < 0.75 else chance.uniform(0.2, 2.0))
    while time.monotonic() < end and not server.live():
        yield 0.2


def exchange_again(server: Disturbed, chance: random.Random) -> Fault:
    pid = server.pids().get(chance.choice(("itch exchange", "vendor exchange")))
    if pid:
        send(pid, signal.SIGTERM)
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


def full_disk(server: Disturbed, chance: random.Random) -> Fault:
    """That of the log, and it is written to."""
    if server.disk is None:
        return
    disk = os.dup(server.disk)  # the server may be another one before this is over
    name = f"ballast-{disk}"  # another fault may fill it, too
    try:
        _fill(disk, name)
        for _ in range(20):
            server.ask_to_reload()
            yield chance.uniform(0.05, 0.15)
        os.unlink(name, dir_fd=disk)
    finally:
        os.close(disk)


def _fill(disk: int, name: str) -> None:
    ballast = os.open(name, os.O_WRONLY | os.O_CREAT, dir_fd=disk)
    try:
        for size in (4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    os.write(ballast, bytes(size))
    finally:
        os.close(ballast)


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
    """A stranger's trades, at a price like the true one; and from the venue's own address numbers
    and sessions of nobody."""
    line = (f"{server.group}.{chance.choice((1, 2))}", server.datagrams[0])
    session, following = _overheard(server)
    locate = chance.randrange(1, ITCH)
    trade = _forged_trade(locate, server.prices_known[server.symbols[locate - 1]])
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
    full_disk,
    exhausted,
    forged,
)


def _packet(session: bytes, sequence: int, messages: list[bytes]) -> bytes:
    """A MoldUDP64 packet; without messages, a heartbeat."""
    body = b"".join(len(each).to_bytes(2, "big") + each for each in messages)
    return session + sequence.to_bytes(8, "big") + len(messages).to_bytes(2, "big") + body


def _forged_trade(locate: int, near: float) -> bytes:
    """An ITCH trade message (P) of a hidden order, at a price close to another."""
    time_of_day = int(time.time() % 86_400 * 1e9)
    return (
        b"P"
        + struct.pack(">HH", locate, 0)
        + time_of_day.to_bytes(6, "big")
        + struct.pack(">QcI", 0, b"B", 100)
        + b"AAPL    "
        + struct.pack(">IQ", int(near * 100) * 100 + FORGED, 1 << 50)
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
