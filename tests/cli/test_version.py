"""`ticker --version`: the facts that a bug report needs."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from ticker import __version__
from ticker.cli import main
from ticker.version import commit_of

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_it_says_what_runs() -> None:
    said = CliRunner().invoke(main, ["--version"]).output
    build = "debug" if os.environ.get("TICKER_DEBUG") == "1" else "release"
    assert said.startswith(f"ticker {__version__}, commit ")
    for part in (f", {build} build, ", platform.python_version(), platform.release()):
        assert part in said


@pytest.mark.parametrize("packed", [False, True])
def test_the_commit_of_a_source_tree(tmp_path: Path, packed: bool) -> None:
    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.invalid")
        command = ["git", *identity, *arguments]
        return subprocess.run(
            command, cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout

    git("init", "--quiet")
    git("commit", "--quiet", "--allow-empty", "--message", "first")
    if packed:
        git("pack-refs", "--all")
    commit = git("rev-parse", "HEAD").strip()[:12]
    assert commit_of(tmp_path / "ticker") == commit
    git("checkout", "--quiet", "--detach")
    assert commit_of(tmp_path / "ticker") == commit


def test_the_commit_of_a_package(tmp_path: Path) -> None:
    assert commit_of(tmp_path) is None
    (tmp_path / "commit.txt").write_text(f"{COMMIT}\n")
    assert commit_of(tmp_path) == COMMIT[:12]
