"""A simulated Cboe exchange as a process, and workers of a feed that hears it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack

from tests.feeds.worker_process import LOOPBACK, Worker
from ticker.bench.rig.ports import free_port

UNITS = 3


class Exchange:
    """`ticker simulate pitch` as a process, and the configuration of a feed that hears it."""

    def __init__(self, stack: ExitStack) -> None:
        self.stack = stack
        host = f"239.193.{os.getpid() >> 8 & 127}.{os.getpid() & 255}"
        self.lines = [f"{host}:{free_port()}", f"{host}:{free_port()}"]
        self.gap_line = f"{host}:{free_port()}"
        self.gap_proxy = f"{LOOPBACK}:{free_port()}"
        self.spin = [f"{LOOPBACK}:{free_port()}" for _ in range(UNITS)]

    def speak(self, *options: str) -> None:
        command = [sys.executable, "-m", "ticker", "simulate", "pitch", "--units", str(UNITS)]
        command += ["--symbols", "30", "--rate", "10000", "--linger", "2"]
        command += options
        command += ["--line-a", self.lines[0], "--line-b", self.lines[1]]
        command += ["--gap-proxy", self.gap_proxy, "--gap-line", self.gap_line]
        for address in self.spin:
            command += ["--spin", address]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        self.process = self.stack.enter_context(process)
        self.stack.callback(process.kill)

    def check(self) -> None:
        """It speaks, or has spoken to its end; else its port was taken, for instance."""
        assert not self.process.poll(), f"the exchange ended with {self.process.returncode}"

    def worker(
        self,
        *options: str,
        asks: bool = True,
        patience: float = 0.1,
        kind: type[Worker] = Worker,
        more: str = "",
    ) -> Worker:
        toml = f'[[feeds]]\nname = "sim"\nvenue = "BATS"\nprotocol = "pitch"\n{more}'
        toml += f"request_timeout = {patience}\n"
        toml += f"lines = {json.dumps(self.lines)}\n[feeds.pitch]\n"
        if asks:
            toml += f'gap_proxy = "{self.gap_proxy}"\ngap_lines = ["{self.gap_line}"]\n'
        made = kind(toml + "\n".join(options))
        self.stack.callback(made.close)
        return made

    def spins(self) -> str:
        return f"units = [1, 2, 3]\nspin = {json.dumps(self.spin)}\n"
