"""`ticker doctor`: its findings on machines that are fit, and on some that are not."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.supervised import Server, serve
from ticker.cli import main
from ticker.config import Config, parse
from ticker.supervisor.doctor import Finding, Machine, examine

__all__ = ["serve"]  # a fixture

CONFIG = """
[server]
port = {port}
{server}
[[feeds]]
name = "lines"
protocol = "itch50"
venue = "XNAS"
lines = ["239.192.0.1:26477", "127.0.0.1:26478"]
interface = "{interface}"
rows = 1024
"""


OUTSIDE = "[access]\nbehind_tls_proxy = true\n"


class Fit(Machine):
    """A machine in a folder, whose clock and limits a test sets."""

    kept = True
    error = 0.01
    allowed = 1 << 20
    refusal: str | None = None

    def clock(self) -> tuple[bool, float]:
        return self.kept, self.error

    def descriptors(self) -> int:
        return self.allowed

    def io_uring_refusal(self) -> str | None:
        return self.refusal


@pytest.fixture
def machine(tmp_path: Path) -> Fit:
    pages = tmp_path / "sys/kernel/mm/transparent_hugepage"
    pages.mkdir(parents=True)
    (pages / "enabled").write_text("always [madvise] never\n")
    (tmp_path / "dev/shm").mkdir(parents=True)
    return Fit(tmp_path)


@pytest.fixture
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = int(server.getsockname()[1])
    yield taken


def config(port: int, server: str = "", interface: str = "127.0.0.1") -> Config:
    return parse(CONFIG.format(port=port, server=server, interface=interface))


def found(config: Config, machine: Machine, subject: str) -> Finding:
    return next(each for each in examine(config, machine) if each.subject == subject)


def test_a_fit_machine(machine: Fit, port: int) -> None:
    findings = list(examine(config(port), machine))
    assert [each for each in findings if each.advice] == []
    assert [each.subject for each in findings] == [
        "clock", "open files", "/dev/shm", "huge pages", "port", "receive buffers", "feed lines",
        "clients", "sender",
    ]  # fmt: skip


def test_a_clock_that_nothing_keeps(machine: Fit, port: int) -> None:
    machine.kept = False
    assert "chrony" in found(config(port), machine, "clock").advice
    machine.kept, machine.error = True, 3.25
    assert found(config(port), machine, "clock").text == "the clock may be wrong by 3.2 s"


def test_too_few_open_files(machine: Fit, port: int) -> None:
    machine.allowed = 1024
    advice = found(config(port), machine, "open files").advice
    assert "LimitNOFILE=18256" in advice
    assert "gateway.max_connections = 768" in advice


def test_too_little_shared_memory(machine: Fit, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "shared_memory", lambda: 1 << 20)
    finding = found(config(port), machine, "/dev/shm")
    assert finding.grave
    assert "--shm-size=" in finding.advice


def test_huge_pages_that_are_always_made(machine: Fit, port: int) -> None:
    path = machine.root / "sys/kernel/mm/transparent_hugepage/enabled"
    path.write_text("[always] madvise never\n")
    assert "echo madvise" in found(config(port), machine, "huge pages").advice


@pytest.mark.parametrize(("sender", "grave"), [("auto", False), ("io_uring", True)])
def test_a_kernel_that_refuses_io_uring(machine: Fit, port: int, sender: str, grave: bool) -> None:
    machine.refusal = "Operation not permitted"
    finding = found(config(port, f'[gateway]\nsender = "{sender}"'), machine, "sender")
    assert "io_uring is refused: Operation not permitted" in finding.text
    assert "io_uring_setup" in finding.advice
    assert finding.grave == grave


def test_a_port_that_is_taken(machine: Fit) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        finding = found(config(server.getsockname()[1]), machine, "port")
    assert finding.grave
    assert "Address already in use" in finding.text


@pytest.mark.slow
def test_a_port_that_the_running_server_has(machine: Fit, serve: Callable[..., Server]) -> None:
    (machine.root / "proc").symlink_to("/proc")
    server = serve()
    _, port = server.where()
    named = f'instance = "{server.instance}"'
    finding = found(config(port, named), machine, "port")
    assert finding.text == f"127.0.0.1:{port} is the running server's (pid {server.process.pid})"
    assert not finding.advice
    with socket.create_server(("127.0.0.1", 0)) as other:
        assert found(config(other.getsockname()[1], named), machine, "port").grave


def test_a_group_that_cannot_be_joined(machine: Fit, port: int) -> None:
    finding = found(config(port, interface="192.0.2.77"), machine, "feed lines")
    assert finding.grave
    assert "239.192.0.1 cannot be joined on 192.0.2.77" in finding.text


def test_small_receive_buffers(machine: Fit, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    path = machine.root / "proc/sys/net/core"
    path.mkdir(parents=True)
    (path / "rmem_max").write_text("212992\n")
    finding = found(config(port), machine, "receive buffers")
    assert f"net.core.rmem_max={32 << 20}" in finding.advice
    assert not finding.grave


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("", "set access.public_url"),
        ('public_url = "https://a.example"', "give every client a token"),
    ],
)
def test_a_server_that_others_reach(machine: Fit, port: int, more: str, said: str) -> None:
    finding = found(config(port, f'host = "0.0.0.0"\n{OUTSIDE}{more}'), machine, "clients")
    assert said in finding.advice


def test_the_command(tmp_path: Path) -> None:
    path = tmp_path / "ticker.toml"
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        path.write_text(
            CONFIG.format(port=taken, server=f'host = "0.0.0.0"\n{OUTSIDE}', interface="127.0.0.1")
        )
        done = CliRunner().invoke(main, ["doctor", "--config", str(path)])
    assert done.exit_code == 1
    assert f"bad   port             cannot listen on 0.0.0.0:{taken}" in done.output
    assert "set access.public_url" in done.output
    path.write_text(CONFIG.format(port=0, server="", interface="127.0.0.1"))
    done = CliRunner().invoke(main, ["doctor", "--config", str(path)])
    assert done.exit_code == 0, done.output
