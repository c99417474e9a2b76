"""The examples of README.md and of the clients' own, run as they stand there; only the server's
address is another one."""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.clients.package import Program, run
from tests.clients.site import served
from tests.docs.blocks import blocks
from tests.gateway.conftest import E9, Rig
from tests.gateway.rest.browser import chromium
from ticker.config import Config, GatewayConfig
from ticker.config.access import AccessConfig

pytestmark = pytest.mark.slow
ADDRESS = "localhost:8700"
MOST_LINES = 5


@pytest.fixture(scope="module")
def page_socket() -> Iterator[socket.socket]:
    """Where the example's page is served, which the gateway's configuration lists."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.fixture
def rig(page_socket: socket.socket) -> Iterator[Rig]:
    origin = f"http://127.0.0.1:{page_socket.getsockname()[1]}"
    config = Config(
        gateway=GatewayConfig(max_connections=64), access=AccessConfig(origins=(origin,))
    )
    made = Rig(f"readme{time.monotonic_ns()}", config)
    for symbol in ("AAPL", "MSFT"):
        made.trade(made.row(symbol), 185 * E9)
    yield made
    made.close()


def example(root: Path, rig: Rig, language: str, mark: str) -> str:
    """The one example in this language that has `mark` in it."""
    blocks = re.findall(rf"```{language}\n(.*?)```", (root / "README.md").read_text(), re.DOTALL)
    (found,) = (block for block in blocks if mark in block)
    lines = [line for line in found.splitlines() if line.strip()]
    assert len(lines) <= MOST_LINES, "an example is what one writes at once"
    assert ADDRESS in found
    return str(found.replace(ADDRESS, f"127.0.0.1:{rig.port}"))


def said(read: Callable[[], str]) -> set[str]:
    """The first two lines, which are of two symbols."""
    return {read().strip(), read().strip()}


def test_python(root: Path, rig: Rig) -> None:
    text = example(root, rig, "python", "ticker_client")
    command = [sys.executable, "-u", "-c", text]
    environ = {"PYTHONPATH": str(root / "clients" / "python")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ) as running:
        assert running.stdout is not None
        assert said(running.stdout.readline) == {"AAPL 185", "MSFT 185"}
        running.kill()


@pytest.mark.stress
@pytest.mark.timeout(180)
def test_python_where_nothing_else_is(root: Path, rig: Rig, wheel: Path, tmp_path: Path) -> None:
    """The wheel and what it names, fetched by pip into an empty environment."""
    run(sys.executable, "-m", "venv", "venv", folder=tmp_path)
    python = str(tmp_path / "venv" / "bin" / "python")
    begun = time.monotonic()
    run(python, "-m", "pip", "install", "--quiet", str(wheel), folder=tmp_path)
    took = time.monotonic() - begun
    names = run(python, "-m", "pip", "list", "--format", "freeze", folder=tmp_path)
    assert "ticker-client==" in names
    assert "\nticker==" not in names
    text = example(root, rig, "python", "ticker_client")
    command = [python, "-I", "-u", "-c", text]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as running:
        assert running.stdout is not None
        assert said(running.stdout.readline) == {"AAPL 185", "MSFT 185"}
        running.kill()
    print(f"installed in {took:.1f} s")
    assert took < 60, "seconds, on a machine with other work"


def test_node_where_nothing_else_is(root: Path, rig: Rig, tarball: Path, tmp_path: Path) -> None:
    """What `npm pack` made, installed by npm in an empty folder; nothing is to be fetched."""
    (tmp_path / "package.json").write_text('{"type": "module"}')
    run("npm", "install", "--offline", "--no-audit", "--no-fund", str(tarball), folder=tmp_path)
    assert [each.name for each in (tmp_path / "node_modules").glob("[!.]*")] == ["@ticker"]
    with Program(tmp_path, example(root, rig, "js", "@ticker/client")) as running:
        assert said(lambda: running.lines.get(timeout=20)) == {"AAPL 185", "MSFT 185"}


@pytest.mark.parametrize(
    ("client", "built", "sentence"),
    [("python", "wheel", "a wheel of {} kB"), ("typescript", "tarball", "is {} kB packed")],
)
def test_the_sizes_are_those_of_today(
    root: Path, request: pytest.FixtureRequest, client: str, built: str, sentence: str
) -> None:
    size = request.getfixturevalue(built).stat().st_size / 1000
    page = (root / "clients" / client / "README.md").read_text()
    (number,) = re.findall(sentence.format(r"(\d+)"), page)
    assert abs(int(number) - size) <= 1, f"it has {size:.1f} kB"


def test_the_python_clients_own_page(root: Path, rig: Rig) -> None:
    address = f"127.0.0.1:{rig.port}"
    sync, aio = (
        block.text.replace(ADDRESS, address)
        for block in blocks()
        if (block.page, block.language) == ("clients/python/README.md", "python")
    )
    begun, rest = aio.split("\n", 1)
    inner = rest.replace("\n", "\n    ")
    whole = f"import asyncio\n{begun}\nasync def main():\n    {inner}\nasyncio.run(main())\n"
    environ = {"PYTHONPATH": str(root / "clients" / "python")}
    for text, first in ((sync, {"AAPL 185", "MSFT 185"}), (whole, None)):
        command = [sys.executable, "-u", "-c", text]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ) as running:
            assert running.stdout is not None
            lines = [running.stdout.readline().strip() for _ in range(2)]
            running.kill()
        if first is not None:
            assert set(lines) == first
        else:
            assert "symbol='AAPL'" in lines[0]
            assert lines[1].startswith("185 100 "), "a snapshot of the trades"


def test_the_typescript_clients_own_page(rig: Rig, project: Path) -> None:
    first, second, third = (
        block.text.replace(ADDRESS, f"127.0.0.1:{rig.port}")
        for block in blocks()
        if (block.page, block.language) == ("clients/typescript/README.md", "js")
    )
    with Program(project, first) as running:
        assert said(lambda: running.lines.get(timeout=20)) == {"AAPL 185", "MSFT 185"}
    package = 'import { connect } from "@ticker/client";\nconst { WebSocket } = globalThis;\n'
    with Program(project, package + second.replace('import WebSocket from "ws";\n', "")) as running:
        assert "symbol: 'AAPL'" in "".join(running.lines.get(timeout=20) for _ in range(2))
    frames = f'const client = await connect("http://127.0.0.1:{rig.port}");\n'
    frames += "const draw = ({ symbol, price }) => console.log(symbol, price);\n"
    with Program(project, package + frames + third) as running:
        assert said(lambda: running.lines.get(timeout=20)) == {"AAPL 185", "MSFT 185"}


def test_node(root: Path, rig: Rig, project: Path) -> None:
    with Program(project, example(root, rig, "js", "@ticker/client")) as running:
        assert said(lambda: running.lines.get(timeout=20)) == {"AAPL 185", "MSFT 185"}


def test_without_a_client(root: Path, rig: Rig, project: Path) -> None:
    with Program(project, example(root, rig, "js", "new WebSocket")) as running:
        first = running.line()
        assert (first["type"], first["price"]) == ("snapshot", 185)


def test_browser(
    root: Path,
    rig: Rig,
    project: Path,
    page_socket: socket.socket,
    tmp_path: Path,
    require: Callable[[object, str], None],
) -> None:
    require("chromium", "Chromium is not installed")
    text = example(root, rig, "html", "connect")

    async def steps(address: str) -> None:
        async with chromium(tmp_path / "profile") as page:
            await page.open(address)
            await page.until("document.title === 'AAPL 185'")
            rig.trade(0, 186 * E9)
            await page.until("document.title === 'AAPL 186'")
            assert not [each for each in page.complaints if "favicon" not in each]

    with served(tmp_path / "site", project, page_socket, "index.html", text) as address:
        asyncio.run(steps(address))
