"""The simulated exchange on real sockets: two multicast lines, losses, re-requests, its end."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from tests.feeds.exchange_lines import LOOPBACK, Line, Running, gaps, join, wait_for
from ticker.errors import FeedError
from ticker.feeds.day import midnight_ns, session_day
from ticker.simulate.exchange import Exchange, Settings, session_id, visit_round


@pytest.mark.slow
def test_what_both_lines_lost_is_answered() -> None:
    with Running(loss=0.3, seed=3) as running:
        a, b = running.lines
        wait_for(running.lines, lambda: len(a.messages) > 5_000 and len(b.messages) > 5_000)
        together = a.messages | b.messages
        last = max(together)
        missing = list(gaps(together, last))
        assert missing, "at 30 % loss a few packets are lost on both lines"
        assert a.messages.keys() != b.messages.keys()
        answers = running.answers
        for first, count in missing:
            running.request(first, count)
            wait_for(
                [answers], partial(answers.messages.keys().__ge__, set(range(first, first + count)))
            )
        together |= answers.messages
        assert sorted(found for found in together if found <= last) == list(range(1, last + 1))
        # where a line and an answer both have a message, they agree, stamp and all
        running.request(1, 500)
        wait_for([answers], lambda: 500 in answers.messages)
        for sequence, message in answers.messages.items():
            assert a.messages.get(sequence, message) == message
        running.finish()
        statistics = running.exchange.statistics()
    assert a.ends
    assert b.ends
    assert a.session == b.session == answers.session
    assert statistics["messages"] == a.ends[-1] - 1
    for line, lost, sent in zip((a, b), statistics["lost"], statistics["packets"], strict=True):
        assert lost > 0
        assert sent == len(line.sequences) + len(line.heartbeats) + len(line.ends)


@pytest.mark.slow
def test_messages_carry_the_time_at_which_they_are_sent() -> None:
    before = time.time_ns()
    with Running(lines=1) as running:
        (line,) = running.lines
        wait_for(running.lines, lambda: len(line.messages) > 2_000)
        running.finish()
    after = time.time_ns()
    midnight = midnight_ns(session_day(before))
    times = [
        midnight + int.from_bytes(line.messages[sequence][5:11], "big")
        for sequence in sorted(line.messages)
    ]
    assert times == sorted(times)
    assert before <= times[0]
    assert times[-1] <= after


@pytest.mark.slow
def test_messages_may_carry_the_time_at_which_they_were_due() -> None:
    before = time.time_ns()
    with Running(lines=1, symbols=5, stamps_due=True) as running:
        (line,) = running.lines
        wait_for(running.lines, lambda: len(line.messages) > 5_000)
        running.finish()
    after = time.time_ns()
    midnight = midnight_ns(session_day(before))
    # the pace starts anew at the opening, and the session's last messages are not paced
    stamps = [
        (sequence, midnight + int.from_bytes(line.messages[sequence][5:11], "big"))
        for sequence in line.sequences
        if 1_000 <= sequence < 5_000
    ]
    assert len(stamps) > 20
    assert all(before <= stamped <= after for _, stamped in stamps)
    first, start = stamps[0]
    for sequence, stamped in stamps:
        assert abs(stamped - start - (sequence - first) * 50_000) < 10


@pytest.mark.slow
def test_the_rate_is_held() -> None:
    rate = 20_000
    with Running(lines=1, rate=float(rate)) as running:
        (line,) = running.lines
        wait_for(running.lines, lambda: len(line.messages) > 1.3 * rate)
        running.finish()
    times = [int.from_bytes(message[5:11], "big") for message in line.messages.values()]
    # one second of it, after the opening
    start = min(times) + 200_000_000
    held = sum(start <= moment < start + 1_000_000_000 for moment in times)
    assert abs(held - rate) <= 0.05 * rate
    assert len(line.messages) / len(line.sequences) > 20


@pytest.mark.slow
def test_an_idle_line_sends_heartbeats() -> None:
    with Running(rate=0.2) as running:
        wait_for(running.lines, lambda: all(line.heartbeats for line in running.lines))
        line = running.lines[0]
        assert line.heartbeats[0] == max(line.messages) + 1
        running.finish()


@pytest.mark.slow
def test_late_packets_come_out_of_order_and_all_of_them_come() -> None:
    with Running(lines=1, rate=100_000.0, reorder=5, seed=2) as running:
        (line,) = running.lines
        wait_for(running.lines, lambda: line.sequences != sorted(line.sequences))
        running.finish()
    assert sorted(line.messages) == list(range(1, line.ends[-1]))


@pytest.mark.slow
def test_the_end_is_said_by_the_market_and_by_the_session() -> None:
    with Running(lines=1, linger=0.1) as running:
        (line,) = running.lines
        wait_for(running.lines, lambda: len(line.messages) > 1_000)
        running.finish()
    last = line.ends[-1]
    assert len(line.ends) >= 3
    assert set(line.ends) == {last}
    codes = [line.messages[sequence] for sequence in range(last - 3, last)]
    assert [(message[:1], message[11:]) for message in codes] == [
        (b"S", b"M"),
        (b"S", b"E"),
        (b"S", b"C"),
    ]


@pytest.mark.slow
def test_at_midnight_a_session_ends_and_another_begins() -> None:
    with Running(lines=1) as running:
        (line,) = running.lines
        wait_for(running.lines, lambda: len(line.messages) > 100)
        running.exchange.next_midnight = 0
        wait_for(running.lines, lambda: len(line.others) > 10)
        running.finish()
        session = running.exchange.session
    assert line.ends
    next_day = Line(line.socket)
    for packet in line.others:
        next_day.take(packet)
    assert min(next_day.messages) == 1
    assert next_day.ends
    assert next_day.session == session != line.session


@pytest.mark.slow
def test_requests_that_cannot_be_answered_are_not() -> None:
    with Running(lines=1, rate=50_000.0, history=1 << 20) as running:
        (line,) = running.lines
        wait_for(running.lines, lambda: len(line.messages) > 50_000)
        server = running.exchange.rerequest
        assert server is not None
        answers = running.answers
        running.request(1, 10)  # no longer retained
        running.request(0, 10)
        running.request(max(line.messages) + 10_000_000, 10)
        running.request(max(line.messages), 0)
        running.request(max(line.messages), 10, b"ANOTHERDAY")
        answers.socket.sendto(b"short", server)
        last = max(line.messages)
        running.request(last, 1)
        wait_for([answers, *running.lines], lambda: bool(answers.messages))
        assert list(answers.messages) == [last]
        running.finish()
        statistics = running.exchange.statistics()
    assert statistics["requests"] == 7
    assert statistics["unanswered"] == 6
    assert statistics["resent"] == 1


@pytest.mark.slow
def test_one_request_is_answered_with_many_packets_up_to_a_bound() -> None:
    with Running(rate=100_000.0) as running:
        line = running.lines[0]
        wait_for(running.lines, lambda: len(line.messages) > 10_000)
        answers = running.answers
        running.request(1, 65_535)
        wait_for([answers, *running.lines], lambda: len(answers.sequences) == 64)
        assert sorted(answers.messages) == list(range(1, len(answers.messages) + 1))
        # asked again from where it stopped, it goes on
        running.request(len(answers.messages) + 1, 100)
        wait_for([answers, *running.lines], lambda: len(answers.sequences) > 64)
        running.finish()


def test_every_start_is_another_session() -> None:
    assert len({session_id(1_700_000_000_000_000_000 + 1000 * step) for step in range(100)}) == 100
    assert len(session_id(time.time_ns())) == 10


def test_no_order_outlives_what_is_retained() -> None:
    slow = Settings(rate=2_000.0)
    fast = Settings(rate=1e6)
    assert visit_round(slow.history, slow.rate) == 240_000
    assert 2 * visit_round(fast.history, fast.rate) * 36 <= fast.history


def test_a_port_in_use_and_no_interface_are_said() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((LOOPBACK, 0))
        with pytest.raises(FeedError, match="give another --rerequest"):
            Exchange(Settings(history=1 << 20, rerequest=other.getsockname()))
    with pytest.raises(FeedError, match="give an --interface of this machine"):
        Exchange(Settings(history=1 << 20, rerequest=None, interface="192.0.2.1"))


def command(*options: str) -> list[str]:
    return [sys.executable, "-m", "ticker", "simulate", "itch", "--rerequest", "none", *options]


def environment(root: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(root)}


@pytest.mark.slow
def test_the_command_ends_its_session_on_sigterm(root: Path) -> None:
    line = Line(join())
    host, port = line.socket.getsockname()
    process = subprocess.Popen(
        command("--lines", "1", "--line-a", f"{host}:{port}", "--symbols", "5", "--json"),
        cwd=root, env=environment(root), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        wait_for([line], lambda: len(line.messages) > 100)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
    wait_for([line], lambda: bool(line.ends))
    line.socket.close()
    assert process.returncode == 0
    statistics = json.loads(out)
    assert statistics["messages"] == line.ends[-1] - 1 == len(line.messages)
    assert statistics["session"].encode() == line.session


PARENT = """
import subprocess, sys, time
child = subprocess.Popen(sys.argv[1:], stderr=subprocess.DEVNULL)
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.slow
def test_the_command_dies_with_its_parent(root: Path) -> None:
    line = Line(join())
    host, port = line.socket.getsockname()
    child = command("--lines", "1", "--line-a", f"{host}:{port}", "--die-with-parent")
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, *child],
        cwd=root, env=environment(root), stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        watched = os.pidfd_open(pid)
        wait_for([line], lambda: len(line.messages) > 100)
    finally:
        parent.kill()
        parent.communicate()
    # readable once the process has ended
    ended, _, _ = select.select([watched], [], [], 20)
    os.close(watched)
    line.read()
    line.socket.close()
    assert ended
    assert line.ends
