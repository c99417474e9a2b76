"""The files of examples/, run as they stand there; only the server's address is another one."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.package import node
from tests.clients.site import served
from tests.clients.test_readme import ADDRESS
from tests.gateway.conftest import E9, Rig
from tests.gateway.kept import keep, kept_bar
from tests.gateway.rest.browser import chromium
from ticker.config import Config, GatewayConfig
from ticker.config.access import AccessConfig
from ticker.shm.depth.rows import DepthWriter
from ticker.store.past import Past
from ticker.store.reader import HistoryReader

pytestmark = pytest.mark.slow
START = 1_774_960_200  # 2026-03-31T12:30:00Z
MOST_LINES = 20


@pytest.fixture(scope="module")
def page_socket() -> Iterator[socket.socket]:
    """Where the example's page is served, which the gateway's configuration lists."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.fixture(scope="module")
def rig(page_socket: socket.socket, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    kept = tmp_path_factory.mktemp("kept")
    keep(kept, [kept_bar("AAPL", START + 60 * n, (185 + n) * E9) for n in range(30)])
    origin = f"http://127.0.0.1:{page_socket.getsockname()[1]}"
    config = Config(
        gateway=GatewayConfig(max_connections=64), access=AccessConfig(origins=(origin,))
    )
    made = Rig(f"examples{time.monotonic_ns()}", config, past=Past(HistoryReader(kept)))
    for symbol in ("AAPL", "MSFT"):
        made.trade(made.row(symbol), 185 * E9)
        made.bar_writer.add(symbol)
    book = ([(184 * E9, 3), (183 * E9, 1)], [(186 * E9, 4)])
    DepthWriter(made.feed).put(0, 10, *book, 1)
    yield made
    made.close()


def example(root: Path, name: str) -> str:
    text = (root / "examples" / name).read_text(encoding="utf-8")
    assert len([line for line in text.splitlines() if line.strip()]) <= MOST_LINES
    assert ADDRESS in text
    return text


def lines_of(
    command: list[str],
    rig: Rig,
    folder: Path,
    act: Callable[[], object] | None = None,
    count: int = 1,
    **environ: str,
) -> list[str]:
    """The first lines that a program prints, after `act`."""
    around = {**os.environ, "TICKER_URL": f"http://127.0.0.1:{rig.port}", **environ}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=around, cwd=folder
    ) as running:
        assert running.stdout is not None
        try:
            if act is not None:
                act()
            return [running.stdout.readline().rstrip() for _ in range(count)]
        finally:
            running.kill()


def bars_until_told(rig: Rig, stop: threading.Event) -> None:
    """The same minute again and again: a bar that ended before a client asked is not told."""
    while not stop.wait(0.05):
        rig.bar(
            0, 1, state=2, start=START * E9, time=START * E9 + 1, open=E9, high=9 * E9, low=E9,
            close=5 * E9, vwap=E9, volume=10, trades=3, flags=7,
        )  # fmt: skip


def test_python(root: Path, rig: Rig, tmp_path: Path) -> None:
    example(root, "minute_bars.py")
    command = [sys.executable, str(root / "examples" / "minute_bars.py"), "AAPL", "MSFT"]
    stop = threading.Event()
    publishing = threading.Thread(target=bars_until_told, args=(rig, stop))
    try:
        (line,) = lines_of(
            command, rig, tmp_path, publishing.start, PYTHONPATH=str(root / "clients" / "python")
        )
    finally:
        stop.set()
        publishing.join()
    assert line == "12:30 AAPL   1 9 1 5  10  updated"


def test_node(root: Path, rig: Rig, project: Path) -> None:
    example(root, "tape.mjs")
    shutil.copy(root / "examples" / "tape.mjs", project)
    (line,) = lines_of([*node(), "tape.mjs", "MSFT"], rig, project)
    assert line.endswith(" MSFT 185 x 100")


def test_curl(root: Path, rig: Rig, tmp_path: Path, require: Callable[[object, str], None]) -> None:
    require("curl", "curl is not installed")
    example(root, "prices.sh")
    command = ["sh", str(root / "examples" / "prices.sh"), "AAPL", "MSFT"]
    prices, *events = lines_of(command, rig, tmp_path, count=12)
    assert [each["symbol"] for each in json.loads(prices)["prices"]] == ["AAPL", "MSFT"]
    said = [json.loads(each[6:]) for each in events if each.startswith("data: ")]
    assert "snapshot" in [each["type"] for each in said]


def test_browser(
    root: Path,
    rig: Rig,
    project: Path,
    page_socket: socket.socket,
    tmp_path: Path,
    require: Callable[[object, str], None],
) -> None:
    require("chromium", "Chromium is not installed")
    text = example(root, "book.html").replace(ADDRESS, f"127.0.0.1:{rig.port}")

    async def steps(address: str) -> None:
        async with chromium(tmp_path / "profile") as page:
            await page.open(address)
            await page.until("document.querySelectorAll('tr').length === 2")
            await page.until("document.querySelector('tr').innerText === '3\\t184\\t186\\t4'")

    with served(tmp_path / "site", project, page_socket, "book.html", text) as address:
        asyncio.run(steps(address))


def test_the_notebook_from_pip_install_to_a_chart(
    root: Path, rig: Rig, wheel: Path, tmp_path: Path
) -> None:
    """pip installs the wheel of this tree into a folder of the test, and nothing from elsewhere."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    site = tmp_path / "site"
    site.mkdir()  # before the kernel looks for it
    around = {
        **os.environ, "TICKER_URL": f"http://127.0.0.1:{rig.port}", "PIP_TARGET": str(site),
        "PIP_FIND_LINKS": str(wheel.parent), "PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1",
        "PYTHONPATH": str(site), "IPYTHONDIR": str(tmp_path / "ipython"),
    }  # fmt: skip
    notebook: Any = nbformat.read(root / "examples" / "notebook.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") for cell in notebook.cells), "kept without its outputs"
    client = nbclient.NotebookClient(
        notebook, timeout=60, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute(env=around)
    assert list(site.glob("ticker_client/client.py")), "from the wheel"
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    shown = [output.get("data", {}) for output in outputs]
    assert sum("image/png" in data for data in shown) == 1, "the chart"
    text = "\n".join(data.get("text/plain", "") for data in shown)
    for wanted in ("PriceObject(symbol='AAPL'", "214.0", "bid", "184.0"):
        assert wanted in text
