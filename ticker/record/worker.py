"""The process entry of the recorder of a server: `[record]` of ticker.toml.

`run` is called by the supervisor in a forked child and returns when the recorder was told to stop.
"""

from __future__ import annotations

import os
import signal
import threading

from ticker.clock import now_ns
from ticker.config import Config
from ticker.pulse import Pulse
from ticker.record.context import RecorderContext
from ticker.record.recorder import Recorder
from ticker.record.tape import Tape
from ticker.shm.counters import Counters, Heartbeat
from ticker.shm.header import KIND_FEED, KIND_RECORDER
from ticker.shm.segment import attach


def run(config: Config, context: RecorderContext) -> None:
    """Record until SIGTERM or SIGINT, and write all gathered events before returning.

    Raises:
        SegmentError: a segment is missing or not the expected one.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    boot = context.boot_id
    segment = attach(context.segment, KIND_RECORDER, boot_id=boot, writable=True)
    heartbeat = Heartbeat(segment)
    tapes = [
        Tape(attach(name, KIND_FEED, boot_id=boot), feed, context.folder, timezone)
        for feed, name, timezone in context.feeds
    ]
    recorder = Recorder(
        tapes,
        context.folder,
        max_bytes=config.record.max_bytes,
        interval=config.record.interval,
        counters=Counters(segment),
    )
    heartbeat.take_over(os.getpid(), now_ns())
    with Pulse(lambda: heartbeat.beat(now_ns())):
        recorder.serve(stop)
    heartbeat.leave()
