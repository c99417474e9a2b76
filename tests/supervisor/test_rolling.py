"""Rolling restart and reload: nobody is refused, and a bad configuration changes nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable

import msgspec
import pytest

from tests.supervised import Server, ask, serve, until
from ticker.config import Config, GatewayConfig, ServerConfig
from ticker.config.access import AccessConfig, AuthConfig, TokenConfig
from ticker.supervisor.reload import Effect, changes
from ticker.supervisor.rolling import Rolling, Step
from ticker.supervisor.slot import Slot, Stage

__all__ = ["serve"]  # a fixture


class FakeHeartbeat:
    """A sign of life that the test gives."""

    pid = 0
    time_ns = 0


def slots(count: int) -> list[Slot]:
    """`count` occupied slots, pids from 1 on, and a vacant one."""
    made = [
        Slot(f"gateway {index}", Stage.GATEWAY, lambda: None, FakeHeartbeat())  # type: ignore[arg-type]
        for index in range(count + 1)
    ]
    for index, slot in enumerate(made):
        slot.position = index
        slot.pid = index + 1
    made[-1].leave()
    return made


def come_up(slot: Slot, pid: int) -> None:
    slot.pid = pid
    assert slot.heartbeat is not None
    slot.heartbeat.pid = pid  # type: ignore[misc]


def test_one_by_one_each_position_stays_served() -> None:
    group = slots(2)
    rolling = Rolling(group, boot=5.0, drain=lambda: 10.0)
    assert rolling.step(0.0) is None
    assert rolling.begin()
    assert not rolling.begin(), "one at a time"
    for turn, (new, old) in enumerate([(2, 0), (0, 1)]):
        assert rolling.step(0.0) == (Step.START, group[new])
        assert group[new].position == group[old].position == turn
        assert rolling.step(0.0) is None, "not up yet"
        come_up(group[new], 10 + turn)
        assert rolling.step(0.0) == (Step.RETIRE, group[old])
        assert rolling.step(9.0) is None, "draining"
        group[old].leave()
        if turn == 0:
            assert rolling.step(9.0) is None
    assert rolling.step(9.0) == (Step.DONE, group[1])
    assert not rolling.active
    assert [slot.vacant for slot in group] == [False, True, False]


def test_a_successor_that_does_not_come_up_ends_it() -> None:
    group = slots(1)
    rolling = Rolling(group, boot=5.0, drain=lambda: 10.0)
    rolling.begin()
    assert rolling.step(0.0) == (Step.START, group[1])
    group[1].pid = 7
    assert rolling.step(4.9) is None
    assert rolling.step(5.0) == (Step.ABANDON, group[1])
    assert not rolling.active
    assert group[0].pid == 1, "the old one was never told"


def test_a_predecessor_that_does_not_drain_is_killed() -> None:
    group = slots(1)
    rolling = Rolling(group, boot=5.0, drain=lambda: 10.0)
    rolling.begin()
    rolling.step(0.0)
    come_up(group[1], 7)
    assert rolling.step(0.0) == (Step.RETIRE, group[0])
    assert rolling.step(10.0) == (Step.KILL, group[0])
    assert rolling.step(10.5) is None


def command(server: Server, name: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ticker", name, "--instance", server.instance],
        capture_output=True,
        text=True,
        timeout=30,
    )


@pytest.mark.slow
def test_restart_replaces_all_and_refuses_nobody(serve: Callable[..., Server]) -> None:
    server = serve()
    address = server.where()
    before = set(server.workers().values())
    answers: list[tuple[int, int]] = []
    enough = threading.Event()

    def ask_on() -> None:
        while not enough.is_set():
            answers.append(ask(address))

    asking = threading.Thread(target=ask_on)
    asking.start()
    try:
        done = command(server, "restart")
    finally:
        enough.set()
        asking.join()
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("2 gateway workers replaced")
    gateways = {pid for name, pid in server.workers().items() if name.startswith("gateway")}
    assert len(gateways - before) == 2
    assert answers, "somebody asked all the while"
    until(lambda: server.log("rolling restart done"))
    assert {ask(address)[1] for _ in range(40)} <= gateways - before


@pytest.mark.slow
def test_a_killed_worker_is_still_replaced_afterwards(serve: Callable[..., Server]) -> None:
    server = serve()
    address = server.where()
    assert command(server, "restart").returncode == 0
    pids = {name: pid for name, pid in server.workers().items() if name != "feed sim"}
    _, pid = ask(address)
    os.kill(pid, signal.SIGKILL)
    name = next(name for name, each in pids.items() if each == pid)
    until(lambda: server.workers()[name] != pid)
    for _ in range(20):
        assert ask(address)[1] != pid


@pytest.mark.slow
def test_a_successor_that_fails_changes_nothing(serve: Callable[..., Server]) -> None:
    server = serve(TEST_MISBEHAVE="successor")
    address = server.where()
    before = server.workers()
    server.process.send_signal(signal.SIGUSR2)
    until(lambda: server.log("rolling restart given up: the new worker did not come up"))
    assert ask(address)[1] in before.values()
    assert server.process.poll() is None


@pytest.mark.slow
def test_one_that_does_not_drain_is_killed_in_the_end(serve: Callable[..., Server]) -> None:
    server = serve(TEST_MISBEHAVE="deaf")
    server.where()
    server.edit("[gateway]\nrestart_spread = 0.1\n")
    server.process.send_signal(signal.SIGUSR2)
    until(lambda: len(server.log("does not end, killed")) == 2, 30)
    until(lambda: server.log("rolling restart done"))


@pytest.mark.slow
def test_reload_says_what_takes_effect_when(serve: Callable[..., Server]) -> None:
    server = serve()
    address = server.where()
    server.edit("[gateway]\nmax_symbols = 7\nping_interval = 9.0\n", port=1)
    assert command(server, "reload").returncode == 0
    until(lambda: server.log("configuration reloaded"))
    assert server.log("configuration reloaded")[0]["changed"] == ["gateway.max_symbols"]
    waits = {str(entry["until"]): entry["keys"] for entry in server.log("changed keys wait")}
    assert waits["ticker restart"] == ["gateway.ping_interval"]
    assert waits["a restart of the server"] == ["server.port"]
    server.edit("[gateway]\nmax_symbol = 7\n")
    assert command(server, "reload").returncode == 3
    until(lambda: server.log("configuration not reloaded, the old one stays in force"))
    assert "did you mean max_symbols" in server.said.read_text()
    server.process.send_signal(signal.SIGUSR2)  # nor does a restart begin with it
    until(lambda: len(server.log("configuration not reloaded, the old one stays in force")) == 2)
    assert ask(address)
    assert not server.log("retires")


@pytest.mark.slow
def test_without_a_server_the_commands_say_so(serve: Callable[..., Server]) -> None:
    server = serve()
    server.where()
    server.instance = "nobody"
    done = command(server, "restart")
    assert done.returncode != 0
    assert "no server runs as instance 'nobody'" in done.stderr


def test_each_changed_key_has_its_time() -> None:
    token = TokenConfig(name="a", sha256="0" * 64)
    old = Config(auth=AuthConfig(tokens=(token,)))
    new = Config(
        server=ServerConfig(port=1),
        gateway=GatewayConfig(max_symbols=7, flush_interval=0.5),
        access=AccessConfig(origins=("*",)),
        auth=AuthConfig(tokens=(msgspec.structs.replace(token, name="b"),)),
    )
    assert dict(changes(old, new)) == {
        "server.port": Effect.SERVER,
        "gateway.flush_interval": Effect.WORKERS,
        "gateway.max_symbols": Effect.NOW,
        "access.origins": Effect.NOW,
        "auth.tokens": Effect.NOW,
    }
    assert dict(changes(Config(), old)) == {"auth": Effect.NOW}
    assert dict(changes(old, Config())) == {"auth": Effect.NOW}
    assert dict(changes(old, old)) == {}
