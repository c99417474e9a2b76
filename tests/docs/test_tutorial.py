"""docs/tutorial.md, followed from the configuration on: its files and commands as they stand, with
ports of this run. What comes before, `make serve`, is tried by `make release-check` and CI."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.docs.blocks import blocks, commands
from ticker.bench.rig.ports import free_port
from ticker.cli import main

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
PAGE = "docs/tutorial.md"


@contextmanager
def running(words: list[str], folder: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.terminate()
            process.wait(20)


def until(process: subprocess.Popen[str], mark: str) -> str:
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if mark in line:
            return line
    raise AssertionError(f"no {mark!r} in what it said: {said}")


def test_the_tutorial(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vendor, port = free_port(), free_port()

    def here(text: str) -> str:
        return text.replace("8900", str(vendor)).replace("localhost:8700", f"127.0.0.1:{port}")

    page = [block for block in blocks() if block.page == PAGE]
    (quotes,) = (block.text for block in page if block.language == "json")
    mapping, configuration = (block.text for block in page if block.language == "toml")
    (program,) = (block.text for block in page if block.language == "python")
    lines = [here(shlex.join(words)) for block, words in commands() if block.page == PAGE]
    ticker = [shlex.split(line) for line in lines if line.startswith("ticker ")]
    of = {tuple(words[1:3]): [sys.executable, "-m", *words] for words in ticker}

    monkeypatch.chdir(tmp_path)
    for words in [words for words in ticker if words[1] in ("init", "check")]:
        done = CliRunner().invoke(main, words[1:])
        assert done.exit_code == 0, done.output
    (tmp_path / "quotes.json").write_text(quotes)
    (tmp_path / "mine.toml").write_text(mapping)
    instance = f'[server]\ninstance = "tutorial{os.getpid()}"\nport = {port}\n'
    (tmp_path / "ticker-tutorial.toml").write_text(instance + here(configuration))
    (served,) = (line for line in lines if "http.server" in line)
    with ExitStack() as started:
        files = started.enter_context(running([sys.executable, *shlex.split(served)[1:]], tmp_path))
        until(files, "Serving HTTP")
        tried = subprocess.run(
            of["feed", "test"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert tried.returncode == 0, tried.stdout + tried.stderr
        assert re.search(r"AAPL\s+trade 185\.42", tried.stdout), tried.stdout
        server = started.enter_context(running(of["serve", "--config"], tmp_path))
        until(server, "http://")
        environment = {**os.environ, "PYTHONPATH": str(root / "clients" / "python")}
        with subprocess.Popen(
            [sys.executable, "-u", "-c", here(program)],
            stdout=subprocess.PIPE, text=True, env=environment,
        ) as client:  # fmt: skip
            assert client.stdout is not None
            assert {client.stdout.readline().strip() for _ in range(2)} == {
                "AAPL 185.42",
                "MSFT 412.1",
            }
            client.kill()
