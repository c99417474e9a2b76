"""The C reference programs run without a compiler, and meet the swarm's raw readers."""

from __future__ import annotations

import json
import os
import struct
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from ticker.bench.rig.part import Part, limit_command, limit_part
from ticker.bench.rig.payload import payload
from ticker.bench.rig.rig import Load
from ticker.bench.swarm.checks import VIOLATIONS
from ticker.bench.swarm.message import parse_frame, parse_message
from ticker.bench.swarm.message_binary import parse_binary
from ticker.bench.swarm.swarm import Swarm
from ticker.bench.swarm.symbols import symbol_names
from ticker.cli import main
from ticker.errors import BenchError
from ticker.units import parse_price

Require = Callable[[object, str], None]
LOAD = Load(clients=4, symbols=20, per_client=5)


@pytest.fixture
def loop() -> Iterator[Part]:
    part = limit_part("send_loop", str(min(os.sched_getaffinity(0))))
    yield part
    part.close()


def ask(loop: Part, line: str) -> dict[str, int]:
    loop.tell(line)
    return loop.answer(timeout=20)


def messages(data: bytes) -> list[str]:
    """The kinds of all messages in frames that must fill `data` exactly."""
    kinds = []
    while data:
        used, _, text = parse_frame(data)
        assert used > 0
        kinds.append(parse_message(text)["kind"])
        data = data[used:]
    return kinds


def test_the_payload_is_whole_frames_of_any_size() -> None:
    for size in range(100, 600):
        made = payload(size, LOAD)
        assert len(made) == size or (size in (128, 129) and len(made) == 130)
        assert set(messages(made)) == {"update"}


@pytest.mark.parametrize("channel", ["price", "quote", "trades"])
@pytest.mark.parametrize("encoding", ["json", "msgpack", "protobuf"])
def test_the_payload_is_as_the_gateway_sends_it(encoding: str, channel: str) -> None:
    load = replace(LOAD, encoding=encoding, channel=channel)
    for size in range(350, 900, 7):
        data = made = payload(size, load)
        assert len(made) in (size, size + 1)
        symbols = []
        while data:
            used, opcode, message = parse_frame(data)
            assert used > 0
            data = data[used:]
            if opcode == 10:  # what fills it up
                continue
            assert opcode == (1 if encoding == "json" else 2)
            if encoding == "json":
                found = parse_message(message)
            else:
                found = parse_binary(message, encoding == "protobuf")
            assert found["kind"] == "update"
            symbols.append(found["symbol"].decode())
        assert symbols == symbol_names(5)[: len(symbols)] != []


def test_every_send_reaches_its_reader(loop: Part) -> None:
    swarm = Swarm("127.0.0.1", loop.answer()["port"], symbol_names(20), 4, 5, raw=True)
    swarm.connect(timeout=10)
    assert ask(loop, "accept 4") == {"connections": 4}
    data = payload(450, LOAD)
    assert ask(loop, f"payload {data.hex()}") == {"payload": 450}
    paced = ask(loop, "paced 0.05 0.01")
    swarm.drain(quiet=0.05, timeout=10)
    seen = swarm.as_dict()
    assert paced["sends"] == 4 * paced["rounds"]
    assert seen["updates"] == len(messages(data)) * paced["sends"]
    assert {name: seen[name] for name in VIOLATIONS} == dict.fromkeys(VIOLATIONS, 0)
    assert paced["cpu_ns"] > 0
    # Nobody reads meanwhile, so that sockets fill up in the midst of a payload.
    tight = ask(loop, "tight 0.05")
    swarm.drain(quiet=0.05, timeout=10)
    assert swarm.as_dict()["bytes"] == paced["bytes"] + tight["bytes"]
    assert swarm.as_dict()["malformed"] == 0
    assert tight["sends"] + tight["blocked"] == 4 * tight["rounds"]


def test_an_unknown_command_is_an_error(loop: Part) -> None:
    loop.answer()
    with pytest.raises(BenchError, match="unknown command"):
        ask(loop, "dance")


def test_the_walk_counts_by_type(tmp_path: Path) -> None:
    day = tmp_path / "day.itch"
    records = [b"S" + bytes(11), b"R" + bytes(38), b"R" + bytes(38)]
    framed = b"".join(struct.pack(">H", len(each)) + each for each in records)
    day.write_bytes(framed + b"\x00\x09cut")
    done = subprocess.run(
        limit_command("walk", "binaryfile", str(day)), capture_output=True, check=True
    )
    walked = json.loads(done.stdout)
    assert walked["types"] == {"S": 1, "R": 2}
    assert (walked["messages"], walked["bytes"], walked["left"]) == (3, len(framed), 5)


def test_the_bare_books_are_those_of_a_replay(tmp_path: Path) -> None:
    day = tmp_path / "day.itch"
    size = ("--symbols", "40", "--messages", "60000", "--seed", "5")
    simulated = CliRunner().invoke(main, ["simulate", "itch", *size, "--output", str(day)])
    assert simulated.exit_code == 0, simulated.output
    done = subprocess.run(limit_command("book", str(day)), capture_output=True, check=True)
    book = json.loads(done.stdout)
    options = ("--protocol", "itch50", "--session", "binaryfile", "--json")
    replayed = json.loads(CliRunner().invoke(main, ["replay", str(day), *options]).stdout)
    rows = replayed["symbols"].values()
    sums = [sum(parse_price(row[side]) for row in rows if row[side]) for side in ("bid", "ask")]
    assert book["messages"] == replayed["messages"] == 60_000
    assert [book["bids"] * 100_000, book["asks"] * 100_000] == sums
    assert min(sums) > 0


def test_a_program_says_how_it_ended(tmp_path: Path) -> None:
    for arguments, status in (((), 2), (("binaryfile", str(tmp_path / "none")), 1)):
        done = subprocess.run(limit_command("walk", *arguments), capture_output=True, text=True)
        assert done.returncode == status
        assert done.stderr.startswith(("usage: walk FRAMING FILE", "walk: "))


def test_benches_need_no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """As from a wheel on a machine without one."""
    monkeypatch.setenv("PATH", "")
    part = limit_part("send_loop", str(min(os.sched_getaffinity(0))))
    assert part.answer()["port"] > 0
    part.close()
