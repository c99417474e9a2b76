"""The Pythons that wheels are for, and which of them are on this machine.

pyproject.toml names them once, for cibuildwheel. `make release-check` builds and tries the wheel of
each that is found here: on the path, or among those that pyenv has installed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
USABLE = """
import ensurepip, pathlib, sys, sysconfig, venv
assert (pathlib.Path(sysconfig.get_path("include")) / "Python.h").exists(), "no headers"
print(sys.implementation.name, *sys.version_info[:2])
"""
"""Fails where a wheel cannot be built: without headers or without venv."""

Version = tuple[int, int]


def supported() -> list[Version]:
    """The versions of CPython that wheels are for, as (3, 11)."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    tags = re.findall(r"cp(\d)(\d+)-", project["tool"]["cibuildwheel"]["build"])
    return [(int(major), int(minor)) for major, minor in tags]


def find(version: Version) -> str | None:
    """The program of that Python, with headers and venv; None where there is none."""
    said = f"cpython {version[0]} {version[1]}"
    for program in candidates(version):
        command = [program, "-c", USABLE]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        except OSError:
            continue
        if done.returncode == 0 and done.stdout.strip() == said:
            return program
    return None


def candidates(version: Version) -> Iterator[str]:
    """Programs that may be it. One on the path may also be pyenv's, which only says that this
    version is not chosen."""
    name = f"python{version[0]}.{version[1]}"
    if on_path := shutil.which(name):
        yield on_path
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from map(str, sorted(pyenv.glob(f"versions/{version[0]}.{version[1]}*/bin/{name}")))
