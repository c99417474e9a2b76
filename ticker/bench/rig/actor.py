"""The parts of a bench written in Python: `python -m ticker.bench.rig.actor ROLE SETTINGS`.

One role is one process. Commands come as JSON lines on stdin (see part.py); while none comes,
the role does its work in a C loop that watches stdin.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

from ticker.bench.rig.books import SyntheticBooks
from ticker.bench.swarm.popularity import trade_order, weights
from ticker.bench.swarm.publisher import SyntheticPublisher
from ticker.bench.swarm.swarm import Swarm
from ticker.bench.swarm.symbols import symbol_names
from ticker.config import Config, FeedConfig, GatewayConfig, ServerConfig
from ticker.errors import TickerError
from ticker.shm import segment
from ticker.shm.header import KIND_FEED, KIND_GATEWAY

STDIN = 0
PR_SET_PDEATHSIG = 1
FOR_EVER = 86_400.0

Answer = dict[str, Any]
_read = bytearray()  # of stdin, and not yet a whole command or not yet its turn


def main(role: str, settings: dict[str, Any]) -> None:
    """Take the core and the limits that the settings say, then play the role."""
    os.sched_setaffinity(0, settings["cores"])
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    ROLES[role](settings)


def play_gateway(settings: dict[str, Any]) -> None:
    """A gateway worker by itself, as the supervisor would start it."""
    from ticker.gateway.context import GatewayContext
    from ticker.gateway.worker import run

    feed = settings["feed_segment"]
    config = Config(
        server=ServerConfig(instance=settings["instance"], port=0, log="json"),
        gateway=GatewayConfig(**settings["gateway"]),
        feeds=(
            FeedConfig(
                name="bench",
                protocol="itch50",
                session="moldudp64",
                venue="XNAS",
                lines=("127.0.0.1:9",),
            ),
        ),
    )
    run(
        config,
        GatewayContext(
            index=settings["index"],
            segment=settings["gateways"][settings["index"]],
            boot_id=settings["boot_id"],
            feeds=(("bench", feed),),
            listener=socket.socket(fileno=settings["listener_fd"]),
            doorbell_fd=settings["doorbell_fd"],
            gateways=tuple(settings["gateways"]),
        ),
    )


def play_publisher(settings: dict[str, Any]) -> None:
    """The synthetic feed; idle until the command to run."""
    boot_id = settings["boot_id"]
    feed = segment.attach(settings["feed_segment"], KIND_FEED, boot_id=boot_id, writable=True)
    doors = [
        (segment.attach(name, KIND_GATEWAY, boot_id=boot_id), fd)
        for name, fd in zip(settings["gateways"], settings["doorbells"], strict=True)
    ]
    publisher = SyntheticPublisher(feed, symbol_names(settings["symbols"]), doors)
    if settings["popularity"]:
        publisher.follow(trade_order(weights(settings["popularity"], settings["symbols"])))
    if settings["books"]:
        play(SyntheticBooks(publisher, feed, settings["symbols"], doors))
    else:
        play(publisher)


def play(publisher: SyntheticPublisher | SyntheticBooks) -> None:
    """Publish at the pace of the commands."""
    pace: dict[str, Any] = {}
    say({"published": publisher.published})
    while True:
        if not pending() and pace:
            publisher.run(**pace, control_fd=STDIN)
        elif not pending():
            publisher.idle(STDIN)
        command = hear()
        pace = command if command.pop("do") == "run" else {}
        kept = {"due": publisher.due, "traded": publisher.traded, "late_ns": publisher.late_ns}
        times = [] if pace else publisher.last_times()
        say({"published": publisher.published, "times": times, **kept})


def play_swarm(settings: dict[str, Any]) -> None:
    """The clients; they read all the time, and follow commands in between."""
    if settings["urgent"]:
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, -20)
    told = hear()
    symbols = told["symbols"]
    swarm = Swarm(
        settings["host"],
        settings["port"],
        symbol_names(symbols) if isinstance(symbols, int) else symbols,
        settings["clients"],
        settings["per_client"],
        first_client=settings["first_client"],
        raw=settings["raw"],
        verify=settings["verify"],
        dialect=settings["dialect"],
        control_fd=STDIN,
        encoding=settings["encoding"],
        channel=settings["channel"],
        popularity=settings["popularity"],
        nap_us=settings["nap_us"],
        path=settings["path"],
        authority=settings["authority"],
        token=told["token"],
        deflates=settings["deflates"],
    )
    commands: dict[str, Callable[..., Any]] = {
        "connect": swarm.connect,
        "subscribe": swarm.subscribe,
        "configure": swarm.configure,
        "probe": swarm.probe,
        "drain": swarm.drain,
        "reset": swarm.reset,
        "behind": swarm.behind,
        "results": lambda: {
            "counts": swarm.as_dict(),
            "open": swarm.open,
            "seconds": swarm.seconds,
            "latency": swarm.latency.dump(),
            "first_answer": swarm.first_answer.dump(),
        },
    }
    while True:
        if not pending():
            swarm.run(FOR_EVER)
        command = hear()
        try:
            say({"value": commands[command.pop("do")](**command)})
        except TickerError as error:
            say({"error": str(error)})


def pending() -> bool:
    """Whether a command is there that was read together with the one before: stdin, which the C
    loops watch, does not show it any more."""
    return b"\n" in _read


def hear() -> dict[str, Any]:
    """The next command; ends the process when there will be none."""
    while not pending():
        more = os.read(STDIN, 1 << 16)
        if not more:
            sys.exit(0)
        _read.extend(more)
    line, _, rest = bytes(_read).partition(b"\n")
    _read[:] = rest
    command: dict[str, Any] = json.loads(line)
    return command


def say(answer: Answer) -> None:
    """One line on stdout."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


ROLES: dict[str, Callable[[dict[str, Any]], None]] = {
    "gateway": play_gateway,
    "publisher": play_publisher,
    "swarm": play_swarm,
}

if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
