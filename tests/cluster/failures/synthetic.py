"""An ingest box whose one feed makes its trades itself, as fast as a test wants them; each price
belongs to its time (tests/load/watcher.py)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.cluster.servers import CLUSTER, HEAD, Box, cluster_name
from tests.load.server import PROGRAM
from ticker.bench.swarm.symbols import symbol_names

FEED = """
protocol = "itch50"
session = "moldudp64"
venue = "XNAS"
lines = ["127.0.0.1:26477"]
rows = 2048
rings = 4
ring_capacity = 262144
calendar = "none"
"""


class Synthetic(Box):
    """`ticker serve` with such a feed, which is silent until `publish`."""

    def __init__(self, folder: Path, servers: str, *, symbols: int, more: str = "") -> None:
        cluster = CLUSTER.format(name=cluster_name(), servers=servers, rank=1, more=more)
        super().__init__(folder, HEAD.format(cluster=cluster) + FEED)
        self.symbols = symbol_names(symbols)
        self.control = -1

    def start(self) -> None:
        reader, self.control = os.pipe()
        command = [sys.executable, str(PROGRAM), str(self.config), str(reader)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, str(len(self.symbols))],
                stdout=subprocess.PIPE, stderr=log, pass_fds=(reader,),
            )  # fmt: skip
        os.close(reader)
        self.learn_url()

    def publish(self, rate: float) -> None:
        """`rate` trades a second from now on, over all symbols; 0: silence."""
        pace = {"interval": 1.0, "ticks": rate / len(self.symbols)} if rate else {}
        os.write(self.control, json.dumps(pace).encode() + b"\n")

    def kill(self) -> None:
        super().kill()
        if self.control >= 0:
            os.close(self.control)
            self.control = -1
