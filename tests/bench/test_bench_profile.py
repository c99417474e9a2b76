"""Where samples of a profile count: lines of `perf script`, and a real worker where perf is."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import replace

import pytest

from bench import profile

Require = Callable[[object, str], None]
SCRIPT = """
\tffffffff81 _raw_spin_unlock_irqrestore ([kernel.kallsyms])
\tffffffff82 ep_poll_callback ([kernel.kallsyms])
\tffffffff83 sock_def_readable ([kernel.kallsyms])
\tffffffff84 tcp_v4_rcv ([kernel.kallsyms])
\tffffffff85 __sys_sendto ([kernel.kallsyms])
\t10ab59 __send (/usr/lib/x86_64-linux-gnu/libc.so.6)

\tffffffff84 tcp_v4_rcv ([kernel.kallsyms])
\tffffffff86 net_rx_action ([kernel.kallsyms])
\tffffffff85 __sys_sendto ([kernel.kallsyms])

\tffffffff87 tcp_sendmsg_locked ([kernel.kallsyms])
\tffffffff85 __sys_sendto ([kernel.kallsyms])

\t1234 __pyx_f_flush (/somewhere/ticker/gateway/flush.cpython-311-x86_64-linux-gnu.so)

\t99 __memmove_avx512 (/usr/lib/x86_64-linux-gnu/libc.so.6)

\tffffffff88 do_syscall_64 ([kernel.kallsyms])
\t99 __send (/usr/lib/x86_64-linux-gnu/libc.so.6)
"""


def test_each_sample_counts_once_for_the_innermost_place() -> None:
    found = profile.results(profile.stacks(SCRIPT.splitlines()))
    assert found["samples"] == 6
    assert list(found["places"].values()) == [0.167] * 6
    assert found["kernel_share"] == 0.667
    assert found["functions"]["tcp_v4_rcv"] == 0.167
    assert found["void"] is None


def test_no_sample_is_void() -> None:
    assert profile.results([])["void"] == "no sample"


@pytest.mark.slow
def test_a_real_worker_is_sampled_or_left_out(
    require: Require, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    require(len(os.sched_getaffinity(0)) > 1, "a bench needs two cores")
    load = replace(profile.LOAD, clients=50, symbols=20, flush_interval=0.02)
    try:
        found = profile.results(profile.stacks(profile.sampled(0.5, load).splitlines()))
    except (FileNotFoundError, subprocess.CalledProcessError):  # no perf, or it may not sample
        monkeypatch.setattr(profile, "SECONDS", 0.1)
        assert profile.main() == 0
        assert "left out" in capsys.readouterr().err
        return
    assert found["samples"] > 20
    assert 0.2 < found["kernel_share"] <= 1
    assert "sending: the sender's half of TCP" in found["places"]
