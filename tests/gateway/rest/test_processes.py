"""process_* metrics: what /proc says of real processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from ticker.gateway.rest.processes import process_metrics


def samples(pids: dict[str, int]) -> dict[tuple[str, str], float]:
    return {
        (sample.name, sample.labels["worker"]): sample.value
        for family in process_metrics(pids)
        for sample in family.samples
    }


def test_this_process_and_one_that_is_gone() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        pass  # waited for: nobody has its number now
    found = samples({"here": os.getpid(), "gone": child.pid})
    assert {worker for _, worker in found} == {"here"}
    assert 0 < found["process_cpu_seconds_total", "here"] <= time.process_time() + 0.1
    assert abs(found["process_start_time_seconds", "here"] - time.time()) < 86_400
    assert found["process_resident_memory_bytes", "here"] > 1 << 20
    descriptors = [os.dup(0) for _ in range(10)]
    more = samples({"here": os.getpid()})
    for each in descriptors:
        os.close(each)
    name = "process_open_fds", "here"
    assert more[name] == found[name] + 10
    assert more["process_max_fds", "here"] >= more[name]
    assert more["process_threads", "here"] >= 1
