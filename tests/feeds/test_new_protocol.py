"""A new protocol is one file: the toy of docs/new-protocol.md, taken from that page, in a folder
of its own, with samples, replayed from a capture and served from real packets."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ticker.config import parse
from ticker.errors import ConfigError, FeedError
from ticker.feeds.workers.known import name_problems
from ticker.feeds.workers.pipeline import load_protocol

CENTS = 10_000_000
NINE = 9 * 3600 * 1_000_000_000


def instrument(key: int, symbol: str) -> bytes:
    return b"I" + struct.pack(">H8s", key, symbol.ljust(8).encode())


def trade(key: int, price: int, size: int, match: int, time: int) -> bytes:
    return b"T" + struct.pack(">HIIQQ", key, price, size, match, time)


def quote(key: int, bid: int, bid_size: int, ask: int, ask_size: int, time: int) -> bytes:
    return b"Q" + struct.pack(">HIIIIQ", key, bid, bid_size, ask, ask_size, time)


DAY = [
    instrument(1, "ACME"),
    trade(1, 1233, 100, 1, NINE),
    quote(1, 1233, 10, 1235, 20, NINE + 1),
    trade(1, 1234, 200, 2, NINE + 2),
]
BROKEN = [b"", b"Z", b"T\0", trade(9, 1, 1, 3, NINE)]


@pytest.fixture
def toy(tmp_path: Path, root: Path) -> Path:
    """The file of the page, byte for byte."""
    text = (root / "docs" / "new-protocol.md").read_text()
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert code
    path = tmp_path / "toy.py"
    path.write_text(code[1])
    return path


def framed(messages: list[bytes]) -> bytes:
    return b"".join(len(message).to_bytes(2, "big") + message for message in messages)


def test_its_folder_of_samples(toy: Path, check_sample: Callable[[Path, str], None]) -> None:
    """Run by what runs the samples of ticker's own protocols; a wrong one fails."""
    row = {"price": 1234 * CENTS, "volume": 300, "high": 1234 * CENTS, "bid": 1233 * CENTS}
    folder = toy.parent / "samples"
    folder.mkdir()
    for name, messages, counters in (
        ("001-a-day", DAY, {"trades": 2, "quotes": 1, "bad_messages": 0}),
        ("002-not-of-the-protocol", [*BROKEN, *DAY], {"trades": 2, "bad_messages": len(BROKEN)}),
    ):
        (folder / f"{name}.bin").write_bytes(framed(messages))
        (folder / f"{name}.json").write_text(
            json.dumps({"rows": {"ACME": row}, "counters": counters})
        )
    cases = sorted(folder.glob("*.bin"))
    for case in cases:
        check_sample(case, str(toy))
    wrong = {"rows": {"ACME": {**row, "volume": 301}}, "counters": {}}
    cases[0].with_suffix(".json").write_text(json.dumps(wrong))
    with pytest.raises(AssertionError):
        check_sample(cases[0], str(toy))


def test_a_mistake_in_the_class_is_counted_and_told_once(
    tmp_path: Path, make_feed: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "careless.py").write_text(
        "from ticker.feeds.python_protocol import PythonProtocol\n"
        "class Careless(PythonProtocol):\n"
        "    def decode_message(self, message, receive_time):\n"
        "        return message[5]\n"
    )
    told: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    feed = make_feed(protocol=load_protocol(str(tmp_path / "careless.py")))
    feed.send(b"abc", b"abcdefgh", b"")
    assert feed.counter("bad_messages") == 2
    assert [each.exc_type for each in told] == [IndexError]


def test_what_is_wrong_with_a_file_is_said(tmp_path: Path) -> None:
    feed = '[[feeds]]\nname = "x"\nvenue = "XTOY"\nlines = ["127.0.0.1:27000"]\n'
    with pytest.raises(ConfigError, match=r"feeds\[0\].protocol: no file .*none.py; it is looked"):
        parse(feed + 'protocol = "./none.py"\n', tmp_path, name_problems)
    for text, said in (
        ("def", "SyntaxError"),
        ("import nothing_like_this", "ModuleNotFoundError"),
        ("x = 1", "defines no Protocol"),
    ):
        (tmp_path / "bad.py").write_text(text)
        with pytest.raises(FeedError, match=f"bad.py: .*{said}|bad.py: {said}"):
            load_protocol(str(tmp_path / "bad.py"))


def run_ticker(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ticker", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment)


def packet(sequence: int, *messages: bytes) -> bytes:
    """MoldUDP64, section 3: session, sequence, count; then blocks behind their length."""
    return b"TOYSESSION" + struct.pack(">QH", sequence, len(messages)) + framed(list(messages))


def capture(path: Path, payloads: list[bytes]) -> None:
    """A pcap of UDP datagrams on the loopback's raw IP link (LINKTYPE_RAW, 101)."""
    out = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
    for second, payload in enumerate(payloads):
        udp = struct.pack(">HHHH", 1, 27000, 8 + len(payload), 0) + payload
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 1, 17, 0,
                         bytes([127, 0, 0, 1]), bytes([239, 192, 40, 1]))  # fmt: skip
        frame = ip + udp
        out += struct.pack("<IIII", 1_774_872_000 + second, 0, len(frame), len(frame)) + frame
    path.write_bytes(out)


