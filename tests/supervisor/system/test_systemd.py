"""A server as a unit of systemd: readiness, signs of life, sockets that are passed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.supervised import STANDIN, Server, ask, serve
from ticker.config import parse
from ticker.errors import GatewayError
from ticker.supervisor.system.listeners import open_listeners
from ticker.supervisor.system.systemd import Service

__all__ = ["serve"]  # a fixture

AS_A_UNIT = """
import os, sys
for place, descriptor in enumerate(map(int, sys.argv[1].split(","))):
    os.dup2(descriptor, 3 + place)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""


@pytest.fixture
def told(tmp_path: Path) -> Iterator[socket.socket]:
    """The socket that systemd would read."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(15)
        yield listener


def hear(told: socket.socket, wanted: str) -> str:
    """The first message with this in it."""
    while True:
        text = told.recv(4096).decode()
        if wanted in text:
            return text


@pytest.mark.slow
def test_it_says_when_it_is_up_that_it_lives_and_that_it_ends(
    serve: Callable[..., Server], told: socket.socket
) -> None:
    server = serve(NOTIFY_SOCKET=told.getsockname(), WATCHDOG_USEC="600000")
    ready = hear(told, "READY=1")
    assert f"MAINPID={server.process.pid}" in ready
    assert "STATUS=http://127.0.0.1:" in ready
    assert len(server.workers()) >= 3, "not before everything is up"
    begun = time.monotonic()
    for _ in range(5):
        hear(told, "WATCHDOG=1")
    assert time.monotonic() - begun < 5 * 0.6, "each in time"
    server.process.terminate()
    hear(told, "STOPPING=1")
    assert server.wait() == 0


@pytest.mark.slow
def test_a_stopped_server_gives_no_sign_of_life(
    serve: Callable[..., Server], told: socket.socket
) -> None:
    server = serve(NOTIFY_SOCKET=told.getsockname(), WATCHDOG_USEC="300000")
    hear(told, "WATCHDOG=1")
    os.kill(server.process.pid, signal.SIGSTOP)
    try:
        told.settimeout(0.5)
        with pytest.raises(TimeoutError):
            for _ in range(20):  # what was on its way
                told.recv(4096)
    finally:
        os.kill(server.process.pid, signal.SIGCONT)
    told.settimeout(15)
    hear(told, "WATCHDOG=1")


def test_what_is_meant_for_others_is_not_taken() -> None:
    environ = {"LISTEN_PID": "1", "LISTEN_FDS": "1", "WATCHDOG_PID": "1", "WATCHDOG_USEC": "9"}
    service = Service(environ)
    assert service.sockets == []
    assert service.interval == 0
    assert environ == {}, "no child believes that it is meant"
    service.ready("nobody is told")
    Service({"NOTIFY_SOCKET": "@nobody-listens-here"}).ready("and nothing fails")


def listening(reuse: bool = True) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, reuse)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener


@pytest.mark.slow
def test_it_serves_on_the_sockets_of_a_socket_unit(serve: Callable[..., Server]) -> None:
    """Those that are passed are used; a connection made before the start is answered."""
    with listening() as passed, socket.create_connection(passed.getsockname()) as early:
        server = serve()  # only for its configuration
        server.where()
        server.process.terminate()
        server.wait()
        command = [str(STANDIN), str(server.config)]
        descriptor = passed.fileno()
        with subprocess.Popen(
            [sys.executable, "-c", AS_A_UNIT, str(descriptor), *command],
            pass_fds=[descriptor],
            env={**os.environ, "LISTEN_FDS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                assert process.stdout is not None
                line = process.stdout.readline().decode()
                assert f":{passed.getsockname()[1]}/" in line
                early.settimeout(10)
                assert early.recv(100), "it had been waiting"
                assert {ask(passed.getsockname())[0] for _ in range(40)} == {0, 1}
            finally:
                process.terminate()
                assert process.wait(20) == 0


@pytest.mark.parametrize(
    ("server", "reuse", "sockets", "said"),
    [
        ('host = "127.0.0.2"', True, 1, "the socket unit listens on 127.0.0.1"),
        ("port = 1", True, 1, "make server.host and server.port the same"),
        ("port = 0\ngateways = 1", True, 2, "2 sockets for 1 gateways"),
        ("port = 0\ngateways = 2", False, 1, "ReusePort=yes"),
    ],
)
def test_sockets_that_do_not_fit_are_refused(
    server: str, reuse: bool, sockets: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ticker.supervisor.system.listeners.PATIENCE", 0.0)
    config = parse(f"[server]\n{server}\n").server
    passed = [listening(reuse) for _ in range(sockets)]
    with pytest.raises(GatewayError, match=said):
        open_listeners(config, passed)
    for each in passed:
        each.close()
