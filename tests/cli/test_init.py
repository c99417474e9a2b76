"""`ticker init` writes configurations that hold; `ticker check --effective` prints all of one."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from ticker.cli import main
from ticker.cli.init.starters import VENDORS
from ticker.config import SHIPPED, Config, load, parse
from ticker.supervisor.configuration import load_all


def init(*options: str) -> tuple[int, str]:
    found = CliRunner().invoke(main, ["init", *options])
    return found.exit_code, found.output


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ticker.toml"


@pytest.mark.parametrize("name", VENDORS)
def test_a_vendor(name: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = init(str(file), f"--{name}")
    assert code == 0
    for variable in VENDORS[name].credentials.values():
        assert f"export {variable}=..." in said
        monkeypatch.setenv(variable, "a-secret")
    (feed,) = load_all(file).feeds
    assert (feed.mapping, feed.symbols) == (name, VENDORS[name].symbols)
    assert "a-secret" not in file.read_text()


def test_itch_behind_a_proxy(file: Path) -> None:
    lines = ("239.1.1.1:26400", "239.1.1.2:26401")
    code, said = init(
        str(file), "--itch", lines[0], "--itch", lines[1], "--interface", "127.0.0.1",
        "--rerequest", "127.0.0.1:26500", "--port", "8800", "--public-url", "https://desk.example",
        "--proxy", "10.0.0.1",
    )  # fmt: skip
    assert code == 0, said
    config = load_all(file)
    assert config.feeds[0].lines == lines
    assert config.feeds[0].rerequest == "127.0.0.1:26500"
    assert config.server.port == 8800
    assert config.access.public_url == "https://desk.example"
    assert config.access.proxies == ("10.0.0.1",)


def test_several_feeds_and_symbols(file: Path) -> None:
    code, _ = init(str(file), "--polygon", "--kraken", "--simulated", "--symbols", "A, B")
    assert code == 0
    feeds = load(file).feeds
    assert [feed.name for feed in feeds] == ["polygon", "kraken", "sim"]
    assert feeds[0].symbols == ("A", "B")
    assert feeds[2].simulator is not None


def test_what_is_wrong_is_not_written(file: Path) -> None:
    code, said = init(str(file), "--itch", "nowhere")
    assert code == 3
    assert "lines[0]" in said
    assert not file.exists()
    code, said = init(str(file))
    assert code == 2
    assert "--alpaca" in said, "nobody is there to be asked"
    file.write_text("kept")
    code, said = init(str(file), "--simulated")
    assert code == 2
    assert "--force" in said
    assert file.read_text() == "kept"
    assert init(str(file), "--simulated", "--force")[0] == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answers", "name", "symbols"),
    [("alpaca\nTSLA, NVDA\n", "alpaca", ("TSLA", "NVDA")), ("\n", "sim", ())],
)
def test_it_asks_a_person(file: Path, answers: str, name: str, symbols: tuple[str, ...]) -> None:
    ours, theirs = pty.openpty()
    try:
        with subprocess.Popen(
            [sys.executable, "-m", "ticker", "init", str(file)],
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process:
            os.write(ours, answers.encode())
            said, _ = process.communicate(timeout=30)
    finally:
        os.close(ours)
        os.close(theirs)
    assert process.returncode == 0, said
    (feed,) = load(file).feeds
    assert (feed.name, feed.symbols) == (name, symbols)


def effective(file: Path) -> str:
    found = CliRunner().invoke(main, ["check", "--effective", "--config", str(file)])
    assert found.exit_code == 0, found.output
    return found.output


def test_the_effective_configuration_reads_back_as_the_same() -> None:
    text = effective(SHIPPED)
    assert parse(text) == load(SHIPPED)
    assert "ping_interval = 45.0" in text
    assert "silence" not in text, "no tables that are not there"


def test_it_has_defaults_and_no_secrets(file: Path) -> None:
    file.write_text(
        '[[feeds]]\nname = "v"\nprotocol = "json"\nmapping = "polygon"\nvenue = "XNAS"\n'
        'url = "wss://vendor.example/"\nsymbols = ["A"]\n'
        'credentials = { key = "clear-text" }\nheaders = { X-Key = "also-clear" }\n'
    )
    text = effective(file)
    assert "clear" not in text
    assert "poll_interval = 1.0" in text
    found = parse(text)
    assert isinstance(found, Config)
    assert found.feeds[0].quiet_after == 60.0
