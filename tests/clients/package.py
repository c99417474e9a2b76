"""The TypeScript client as its users get it: built, packed, installed in an empty folder."""

from __future__ import annotations

import json
import queue
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "clients" / "typescript"
MODULES = SOURCE / "node_modules"
Require = Callable[[object, str], None]


def run(*command: str, folder: Path) -> str:
    """What a command prints; fails with what it says."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


def require_node(require: Require) -> None:
    """Node, npm, and the compiler, which is fetched where it is missing."""
    require("node", "Node is not installed")
    require("npm", "npm is not installed")
    if not MODULES.is_dir():
        fetch_modules()
    require(MODULES.is_dir(), "`npm ci` in clients/typescript fetched no compiler")


def fetch_modules() -> None:
    """What package-lock.json names, into node_modules; nothing where there is no network."""
    subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=SOURCE, check=False)


def packed(folder: Path) -> Path:
    """The tarball of `npm pack`, made of a copy of the sources in `folder`."""
    copy = folder / "source"
    ignored = shutil.ignore_patterns("node_modules", "dist", "*.tgz")
    shutil.copytree(SOURCE, copy, ignore=ignored)
    (copy / "node_modules").symlink_to(MODULES)
    name = run("npm", "pack", "--offline", folder=copy).splitlines()[-1]
    return copy / name


def installed(folder: Path, tarball: Path) -> Path:
    """A project with only the package in it."""
    project = folder / "project"
    target = project / "node_modules" / "@ticker" / "client"
    target.mkdir(parents=True)
    (project / "package.json").write_text('{"type": "module"}')
    run("tar", "-xzf", str(tarball), "--strip-components=1", "-C", str(target), folder=folder)
    return project


def node() -> list[str]:
    """The command of Node, with the WebSocket that is there unasked from 22 on."""
    version = run("node", "--version", folder=ROOT)
    old = int(version.removeprefix("v").partition(".")[0]) < 22
    return ["node", "--no-warnings", *(["--experimental-websocket"] if old else [])]


class Program:
    """A module that Node runs in a folder. `line()` is the next value that it prints as JSON."""

    def __init__(self, folder: Path, source: str, *arguments: str) -> None:
        command = [*node(), "--input-type=module", "-e", source, "--", *arguments]
        self.process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
        )
        self.lines: queue.Queue[str] = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)

    def line(self, seconds: float = 20.0) -> Any:
        return json.loads(self.lines.get(timeout=seconds))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self.reader.join()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
