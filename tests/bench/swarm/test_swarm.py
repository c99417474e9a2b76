"""The swarm against a small real server: its counts, and the faults that it finds."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ticker.bench.swarm.checks import VIOLATIONS
from ticker.bench.swarm.publisher import price_at
from ticker.bench.swarm.swarm import Swarm
from ticker.bench.swarm.symbols import symbol_names
from ticker.errors import BenchError
from ticker.units import format_timestamp

NOW = 1_774_794_601_234_000_000
Frame = Callable[..., bytes]
Server = Callable[..., Any]


def price(frame: Frame, kind: str, symbol: str, time: int, **fields: object) -> bytes:
    """A frame with the price that belongs to the time, unless told otherwise."""
    shown = {"price": price_at(time) / 1e9, "timestamp": format_timestamp(time)}
    return frame(type=kind, symbol=symbol, **{**shown, **fields})


def snapshots(frame: Frame, command: dict[str, Any]) -> list[bytes]:
    return [price(frame, "snapshot", symbol, NOW) for symbol in command["symbols"]]


def started(server: Any, clients: int = 3, per_client: int = 2, **options: Any) -> Swarm:
    swarm = Swarm(
        "127.0.0.1", server.port, symbol_names(7), clients, per_client, verify=True, **options
    )
    swarm.connect(timeout=10)
    return swarm


def violations(swarm: Swarm) -> dict[str, int]:
    return {name: number for name, number in swarm.as_dict().items() if name in VIOLATIONS}


def test_every_symbol_has_as_many_subscribers() -> None:
    swarm = Swarm("127.0.0.1", 1, symbol_names(10), 20, 5)
    counted = Counter(symbol for client in range(20) for symbol in swarm.symbols_of(client))
    assert counted == dict.fromkeys(symbol_names(10), 10)
    assert all(len(set(swarm.symbols_of(client))) == 5 for client in range(20))


def test_snapshots_and_updates_are_counted_and_timed(scripted_server: Server, frame: Frame) -> None:
    server = scripted_server(
        lambda command: [
            b"".join(snapshots(frame, command)),
            b"".join(price(frame, "update", symbol, NOW + 5000) for symbol in command["symbols"]),
        ]
    )
    swarm = started(server)
    swarm.subscribe(timeout=10, watchers=3)
    assert swarm.drain(quiet=0.05, timeout=10)
    counts = swarm.as_dict()
    assert (counts["snapshots"], counts["updates"], swarm.open) == (6, 6, 3)
    assert violations(swarm) == dict.fromkeys(VIOLATIONS, 0)
    assert swarm.first_answer.total == swarm.latency.total == 6
    times = [NOW + 5000] * 7
    assert swarm.behind(times, watchers=3) == 0
    assert swarm.behind([NOW + 9000] * 7, watchers=3) == 6
    subscribed = sorted(tuple(command["symbols"]) for command in server.commands)
    assert subscribed == sorted(tuple(swarm.symbols_of(client)) for client in range(3))


def test_frames_may_come_in_pieces(scripted_server: Server, frame: Frame) -> None:
    def answer(command: dict[str, Any]) -> list[bytes]:
        whole = b"".join(snapshots(frame, command))
        return [whole[at : at + 7] for at in range(0, len(whole), 7)]

    swarm = started(scripted_server(answer), clients=1)
    swarm.subscribe(timeout=10, watchers=1)
    assert swarm.as_dict()["snapshots"] == 2
    assert violations(swarm) == dict.fromkeys(VIOLATIONS, 0)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("backwards", {"kind": "update", "time": NOW - 1000}),
        ("backwards", {"kind": "update", "time": NOW + 1000, "seq": 3}),
        ("mismatched", {"kind": "update", "time": NOW + 1000, "price": 1.5}),
        ("unasked", {"kind": "update", "time": NOW + 1000, "symbol": "NONE"}),
        ("malformed", {"kind": "update", "time": NOW + 1000, "timestamp": "noon"}),
    ],
)
def test_what_a_server_may_not_do_is_seen(
    scripted_server: Server, frame: Frame, name: str, fields: dict[str, Any]
) -> None:
    def answer(command: dict[str, Any]) -> list[bytes]:
        first = [price(frame, "snapshot", each, NOW, seq=4) for each in command["symbols"]]
        wrong = {"symbol": command["symbols"][0], "seq": 5, **fields}
        return [b"".join([*first, price(frame, wrong.pop("kind"), **wrong)])]

    swarm = started(scripted_server(answer), clients=1)
    swarm.subscribe(timeout=10, watchers=1)
    swarm.drain(quiet=0.05, timeout=10)
    assert violations(swarm) == dict.fromkeys(VIOLATIONS, 0) | {name: 1}


def test_an_update_before_the_snapshot_is_seen(scripted_server: Server, frame: Frame) -> None:
    server = scripted_server(
        lambda command: [price(frame, "update", each, NOW) for each in command["symbols"]]
    )
    swarm = started(server, clients=1)
    swarm.subscribe(timeout=10, watchers=1)
    assert swarm.as_dict()["before_snapshot"] == 2


HEAD = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
V1 = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
    b"Sec-WebSocket-Protocol: ticker.v1.json\r\n\r\n"
)


@pytest.mark.parametrize(
    ("channel", "said", "gaps", "merged"),
    [
        ("trades", {"seq": 5}, 0, 0),
        ("trades", {"seq": 8}, 1, 3),
        ("trades", {"seq": 8, "skipped": 3}, 0, 3),
        ("trades", {"seq": 8, "skipped": 2}, 1, 3),
        ("price", {"seq": 8}, 0, 3),
    ],
)
def test_holes_in_seq_are_seen(
    scripted_server: Server,
    frame: Frame,
    channel: str,
    said: dict[str, int],
    gaps: int,
    merged: int,
) -> None:
    def answer(command: dict[str, Any]) -> list[bytes]:
        first, *more = command["symbols"]
        pieces = [price(frame, "snapshot", each, NOW, seq=4) for each in (first, *more)]
        if "skipped" in said:
            pieces.append(frame(type="lagged", symbol=first, skipped=said["skipped"]))
        return [*pieces, price(frame, "update", first, NOW + 1000, seq=said["seq"])]

    server = scripted_server(answer, head=V1)
    swarm = started(server, clients=1, encoding="json", channel=channel)
    swarm.subscribe(timeout=10, watchers=1)
    swarm.drain(quiet=0.05, timeout=10)
    counts = swarm.as_dict()
    assert (counts["gaps"], counts["merged"]) == (gaps, merged)
    assert counts["skipped"] == said.get("skipped", 0)
    assert [command.get("channel", "price") for command in server.commands] == [channel]
    assert violations(swarm) == dict.fromkeys(VIOLATIONS, 0) | {"gaps": gaps}


def test_a_server_without_the_protocol_is_an_error(scripted_server: Server) -> None:
    with pytest.raises(BenchError, match=r"does not speak ticker\.v1\.msgpack"):
        started(scripted_server(lambda _: [], head=V1), encoding="msgpack")


def test_rates_go_round_the_clients(scripted_server: Server) -> None:
    server = scripted_server(lambda _: [])
    swarm = started(server, clients=5)
    swarm.configure([1.0, 2.5])
    swarm.drain(quiet=0.05, timeout=10)
    rates = Counter(command["max_rate"] for command in server.commands)
    assert rates == {1.0: 3, 2.5: 2}


def test_all_clients_ask_for_a_pace(scripted_server: Server) -> None:
    server = scripted_server(lambda _: [])
    swarm = started(server, clients=3)
    swarm.configure(pace="immediate")
    swarm.drain(quiet=0.05, timeout=10)
    assert server.commands == [{"action": "configure", "pace": "immediate"}] * 3


def test_probes_subscribe_in_turn_and_take_it_back(scripted_server: Server, frame: Frame) -> None:
    server = scripted_server(
        lambda command: snapshots(frame, command) if command["action"] == "subscribe" else []
    )
    swarm = started(server, clients=5)
    swarm.subscribe(timeout=10, watchers=1)
    swarm.reset()
    swarm.probe(watchers=1, rate=100, seconds=0.1)
    swarm.drain(quiet=0.05, timeout=10)
    actions = Counter(command["action"] for command in server.commands)
    assert actions == {"subscribe": 1 + 10, "unsubscribe": 8}
    assert swarm.first_answer.total == 10 * 2
    assert violations(swarm) == dict.fromkeys(VIOLATIONS, 0)


@pytest.mark.parametrize("encoding", ["plain", "json"])
def test_a_refused_subscribe_is_an_error(
    scripted_server: Server, frame: Frame, encoding: str
) -> None:
    head = V1 if encoding == "json" else HEAD
    server = scripted_server(
        lambda _: [frame(type="error", code=405, reason="symbol_limit_exceeded")], head=head
    )
    swarm = started(server, encoding=encoding)
    with pytest.raises(BenchError, match="405 symbol_limit_exceeded: ask for fewer"):
        swarm.subscribe(timeout=10, watchers=3)


def test_the_code_of_a_closed_connection_is_told(scripted_server: Server) -> None:
    def answer(_: dict[str, Any]) -> Iterator[bytes]:
        yield b"\x88\x02" + (4406).to_bytes(2, "big")
        raise ConnectionError

    swarm = started(scripted_server(answer), clients=1)
    with pytest.raises(BenchError, match=r"1 closed by the server \(4406 connection_limit_exceede"):
        swarm.subscribe(timeout=10, watchers=1)
    assert swarm.open == 0


def test_a_server_that_is_full_does_not_answer(scripted_server: Server) -> None:
    server = scripted_server(lambda _: [], head=b"")
    swarm = Swarm("127.0.0.1", server.port, symbol_names(7), 2, 1)
    with pytest.raises(BenchError, match=r"0 of 2 clients open after 0\.\d s; .*limit of conn"):
        swarm.connect(timeout=0.2)


def test_a_refused_upgrade_is_told_in_the_servers_words(scripted_server: Server) -> None:
    said = b'{"code":"not_authenticated","detail":"Send a token."}'
    server = scripted_server(lambda _: [], head=b"HTTP/1.1 401 Unauthorized\r\n\r\n" + said)
    with pytest.raises(BenchError, match=r"401 Unauthorized: Send a token\."):
        started(server)


def test_an_update_from_the_future_is_counted(scripted_server: Server, frame: Frame) -> None:
    later = time.time_ns() // 1000 * 1000 + 3_600_000_000_000
    server = scripted_server(
        lambda command: [
            b"".join(snapshots(frame, command)),
            b"".join(price(frame, "update", each, later) for each in command["symbols"]),
        ]
    )
    swarm = started(server, clients=1)
    swarm.subscribe(timeout=10, watchers=1)
    swarm.drain(quiet=0.05, timeout=10)
    assert (swarm.as_dict()["ahead"], swarm.as_dict()["updates"]) == (2, 2)
    assert 0 < swarm.seconds < 10
    swarm.reset()
    assert swarm.seconds == 0


def test_a_refused_upgrade_is_an_error(scripted_server: Server) -> None:
    server = scripted_server(lambda _: [], head=b"HTTP/1.1 503 Full\r\n\r\n")
    with pytest.raises(BenchError, match="503 Full"):
        started(server)


def test_missing_snapshots_are_an_error(scripted_server: Server, frame: Frame) -> None:
    server = scripted_server(lambda command: snapshots(frame, command)[:1])
    swarm = started(server, clients=2)
    with pytest.raises(BenchError, match="2 snapshots are missing"):
        swarm.subscribe(timeout=0.2, watchers=2)


def test_nobody_listens(free_port: int) -> None:
    swarm = Swarm("127.0.0.1", free_port, symbol_names(2), 1, 1)
    with pytest.raises((BenchError, OSError), match="refused"):
        swarm.connect(timeout=5)


def test_the_control_descriptor_ends_a_run(scripted_server: Server) -> None:
    reader, writer = os.pipe()
    try:
        swarm = started(scripted_server(lambda _: []), control_fd=reader)
        os.write(writer, b"x")
        assert swarm.run(seconds=10)
    finally:
        os.close(reader)
        os.close(writer)


@pytest.mark.parametrize("per_client", [0, 8])
def test_a_client_takes_some_of_the_symbols(per_client: int) -> None:
    with pytest.raises(ValueError, match="of 7 symbols"):
        Swarm("127.0.0.1", 1, symbol_names(7), 1, per_client)
