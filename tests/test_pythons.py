"""The Pythons that `make release-check` builds wheels for (.ci/pythons.py)."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def script(root: Path) -> dict[str, Any]:
    return runpy.run_path(str(root / ".ci" / "pythons.py"))


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH, and below it pyenv's."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    return tmp_path


def program(path: Path, says: str, code: int = 0) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\nexit {code}\n")
    path.chmod(0o755)
    return str(path)


def test_the_versions_are_those_of_the_project(script: dict[str, Any]) -> None:
    assert script["supported"]() == [(3, 11), (3, 12), (3, 13), (3, 14)]


@pytest.mark.slow
def test_the_python_that_is_found_is_of_that_version(script: dict[str, Any], machine: Path) -> None:
    running = sys.version_info[:2]
    (machine / f"python{running[0]}.{running[1]}").symlink_to(sys.executable)
    found = script["find"](running)
    said = subprocess.run([found, "--version"], check=True, capture_output=True, text=True).stdout
    assert said.startswith(f"Python {running[0]}.{running[1]}.")


def test_one_on_the_path_that_is_another_or_does_not_run_is_passed_over(
    script: dict[str, Any], machine: Path
) -> None:
    program(machine / "python3.98", "pyenv: python3.98: command not found", 127)
    program(machine / "pyenv/versions/3.98.0/bin/python3.98", "cpython 3 97")
    whole = program(machine / "pyenv/versions/3.98.1/bin/python3.98", "cpython 3 98")
    assert script["find"]((3, 98)) == whole


def test_without_headers_it_is_no_python_for_wheels(script: dict[str, Any], machine: Path) -> None:
    program(machine / "python3.98", "cpython 3 98", 1)
    assert script["find"]((3, 98)) is None
    assert script["find"]((3, 99)) is None
