"""A whole server - supervisor, real gateway workers - whose one feed makes its prices itself.

Run as `python tests/load/synthetic_server.py CONFIG.toml CONTROL_FD SYMBOLS`. The feed takes one
line of JSON at a time from CONTROL_FD: how to publish (`interval`, `ticks`), or `{}` for silence.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from functools import partial
from pathlib import Path

from ticker import log
from ticker.bench.swarm.publisher import SyntheticPublisher
from ticker.bench.swarm.symbols import symbol_names
from ticker.cluster.workers import relay
from ticker.config import FeedConfig, load
from ticker.errors import TickerError
from ticker.feeds.workers.worker import FeedContext
from ticker.gateway import worker
from ticker.shm.header import KIND_FEED, KIND_GATEWAY
from ticker.shm.segment import attach
from ticker.supervisor.feed_slots import Mains
from ticker.supervisor.serve import serve


def feed(_config: FeedConfig, context: FeedContext, *, control: int, symbols: int) -> None:
    """Publish as told, until the writer of `control` is gone or SIGTERM comes."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the publisher's loop is not Python's
    mapping = attach(context.segment, KIND_FEED, boot_id=context.boot_id, writable=True)
    doors = [(attach(name, KIND_GATEWAY), fd) for name, fd in context.gateways]
    publisher = SyntheticPublisher(mapping, symbol_names(symbols), doors)
    pace: dict[str, float] = {}
    while True:
        if pace:
            publisher.run(**pace, control_fd=control)
        else:
            publisher.idle(control)
        pace = json.loads(line(control))


def line(control: int) -> bytes:
    """Byte by byte: what follows must stay in the pipe, which the publisher watches."""
    text = b""
    while not text.endswith(b"\n"):
        byte = os.read(control, 1)
        if not byte:
            sys.exit(0)
        text += byte
    return text


def main(path: Path, control: int, symbols: int) -> int:
    log.configure("json")
    config = load(path)
    return serve(
        config,
        partial(print, flush=True),
        mains=Mains(
            feed=partial(feed, control=control, symbols=symbols),
            relay=relay.run if config.cluster is not None else None,
        ),
        gateway_main=worker.run,
        reload=partial(load, path),
    )


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
    except TickerError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
