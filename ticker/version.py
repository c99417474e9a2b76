"""The version, and the facts that a bug report needs."""

from __future__ import annotations

import platform
from pathlib import Path

from ticker import __version__
from ticker.compiled import BUILD

PACKAGE = Path(__file__).parent


def full_version() -> str:
    """Version, commit, how the kernels were compiled, Python, and the system's kernel."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    commit = commit_of(PACKAGE)
    return f"{__version__}, commit {commit or 'unknown'}, {BUILD} build, {python}, {system}"


def commit_of(package: Path) -> str | None:
    """The commit of the package's build, or of its source tree; None if unknown."""
    try:
        return (package / "commit.txt").read_text().strip()[:12]
    except OSError:
        pass
    git = package.parent / ".git"
    try:
        head = (git / "HEAD").read_text().strip()
        if not head.startswith("ref: "):
            return head[:12]
        return _of_reference(git, head.removeprefix("ref: "))
    except OSError:
        return None


def _of_reference(git: Path, name: str) -> str | None:
    """The commit of a branch, from its own file or from packed-refs."""
    try:
        return (git / name).read_text().strip()[:12]
    except FileNotFoundError:
        pass
    for line in (git / "packed-refs").read_text().splitlines():
        commit, _, found = line.partition(" ")
        if found == name:
            return commit[:12]
    return None
