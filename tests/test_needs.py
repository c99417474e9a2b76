"""`make serve` says all that a machine lacks, before anything is downloaded or made."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCES = ("Makefile", "pyproject.toml", "constraints.txt", "setup.py", ".ci")


@pytest.fixture
def tree(root: Path, tmp_path: Path) -> Path:
    """A fresh clone, as far as it matters here."""
    for name in SOURCES:
        copy = shutil.copytree if (root / name).is_dir() else shutil.copy
        copy(root / name, tmp_path / name)
    return tmp_path


def make(tree: Path, *variables: str) -> subprocess.CompletedProcess[str]:
    environ = {key: value for key, value in os.environ.items() if key not in ("CC", "MAKEFLAGS")}
    return subprocess.run(
        ["make", "serve", *variables],
        cwd=tree,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.fixture
def bare_python(tmp_path: Path) -> Path:
    """A Python as a distribution has it without its venv and dev packages."""
    path = tmp_path / "bare-python"
    path.write_text(
        "#!/bin/sh\n"
        'case "$2" in\n'
        "*ensurepip*) exit 1 ;;\n"
        "*include*) echo /nowhere/include ;;\n"
        f'*) exec {sys.executable} "$@" ;;\n'
        "esac\n"
    )
    path.chmod(0o755)
    return path


@pytest.mark.slow
def test_everything_is_said_at_once(tree: Path, bare_python: Path) -> None:
    done = make(tree, f"PYTHON={bare_python}", "CC=no-such-compiler")
    assert done.returncode != 0
    assert "installing" not in done.stdout, "nothing is downloaded"
    assert not (tree / ".venv").exists()
    for said in ("the venv module", "/nowhere/include/Python.h", "a C compiler (no-such-compiler"):
        assert said in done.stderr
    assert "apt-get install python3-venv python3-dev gcc libc6-dev" in done.stderr


@pytest.mark.slow
def test_no_python(tree: Path) -> None:
    done = make(tree, "PYTHON=")
    assert done.returncode != 0
    assert "Python 3.11 or newer" in done.stderr
    assert "a C compiler" not in done.stderr


@pytest.mark.slow
def test_nothing_is_said_where_nothing_is_missing(root: Path) -> None:
    for compiler in ("", "gcc", "ccache gcc"):
        if shutil.which(compiler.split(" ")[0] or "cc"):
            done = subprocess.run(
                ["sh", str(root / ".ci" / "needs.sh")],
                env={**os.environ, "PYTHON": sys.executable, "CC": compiler},
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert (done.returncode, done.stderr) == (0, "")
