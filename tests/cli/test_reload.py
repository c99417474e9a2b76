"""`ticker reload` prints the changes, the waiting keys and the refusals, with exit codes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.supervised import Server, serve
from ticker.supervisor import outcome
from ticker.supervisor.outcome import Outcome

__all__ = ["serve"]  # a fixture

ACCESS = '[access]\norigins = ["https://desk.example"]\n'
pytestmark = pytest.mark.slow


@pytest.fixture
def server(serve: Callable[..., Server]) -> Server:
    started = serve()
    started.where()
    return started


def reload(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ticker", "reload", *options],
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_it_names_what_changed_and_what_waits(server: Server) -> None:
    server.edit(f"{ACCESS}[gateway]\nflush_interval = 0.5\nmax_symbols = 7\n", port=1)
    done = reload("--config", str(server.config))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "reloaded: gateway.max_symbols, access.origins",
        "waits for ticker restart: gateway.flush_interval",
        "waits for a restart of the server: server.port",
    ]
    done = reload("--config", str(server.config))
    assert done.stdout.splitlines()[0] == "reloaded: nothing has changed"


def test_what_was_refused_is_said_and_changes_nothing(server: Server) -> None:
    server.edit("[access]\norigins = [7]\n")
    named = reload("--instance", server.instance)
    assert named.returncode == 3
    assert "the old configuration stays in force" in named.stderr
    assert "access.origins[0]" in named.stderr
    assert reload("--config", str(server.config)).returncode == 3
    empty = server.config.with_suffix(".key")
    empty.touch()
    server.edit(f"[auth]\n[auth.jwt]\nkey_file = '{empty}'\n")
    unread = reload("--instance", server.instance)
    assert unread.returncode == 3, "what its workers could not read is refused as well"
    assert "no key for EdDSA" in unread.stderr
    server.edit(ACCESS)
    assert "access.origins" in reload("--instance", server.instance).stdout


def test_without_a_server_it_says_so() -> None:
    done = reload("--instance", "nobody-here")
    assert done.returncode == 4
    assert "no server runs as instance 'nobody-here'" in done.stderr
    assert reload("--nonsense").returncode == 2


def test_the_answer_goes_with_the_server(server: Server) -> None:
    reload("--config", str(server.config))
    assert outcome.last(server.instance).number == 1
    server.process.terminate()
    assert server.wait() == 0
    assert outcome.last(server.instance) == Outcome(number=0)
