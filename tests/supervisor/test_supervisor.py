"""The supervisor with real processes: dead workers are replaced, and nothing is left behind."""

from __future__ import annotations

import os
import shutil
import signal
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.supervised import Server, alive, ask, nothing_left, segments, serve, until
from ticker.errors import FeedError, GatewayError, InstanceError, SegmentError
from ticker.shm.counters import Heartbeat
from ticker.shm.header import KIND_FEED, KIND_GATEWAY, KIND_STORE
from ticker.shm.segment import (
    attach,
    create_worker,
    feed_name,
    leftovers,
    private_folder,
    remove,
    store_name,
)
from ticker.shm.table import PriceTable
from ticker.shm.timetable import timetable_path
from ticker.supervisor.find import attach_feeds, find

__all__ = ["serve"]  # a fixture
pytestmark = pytest.mark.slow

SEGMENTS = 7  # a feed, two gateways and the one in spare, the store, its bars and its mark


def test_one_line_then_events(serve: Callable[..., Server]) -> None:
    server = serve()
    ask(server.where())
    assert set(server.workers()) == {"feed sim", "gateway 0", "gateway 1", "calendar"}
    assert len(segments(server)) == SEGMENTS


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop_leaves_nothing(serve: Callable[..., Server], number: signal.Signals) -> None:
    server = serve()
    server.where()
    with nothing_left(server, 0.1):
        server.process.send_signal(number)
        assert server.wait() == 0
    ended = [entry["worker"] for entry in server.log("ended")]
    assert set(ended[:2]) == {"gateway 0", "gateway 1"}  # who talks to clients goes first
    assert set(ended[2:]) == {"feed sim", "calendar"}


def test_stop_while_starting_leaves_nothing(serve: Callable[..., Server]) -> None:
    server = serve()
    until(lambda: server.workers())
    with nothing_left(server, 0.1):
        server.process.terminate()
        assert server.wait() == 0


def replaced(server: Server, name: str, pid: int) -> bool:
    return server.workers()[name] != pid


def test_killed_worker_is_replaced_in_time(serve: Callable[..., Server]) -> None:
    server = serve()
    address = server.where()
    for name, pid in server.workers().items():
        os.kill(pid, signal.SIGKILL)
        assert until(partial(replaced, server, name, pid)) <= 2.0
    for _ in range(20):
        assert ask(address)[1] in server.workers().values()
    assert len(segments(server)) == SEGMENTS


def test_connections_wait_for_the_replacement(serve: Callable[..., Server]) -> None:
    """What was queued in the killed worker's listening socket is answered by the next one."""
    server = serve()
    address = server.where()
    before = server.workers()
    for name in ("gateway 0", "gateway 1"):
        os.kill(before[name], signal.SIGSTOP)
    clients = [socket.create_connection(address, 5) for _ in range(16)]
    for name in ("gateway 0", "gateway 1"):
        os.kill(before[name], signal.SIGKILL)
    for client in clients:
        client.settimeout(5)
        assert int(client.makefile().readline().split()[1]) not in before.values()
        client.close()


def test_hung_worker_is_killed_and_replaced(serve: Callable[..., Server]) -> None:
    server = serve(TEST_MISBEHAVE="hang")
    server.where()
    pid = server.workers()["feed sim"]
    until(lambda: server.workers()["feed sim"] != pid)
    assert server.log("hung")[0]["worker"] == "feed sim"
    assert not alive(pid)
    # SIGABRT made it show where it hung
    assert "in feed" in server.said.read_text()


@pytest.mark.parametrize("name", ["gateway 1", "calendar"])
def test_stopped_worker_is_killed_and_replaced(serve: Callable[..., Server], name: str) -> None:
    """One that cannot even hear SIGABRT."""
    server = serve()
    server.where()
    until(lambda: server.log("timetable written"))
    pid = server.workers()[name]
    os.kill(pid, signal.SIGSTOP)
    until(lambda: server.workers()[name] != pid)
    assert [each["worker"] for each in server.log("hung")] == [name]
    assert not alive(pid)


def test_worker_that_does_not_end_is_killed(serve: Callable[..., Server]) -> None:
    server = serve(TEST_MISBEHAVE="deaf")
    server.where()
    with nothing_left(server, 0.1):
        server.process.terminate()
        assert server.wait() == 0
    assert server.log("does not end, killed")


