"""`python -m bench.peers.install`: installs the peers, pinned, into build/peers. If a peer cannot
be installed, the reason is noted there, and the peer is left out."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from bench.peers.catalogue import (
    BUILD,
    DEBIAN_SOURCES,
    GO_BIN,
    GO_MODULES,
    HERE,
    NODE_MODULES,
    PYTHON,
    SERVERS,
)

LINES_KEPT = 3


def main() -> None:
    """Install what is missing."""
    BUILD.mkdir(parents=True, exist_ok=True)
    for noted in BUILD.glob("*.missing"):
        noted.unlink()
    if not PYTHON.exists() or _older(PYTHON, HERE / "requirements.txt"):
        _install_python()
    _install_node()
    for name, module in GO_MODULES.items():
        if not (GO_BIN / name).exists():
            _install_go(name, module)
    if not (GO_BIN / "centrifuge").exists():
        _install_centrifuge()
    if shutil.which("redis-server") is None:
        note("redis", "redis-server is not on PATH; Debian's package redis-server has it")


def _older(path: Path, than: Path) -> bool:
    return path.parent.parent.stat().st_mtime < than.stat().st_mtime


def _install_python() -> None:
    venv = BUILD / "venv"
    reason = run(sys.executable, "-m", "venv", str(venv)) or run(
        str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
        "--requirement", str(HERE / "requirements.txt"),
    )  # fmt: skip
    if reason:
        shutil.rmtree(venv, ignore_errors=True)
        for name in ("uwebsockets", "aiohttp", "aiohttp-uvloop", "websockets", "redis"):
            note(name, reason)
    else:
        os.utime(venv)


def _install_node() -> None:
    folder = BUILD / "node"
    folder.mkdir(exist_ok=True)
    for source in (*SERVERS.glob("*.mjs"), HERE / "package.json", HERE / "package-lock.json"):
        shutil.copy(source, folder)
    if (NODE_MODULES / "ws").exists() and (NODE_MODULES / "socket.io").exists():
        return
    if shutil.which("node") is None or shutil.which("npm") is None:
        reason: str | None = "there is no node with npm here"
    else:
        reason = run("npm", "ci", "--silent", "--prefix", str(folder))
    for name in ("ws", "socketio") if reason else ():
        note(name, str(reason))


def _install_go(name: str, module: str) -> None:
    peer = "nats" if name == "nats-server" else name
    if shutil.which("go") is None:
        note(peer, "there is no Go toolchain here")
    elif reason := run("go", "install", module, GOBIN=str(GO_BIN)):
        note(peer, reason)


def _install_centrifuge() -> None:
    """From Debian's packages of its sources: fetched, unpacked, not installed."""
    folder = BUILD / "centrifuge"
    folder.mkdir(exist_ok=True)
    for source in (SERVERS / "centrifuge").iterdir():
        shutil.copy(source, folder)
    for tool in ("go", "apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            return note("centrifuge", f"there is no `{tool}` here")
    packages = [f"{name}={version}" for name, version in DEBIAN_SOURCES.values()]
    reason = run("apt-get", "download", "--quiet", *packages, cwd=folder)
    for package in folder.glob("*.deb"):
        reason = reason or run("dpkg-deb", "--extract", str(package), str(folder / "debian"))
    program = str(GO_BIN / "centrifuge")
    if reason := reason or run("go", "build", "-o", program, ".", cwd=folder):
        note("centrifuge", reason)
    return None


def run(*argv: str, cwd: Path | None = None, **environment: str) -> str | None:
    """Run a command; returns the reason of a failure, or None."""
    print("  " + " ".join([*argv[:1], *argv[1:3], "…"]), flush=True)
    done = subprocess.run(
        argv, capture_output=True, text=True, cwd=cwd, env={**os.environ, **environment}
    )
    if done.returncode == 0:
        return None
    said = (done.stderr or done.stdout).strip().splitlines()[-LINES_KEPT:]
    words = [word for word in " ".join(said).split() if "://" not in word]
    return f"`{argv[0]} {argv[1]}` failed: {' '.join(words)}"


def note(peer: str, reason: str) -> None:
    """Note why a peer is left out."""
    (BUILD / f"{peer}.missing").write_text(reason + "\n", encoding="utf-8")
    print(f"  {peer} is left out: {reason}", flush=True)


if __name__ == "__main__":
    main()
