"""A whole server with its simulated exchange, as `ticker serve` starts it, in its own processes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ticker.config import SHIPPED


@contextmanager
def whole_server(
    folder: Path, name: str, network: int, more: str = "", environ: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Its address, http://host:port. `network` is the third byte of its multicast groups and a
    part of its re-request port, so that no two of them meet; `more` are tables of its
    configuration, `environ` is added to what its processes inherit."""
    config = folder / "ticker.toml"
    text = SHIPPED.read_text().replace('instance = "default"', f'instance = "{name}-{os.getpid()}"')
    text = re.sub(r"239\.192\.0\.", f"239.192.{network}.", text).replace("port = 8700", "port = 0")
    text = text.replace('file = "symbols.csv"', f'file = "{SHIPPED.parent / "symbols.csv"}"')
    config.write_text(text.replace("127.0.0.1:26479", f"127.0.0.1:{26502 + network}") + more)
    command = [sys.executable, "-m", "ticker", "serve", "--config", str(config)]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **(environ or {})},
    ) as server:
        try:
            assert server.stdout is not None
            line = server.stdout.readline().decode()
            yield line.split()[1].rstrip("/")
        finally:
            server.terminate()
            server.wait(20)