def test_told_twice_is_impatient(serve: Callable[..., Server]) -> None:
    server = serve(TEST_MISBEHAVE="deaf")
    server.where()
    with nothing_left(server, 0.1):
        server.process.terminate()
        until(lambda: server.log("draining"))
        server.process.terminate()
        assert server.wait() == 0
    assert server.log("told again, killing what is left")


def test_boot_failure_ends_the_server(serve: Callable[..., Server]) -> None:
    server = serve(TEST_MISBEHAVE="boot")
    with nothing_left(server, 0.1):
        assert server.wait() == FeedError.exit_code
    assert "interface 10.9.9.9" in server.said.read_text()
    assert len([name for name in server.log("started") if name["worker"] == "feed sim"]) == 1


def test_a_fork_that_fails_is_tried_again(serve: Callable[..., Server]) -> None:
    """At the start, and when a worker is to be replaced."""
    server = serve(TEST_MISBEHAVE="fork")
    address = server.where()
    _, pid = ask(address)
    os.kill(pid, signal.SIGKILL)
    until(lambda: pid not in server.workers().values())
    assert ask(address)[1] in server.workers().values()
    assert "unavailable" in str(server.log("cannot fork")[0]["reason"])
    server.process.terminate()
    assert server.wait() == 0


def test_once_up_a_feed_that_cannot_start_again_takes_nobody_along(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    """Its mapping was edited: it is tried again, later and later, until it is right."""
    mended = tmp_path / "mended"
    server = serve(TEST_MISBEHAVE="edited", TEST_MENDED=str(mended))
    address = server.where()
    gateways = {name: pid for name, pid in server.workers().items() if "gateway" in name}
    os.kill(server.workers()["feed sim"], signal.SIGKILL)
    until(lambda: len(server.log("died")) >= 5)
    assert {each["worker"] for each in server.log("died")} == {"feed sim"}
    assert {"exit code 3"} == {each["how"] for each in server.log("died")[1:]}
    assert server.log("cannot go on")[0]["reason"] == "mine.toml: not TOML"
    waits = [float(str(each["restart_in"])) for each in server.log("died")]
    assert waits[0] == 0.0 < waits[1] < waits[4]
    assert ask(address)[1] in gateways.values()
    mended.touch()
    feed = Heartbeat(attach(feed_name(server.instance, "sim"), KIND_FEED))
    until(lambda: feed.pid == server.workers()["feed sim"] and feed.epoch == 2)
    assert gateways.items() <= server.workers().items()


def test_a_calendar_that_fails_ends_nothing(serve: Callable[..., Server]) -> None:
    server = serve(TEST_MISBEHAVE="calendar")
    address = server.where()
    until(lambda: len(server.log("died")) >= 3)
    assert {each["worker"] for each in server.log("died")} == {"calendar"}
    assert ask(address)[1] in server.workers().values()


def test_killed_supervisor_leaves_nothing(serve: Callable[..., Server]) -> None:
    """Where nothing is kept; test_serve.py has it of a server that keeps its last prices."""
    server = serve(more="[store]\nenabled = false\n")
    server.where()
    with nothing_left(server):
        server.process.kill()
        server.wait()


def test_killed_before_its_store_came_up_it_leaves_the_rows_that_it_has_shown(
    serve: Callable[..., Server],
) -> None:
    """Two kills, the second one in the first moments of the server: the third one has the prices of
    the second, not the older ones that the first has written."""
    first = serve(TEST_STORE="1", TEST_PRICE="100")
    first.where()
    store = Heartbeat(attach(store_name(first.instance), KIND_STORE))
    until(lambda: store.epoch)
    with nothing_left(first):
        first.process.kill()
        first.wait()
    second = serve(TEST_STORE="late", TEST_PRICE="105")
    second.where()
    second.process.kill()
    second.wait()
    until(lambda: not any(alive(pid) for pid in second.all_pids()))
    left = [name.rpartition(".")[2].partition("-")[0] for name in segments(second)]
    assert sorted(left) == ["mark", "sim"]
    third = serve(TEST_STORE="1")
    third.where()
    table = PriceTable(attach(feed_name(third.instance, "sim"), KIND_FEED))
    row = table.values(0) or {}
    assert (row["price"], row["seq"]) == (105, 2)
    assert [each["source"] for each in third.log("last prices restored")] == ["shared memory"]


def test_restart_right_after_a_kill(serve: Callable[..., Server]) -> None:
    """The next server takes name, port and segments over from workers on their way out."""
    server = serve()
    address = server.where()
    server.process.kill()
    server.wait()
    again = serve(port=address[1])
    assert again.where() == address
    until(lambda: not any(alive(pid) for pid in server.all_pids()))
    assert ask(address)[1] in again.workers().values()
    assert len(segments(server)) == SEGMENTS


def test_restart_waits_for_workers_that_take_long_to_leave(serve: Callable[..., Server]) -> None:
    """They hold the port, though the segments are gone already."""
    server = serve(TEST_MISBEHAVE="slow", more="[store]\nenabled = false\n")
    address = server.where()
    gateways = [pid for name, pid in server.workers().items() if "gateway" in name]
    server.process.kill()
    server.wait()
    until(lambda: not segments(server))
    assert all(alive(pid) for pid in gateways)
    again = serve(port=address[1])
    assert again.where() == address
    assert again.log("waits for the workers of a server that was killed")
    assert not any(alive(pid) for pid in gateways)


def test_a_name_that_another_user_holds(
    serve: Callable[..., Server], require: Callable[[object, str], None]
) -> None:
    require(os.geteuid() == 0, "only root can be another user")
    bound, release = os.pipe(), os.pipe()
    if (pid := os.fork()) == 0:
        os.setuid(65534)
        held = socket.socket(socket.AF_UNIX)
        held.bind(f"\0ticker.test-{os.getppid()}")
        held.listen(1)
        os.write(bound[1], b"x")
        os.read(release[0], 1)
        os._exit(0)
    os.read(bound[0], 1)
    server = serve()
    assert server.wait() == InstanceError.exit_code
    os.write(release[1], b"x")
    os.waitpid(pid, 0)
    for each in (*bound, *release):
        os.close(each)
    said = server.said.read_text()
    assert "is another user's (uid 65534)" in said
    assert "--instance" in said


def test_segments_that_are_deleted_under_a_server(serve: Callable[..., Server]) -> None:
    """As at a logout with RemoveIPC=yes: workers that die then find theirs again."""
    server = serve()
    address = server.where()
    until(lambda: server.log("timetable written"))
    for name in segments(server):
        remove(name)
    shutil.rmtree(private_folder(server.instance))
    for name, pid in server.workers().items():
        os.kill(pid, signal.SIGKILL)
        until(partial(replaced, server, name, pid))
    assert ask(address)[1] in server.workers().values()
    with pytest.raises(SegmentError, match="its shared memory was deleted"):
        find(server.instance)
    assert find(server.instance, without_memory=True).supervisor == server.process.pid
    with pytest.raises(SegmentError, match="has no feed 'sim' in shared memory"):
        attach_feeds(server.instance, ["sim"])
    until(lambda: timetable_path(server.instance).exists(), 30)
    server.process.terminate()
    assert server.wait() == 0
    assert not server.log("cannot start")


def test_leftovers_are_removed_at_start(serve: Callable[..., Server]) -> None:
    instance = f"test-{os.getpid()}"
    create_worker(f"/ticker.{instance}.gateway7", KIND_GATEWAY, 1, 1)
    server = serve(instance)
    server.where()
    assert f"/ticker.{instance}.gateway7" not in leftovers(instance)
    assert server.log("removed leftovers of an earlier run")


def test_second_server_of_an_instance_is_refused(serve: Callable[..., Server]) -> None:
    server = serve()
    address = server.where()
    before = segments(server)
    second = serve()
    assert second.wait() == InstanceError.exit_code
    assert f"running already (pid {server.process.pid})" in second.said.read_text()
    assert segments(server) == before
    ask(address)


def test_taken_port_is_refused(serve: Callable[..., Server]) -> None:
    server = serve()
    _host, port = server.where()
    second = serve(f"other-{os.getpid()}", port=port)
    assert second.wait() == GatewayError.exit_code
    assert f"cannot listen on 127.0.0.1:{port}" in second.said.read_text()
    assert not leftovers(second.instance)
