"""`make first-price`: from `git clone` to the first price, as somebody does it who has nothing yet.

Clones the last commit into a folder of its own, says `make serve` there, and waits until GET
/prices/AAPL answers. No cache of pip or of a compiler is used. Prints a table; `--write` puts it
into README.md. Processor time does not depend on what else the machine does; the time on the clock
does.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import resource
import signal
import subprocess
import tempfile
import time
import tomllib
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError

ROOT = Path(__file__).resolve().parent.parent
BEGIN = "<!-- made by `make first-price` -->\n"
END = "<!-- end -->\n"
STAGES = {
    "installing packages": "packages of Python",
    "compiling": "compiling",
    "its commands": "start to the first price",
}
"""The lines of `make serve` that begin a stage."""
PATIENCE = 1800.0  # s
SERVER = """
[server]
instance = "first-price"
port = 0
"""


@dataclass(frozen=True)
class Step:
    """Seconds on the clock and of processors, and what came over the network, in bytes."""

    name: str
    clock: float
    processor: float
    downloaded: int = 0


def processor() -> float:
    """s of the processes that have ended and were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def clean() -> dict[str, str]:
    """The environment without what spares work here and not elsewhere."""
    kept = {name: text for name, text in os.environ.items() if name not in ("CC", "PYTHONPATH")}
    return {**kept, "PIP_NO_CACHE_DIR": "1", "CCACHE_DISABLE": "1", "PYTHONUNBUFFERED": "1"}


def clone(folder: Path) -> Step:
    """The tree, through git's own transport."""
    begun, used = time.monotonic(), processor()
    command = ["git", "clone", "--quiet", f"file://{ROOT}", str(folder)]
    subprocess.run(command, check=True)
    packs = sum(path.stat().st_size for path in (folder / ".git").rglob("*.pack"))
    return Step("`git clone`", time.monotonic() - begun, processor() - used, packs)


def children_time(group: int) -> float:
    """s of processors that the processes of a group have used, with those they waited for."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            words = path.read_text().rpartition(")")[2].split()
            if int(words[2]) == group:
                ticks += sum(map(int, words[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def serve(folder: Path, jobs: int) -> Iterator[Step]:
    """`make serve`, stage by stage, until a price has come."""
    shipped = (folder / "ticker.toml").read_text()
    own = re.sub(r"\[server\]\n(?:(?!\[).*\n)*", SERVER.lstrip(), shipped, count=1)
    (folder / "first.toml").write_text(own)
    command = ["make", "serve", f"JOBS={jobs}", "ARGS=--config first.toml"]
    with subprocess.Popen(
        command, cwd=folder, env=clean(), stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        stage, begun, used = "looking for what is missing", time.monotonic(), 0.0
        try:
            for line in process.stdout:
                mark = next((name for name in STAGES if line.startswith(name)), None)
                found = re.search(r"http://127\.0\.0\.1:\d+/", line)
                if found:
                    first_price(found[0])
                if mark is None and not found:
                    continue
                now, spent = time.monotonic(), children_time(process.pid)
                yield Step(stage, now - begun, spent - used)
                if found:
                    return
                stage, begun, used = STAGES[str(mark)], now, spent
            raise SystemExit(f"make serve ended with {process.wait()} before it served")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)


def first_price(url: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with (
            contextlib.suppress(URLError, TimeoutError),
            urllib.request.urlopen(f"{url}prices/AAPL", timeout=5) as answer,
        ):
            assert json.load(answer)["price"] is not None
            return
        time.sleep(0.02)
    raise SystemExit(f"{url} has no price of AAPL")


def packages(folder: Path) -> int:
    """Bytes of all packages that `make serve` has installed."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["build"]]
    target = folder / "downloaded"
    command = [str(folder / ".venv" / "bin" / "python"), "-m", "pip", "download", "--quiet"]
    command += ["--dest", str(target), "--constraint", str(folder / "constraints.txt"), *wanted]
    subprocess.run(command, check=True, env=clean(), cwd=folder)
    return sum(path.stat().st_size for path in target.iterdir())


def on_disk(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_symlink())


def table(steps: list[Step], venv: int, load: float) -> str:
    """The steps in Markdown; `load`: of the machine before they began."""
    lines = ["| step | on the clock | of processors | downloaded |", "| --- | --- | --- | --- |"]
    whole = Step(
        "**together**",
        sum(step.clock for step in steps),
        sum(step.processor for step in steps),
        sum(step.downloaded for step in steps),
    )
    for step in (*steps, whole):
        size = f"{step.downloaded / 1e6:.1f} MB" if step.downloaded else ""
        lines.append(f"| {step.name} | {step.clock:.0f} s | {step.processor:.0f} s | {size} |")
    cores = os.cpu_count()
    lines += [
        "",
        f"Measured on {cores} cores, with a load of {load:.1f} by other work; `.venv` then has "
        f"{venv / 1e6:.0f} MB.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the table into README.md")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="compilers at once")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "ticker"
        steps = [clone(folder), *serve(folder, options.jobs)]
        size, venv = packages(folder), on_disk(folder / ".venv")
        steps = [
            Step(step.name, step.clock, step.processor, size)
            if step.name == STAGES["installing packages"]
            else step
            for step in steps
        ]
    made = table(steps, venv, load)
    print(made)
    if options.write:
        readme = ROOT / "README.md"
        before, _, rest = readme.read_text().partition(BEGIN)
        readme.write_text(f"{before}{BEGIN}\n{made}{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
