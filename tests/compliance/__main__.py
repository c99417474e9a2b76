"""Runs the Autobahn suite, sections 1 to 7, 12, 13 or those that are named, against
ticker.gateway.echo; see README.md."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

HOME = Path(__file__).resolve().parents[2] / "build" / "autobahn"
PASSED = ("OK", "NON-STRICT", "INFORMATIONAL")
AGENT = "ticker"
SECTIONS = (
    *range(1, 8),
    12,
    13,
)  # 9 is performance, 10 streaming; 12 and 13 are permessage-deflate
TIMEOUT = 5400  # s for the whole suite, on a machine with other work


def install() -> Path:
    """The suite's program, installed on the first call."""
    program = HOME / "venv" / "bin" / "wstest"
    if program.exists():
        return program
    found = os.environ.get("PYTHON27") or shutil.which("python2.7")
    if not found or subprocess.run([found, "--version"], capture_output=True).returncode:
        sys.exit("the suite needs Python 2.7: install it, or name it by PYTHON27=/path/python2.7")
    packages = HOME / "packages"
    subprocess.run(
        [found, "-m", "pip", "install", "--quiet", "--target", packages, "virtualenv"], check=True
    )
    subprocess.run(
        [found, "-m", "virtualenv", "--quiet", HOME / "venv"],
        check=True,
        env={**os.environ, "PYTHONPATH": str(packages)},
    )
    pip = HOME / "venv" / "bin" / "pip"
    subprocess.run([pip, "install", "--quiet", "autobahntestsuite"], check=True)
    return program


@contextmanager
def echo_server() -> Iterator[str]:
    """The echo application on a free port; its URL."""
    command = [sys.executable, "-m", "ticker.gateway.echo", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            yield line.split()[-1].rstrip("/")
        finally:
            process.terminate()


def run(program: Path, url: str, sections: Iterable[object]) -> dict[str, tuple[str, str]]:
    """Each case's behaviour, and its behaviour at the close."""
    spec = {
        "outdir": "./reports",
        "servers": [{"agent": AGENT, "url": url}],
        "cases": [f"{section}.*" for section in sections],
        "exclude-cases": [],
        "exclude-agent-cases": {},
    }
    path = HOME / "fuzzingclient.json"
    path.write_text(json.dumps(spec))
    with (HOME / "run.log").open("w") as log:
        command: list[str | Path] = [program, "--mode", "fuzzingclient", "--spec", path]
        subprocess.run(command, cwd=HOME, stdout=log, stderr=log, timeout=TIMEOUT, check=True)
    index = json.loads((HOME / "reports" / "index.json").read_text())
    return {
        case: (result["behavior"], result["behaviorClose"]) for case, result in index[AGENT].items()
    }


def main() -> None:
    HOME.mkdir(parents=True, exist_ok=True)
    program = install()
    shutil.rmtree(HOME / "reports", ignore_errors=True)
    with echo_server() as url:
        results = run(program, url, sys.argv[1:] or SECTIONS)
    failed = {case: how for case, how in results.items() if not set(how) <= set(PASSED)}
    for case, how in sorted(failed.items()):
        print(f"{case}: {how[0]}, at the close {how[1]}")
    counts = Counter(how[0] for how in results.values())
    print(f"{len(results)} cases:", ", ".join(f"{n} {how}" for how, n in counts.most_common()))
    sys.exit(1 if failed or not results else 0)


if __name__ == "__main__":
    main()
