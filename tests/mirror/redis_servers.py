"""A real redis-server of a test's own, on a loopback port that it keeps over restarts."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from pathlib import Path

from tests.cluster.servers import wait_for
from ticker.bench.rig.ports import free_port

REDIS = shutil.which("redis-server")


class RedisProgram:
    """It keeps nothing on a disk, so a restarted one is empty."""

    def __init__(self, folder: Path, *more: str) -> None:
        assert REDIS is not None
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self.more = list(more)
        self.log = folder / f"redis-{self.port}.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert REDIS is not None
        command = [REDIS, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                   "--appendonly", "no", "--dir", str(self.log.parent), *self.more]  # fmt: skip
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_for(self.answers)

    def answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as probe:
                probe.sendall(b"PING\r\n")
                return probe.recv(1) in (b"+", b"-")
        except OSError:
            return False

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def send_signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)