@pytest.mark.slow
def test_replay_and_check_from_the_command_line(toy: Path) -> None:
    capture(toy.parent / "day.pcap", [packet(1, *DAY[:2]), packet(3, *DAY[2:]), packet(5, *BROKEN)])
    done = run_ticker("replay", "day.pcap", "--protocol", "./toy.py", "--json", cwd=toy.parent)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["symbols"]["ACME"]["price"] == "12.34"
    assert report["symbols"]["ACME"]["volume"] == 300
    assert report["counters"]["bad_messages"] == len(BROKEN)
    (toy.parent / "ticker.toml").write_text(
        '[[feeds]]\nname = "toy"\nprotocol = "./toy.py"\nvenue = "XTOY"\n'
        'lines = ["127.0.0.1:27000"]\n'
    )
    elsewhere = toy.parent / "elsewhere"
    elsewhere.mkdir()
    done = run_ticker("check", "--config", toy.parent / "ticker.toml", cwd=elsewhere)
    assert (done.returncode, done.stderr) == (0, "")
    toy.write_text("import nothing_like_this\n")
    done = run_ticker("check", "--config", toy.parent / "ticker.toml", cwd=elsewhere)
    assert done.returncode == ConfigError.exit_code
    assert "toy.py: ModuleNotFoundError" in done.stderr


@pytest.fixture
def server(toy: Path) -> Iterator[tuple[str, int]]:
    """`ticker serve` with a feed of the toy: (base URL, UDP port of its line)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = toy.parent / "ticker.toml"
    config.write_text(
        f'[server]\ninstance = "toy-{os.getpid()}"\nport = 0\n'
        '[[feeds]]\nname = "toy"\nprotocol = "./toy.py"\nvenue = "XTOY"\nrows = 16\n'
        # of a day gone by: at nine o'clock of today the test may run, or still be to come
        'date = "2026-03-30"\n'
        f'ring_capacity = 64\nlines = ["127.0.0.1:{port}"]\n'
    )
    with subprocess.Popen(
        [sys.executable, "-m", "ticker", "serve", "--config", str(config)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        assert process.stdout
        try:
            line = process.stdout.readline()
            found = re.search(r"http://\S+/", line)
            assert found, line
            yield found[0], port
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0


@pytest.mark.slow
def test_served_from_real_packets(server: tuple[str, int]) -> None:
    base, port = server
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        for sequence, message in enumerate(DAY, 1):
            line.sendto(packet(sequence, message), ("127.0.0.1", port))
        price = wait_for_price(base + "prices/ACME", '"volume":300')
    assert (price["price"], price["venue"], price["volume"]) == (12.34, "XTOY", 300)
    assert (price["bid"], price["ask_size"], price["trades"]) == (12.33, 20, 2)


def wait_for_price(url: str, mark: str) -> dict[str, Any]:
    end = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(url) as answer:
                text = answer.read().decode()
            if mark in text:
                return dict(json.loads(text))
        except urllib.error.HTTPError as error:
            assert error.code == 404
            error.close()
        assert time.monotonic() < end
        time.sleep(0.01)


COMPILED = """
from libc.stdint cimport int32_t, int64_t, uint8_t

from ticker.feeds.protocol cimport Protocol
from ticker.shm.layout cimport TRADE_REGULAR


cdef class Swift(Protocol):
    session = "moldudp64"

    cdef void message(
        self, const uint8_t* data, size_t length, int64_t receive_time
    ) noexcept nogil:
        cdef int32_t instrument
        if length >= 1:
            instrument = self.market.rows.define(7, b"ACME", 4)
            self.market.sales.trade(
                instrument, data[0] * 10000000, 100, 0, TRADE_REGULAR, self.midnight_ns, 0
            )
"""


@pytest.mark.slow
def test_a_compiled_one(tmp_path: Path, root: Path, check_sample: Callable[..., None]) -> None:
    """`cythonize -i swift.pyx` somewhere else, against ticker's .pxd files."""
    (tmp_path / "swift.pyx").write_text(COMPILED)
    subprocess.run(
        [sys.executable, "-m", "Cython.Build.Cythonize", "-3", "-i", "-q", "swift.pyx"],
        cwd=tmp_path, check=True, capture_output=True,
        env={**os.environ, "PYTHONPATH": str(root), "CFLAGS": f"-O1 -I{root} -D_GNU_SOURCE"},
    )  # fmt: skip
    compiled = tmp_path / f"swift{sysconfig.get_config_var('EXT_SUFFIX')}"
    (tmp_path / "001-two.bin").write_bytes(framed([b"\x05", b"\x07"]))
    (tmp_path / "001-two.json").write_text(
        json.dumps({"rows": {"ACME": {"price": 7 * CENTS, "volume": 200}}, "counters": {}})
    )
    check_sample(tmp_path / "001-two.bin", str(compiled))
