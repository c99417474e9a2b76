"""`python -m bench.profile`: the CPU time of a gateway worker during fan-out, by place.

`perf record` samples the worker at 2,000 clients × 5 symbols for some seconds. A sample counts for
the first of PLACES in its stack. Without perf, or without the right to use it, there is no profile,
and the page says so.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.runs import REPORTS
from ticker.bench.report import machine, report
from ticker.bench.rig.rig import Load, Rig

COMMAND = "python -m bench.profile"
LOAD = Load(clients=2000, symbols=1000, per_client=5)
HERTZ = 4999  # not in step with the flushes
SECONDS = 4.0
TOP = 12

# (what it is, functions of the kernel one of which is in the stack), innermost first
PLACES = (
    ("loopback: waking the reader", {"sock_def_readable"}),
    ("loopback: the receiver's half of TCP", {"net_rx_action", "process_backlog", "tcp_v4_rcv"}),
    (
        "sending: the sender's half of TCP",
        {"__sys_sendto", "__x64_sys_sendto", "tcp_sendmsg", "__do_sys_io_uring_enter"},
    ),
    ("waiting: epoll, timers, sleep", {"do_epoll_wait", "__x64_sys_epoll_wait", "schedule"}),
)
Stack = list[tuple[str, str]]


def main() -> int:
    """Measure and write the report; 0 also when this machine has no perf."""
    if not shutil.which("perf"):
        print("profile: no `perf` here; left out", file=sys.stderr)
        return 0
    try:
        found = results(stacks(sampled(SECONDS).splitlines()))
    except subprocess.CalledProcessError as error:
        print(f"profile: {error.stderr.strip()[-300:]}; left out", file=sys.stderr)
        return 0
    about = {
        "bench": "profile",
        "command": COMMAND,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine.describe(),
        "versions": machine.versions(),
        "parameters": {**vars(LOAD), "hertz": HERTZ, "duration": SECONDS},
    }
    report.write(REPORTS / "profile.json", {**about, **found})
    for what, share in found["places"].items():
        print(f"{share:>7.1%}  {what}")
    return 0


def sampled(seconds: float, load: Load = LOAD) -> str:
    """`perf script` of a gateway worker under load: a stack per sample, innermost first."""
    with tempfile.TemporaryDirectory() as folder, Rig(load) as rig:
        rig.swarm()
        rig.start_ticks()
        time.sleep(5 * load.flush_interval)
        data = str(Path(folder) / "perf.data")
        record = ["perf", "record", "-q", "-e", "cpu-clock", "-F", str(HERTZ), "-g"]
        record += ["-p", str(rig.gateway.pid), "-o", data, "--", "sleep", str(seconds)]
        subprocess.run(record, check=True, capture_output=True, text=True)
        rig.stop_ticks()
        script = ["perf", "script", "-i", data, "-F", "ip,sym,dso"]
        return subprocess.run(script, check=True, capture_output=True, text=True).stdout


def stacks(lines: Iterable[str]) -> Iterator[Stack]:
    """(function, file) of each frame; stacks are parted by empty lines."""
    stack: Stack = []
    for line in lines:
        if line.strip():
            _, _, rest = line.strip().partition(" ")
            function, _, file = rest.rpartition(" (")
            stack.append((function, file.rstrip(")")))
        elif stack:
            yield stack
            stack = []
    if stack:
        yield stack


def place(stack: Stack) -> str:
    """The place that a sample counts for."""
    functions = {function for function, _ in stack}
    for what, marks in PLACES:
        if marks & functions:
            return what
    file = stack[0][1]
    if "kernel" in file or file == "[unknown]":
        return "kernel, the rest"
    if "/ticker/" in file:
        return "ours: rings, rows, agenda, encoding, flush"
    return "libc and the interpreter"


def results(found: Iterable[Stack]) -> dict[str, Any]:
    """Shares by place, of the kernel as a whole, and of the functions with the most samples."""
    places: Counter[str] = Counter()
    functions: Counter[str] = Counter()
    kernel = 0
    for stack in found:
        places[place(stack)] += 1
        functions[stack[0][0]] += 1
        kernel += "kernel" in stack[0][1]
    total = sum(places.values())
    return {
        "samples": total,
        "kernel_share": round(kernel / max(1, total), 3),
        "places": {what: round(count / total, 3) for what, count in places.most_common()},
        "functions": {name: round(count / total, 3) for name, count in functions.most_common(TOP)},
        "void": None if total else "no sample",
    }


if __name__ == "__main__":
    raise SystemExit(main())
