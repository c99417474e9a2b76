"""Bare Debian roots, made by debootstrap: where ticker is installed as on a new machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import release

CONSTRAINTS = release.ROOT / "constraints.txt"
SUITE = {(3, 11): "bookworm", (3, 13): "trixie"}.get(sys.version_info[:2], "stable")
"""The Debian whose Python the wheel is for."""
PYTHON = ("python3", "python3-venv")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
COMPILER = ("python3-dev", "gcc", "libc6-dev")


def try_all(sdist: Path, wheel: Path) -> None:
    """The wheel where only Python is; the sdist where a compiler is too; `make serve` where
    nothing but make is."""
    with root("make") as bare:
        refused(bare)
    with root(*PYTHON) as bare:
        installed(bare, wheel, "wheel")
    with root(*PYTHON, *COMPILER) as bare:
        installed(bare, sdist, "sdist")


@contextmanager
def root(*packages: str, suite: str = SUITE) -> Iterator[Path]:
    """A root with these packages and what Debian requires."""
    if os.geteuid() != 0 or not shutil.which("debootstrap"):
        sys.exit("bare roots need debootstrap, and root to enter them")
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder) / "root"
        included = ",".join(("ca-certificates", *packages))
        release.run(["debootstrap", "--variant=minbase", f"--include={included}", suite, str(bare)])
        for name in ("resolv.conf", "hosts", "pip.conf"):
            if Path("/etc", name).exists():
                shutil.copy(f"/etc/{name}", bare / "etc" / name)
        if CERTIFICATES.exists():  # of a mirror that this machine trusts
            shutil.copy(CERTIFICATES, bare / CERTIFICATES.relative_to("/"))
        # its own, never those of this machine: what is mounted here is also removed here
        mounts = {"proc": bare / "proc", "tmpfs": bare / "dev" / "shm"}
        try:
            for kind, place in mounts.items():
                place.mkdir(exist_ok=True)
                release.run(["mount", "-t", kind, kind, str(place)])
            yield bare
        finally:
            for place in mounts.values():
                subprocess.run(["umount", str(place)], check=False)


def inside(bare: Path, *command: str) -> list[str]:
    return ["chroot", str(bare), *command]


def installed(bare: Path, package: Path, kind: str) -> None:
    """It installs into a new environment there, and serves."""
    for file in (package, CONSTRAINTS):
        shutil.copy(file, bare / file.name)
    release.run(inside(bare, "python3", "-m", "venv", "/venv"))
    pip = ["/venv/bin/pip", "install", "--quiet", "--constraint", f"/{CONSTRAINTS.name}"]
    release.run(inside(bare, *pip, f"/{package.name}"), PIP_CERT=str(CERTIFICATES))
    empty = bare / "empty"
    empty.mkdir()
    release.say(f"in a bare root, of the {kind}:")
    release.first_price(inside(bare, "/venv/bin/ticker"), empty, Path("/empty"))


def refused(bare: Path) -> None:
    """Without Python and a compiler it says what to install."""
    tree = bare / "tree"
    tree.mkdir()
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "setup.py"):
        shutil.copy(release.ROOT / name, tree / name)
    shutil.copytree(release.ROOT / ".ci", tree / ".ci")
    command = inside(bare, "make", "--directory", "/tree", "serve")
    done = subprocess.run(command, capture_output=True, text=True)
    wanted = ("Python 3.11", "C compiler", "apt-get install")
    if done.returncode == 0 or not all(each in done.stderr for each in wanted):
        sys.exit(f"make serve in a root without Python says:\n{done.stdout}\n{done.stderr}")
    release.say("in a root with nothing: make serve says what to install")
