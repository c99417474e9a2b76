"""Published FIX 4.4 session scripts, played against the session.

The scripts are of an acceptor's test suite (`I` is sent to the engine under test, `E` is expected
from it). The rules are nearly all the same for both sides; the session under test is an
initiator, so its Logon is there first, and the script's Logon is taken for the answer to it. What
a script's application does (it echoes orders), `Echo` does here.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ticker.feeds.fix.dictionary import (
    CHOICES,
    FORMATS,
    MARKET_DATA,
    SESSION_MESSAGES,
    Dictionary,
    rule,
)
from ticker.feeds.fix.initiator import FixOptions
from ticker.feeds.fix.message import Message, parse
from ticker.feeds.protocol import MessageLog
from ticker.feeds.session import DEADLINE_NEVER
from ticker.feeds.sessions.fix import Fix
from ticker.shm.segment import Geometry, private_feed

SECOND = 1_000_000_000
START = 1_767_362_400 * SECOND
PATIENCE = 120 * SECOND

NOT_FOR_AN_INITIATOR = {
    "1b_DuplicateIdentity": "two clients connect to one acceptor; an initiator has one connection",
    "AlreadyLoggedOn": "two clients connect to one acceptor; an initiator has one connection",
}

ORDER = rule("11 40 54 60", "21 38 55 126 167 386 336", {386: 336})
DEFINITION = rule("320 322 323", "22 55 58 167 336 454 455", {454: 455})
DICTIONARY = Dictionary(
    messages=SESSION_MESSAGES | MARKET_DATA | {"D": ORDER, "d": DEFINITION},
    formats=FORMATS | {38: "float", 60: "time", 126: "time", 386: "number", 454: "number"},
    choices=CHOICES
    | {
        21: frozenset({b"1", b"2", b"3"}),
        40: frozenset(b"%c" % code for code in b"123456789DEGIJKLMP"),
        54: frozenset(b"%c" % code for code in b"123456789ABCDEFG"),
        167: frozenset({b"CS", b"PS", b"FUT", b"OPT"}),
    },
    strict=True,
)

TIMES = {52, 60, 122}
"""Their presence is compared, not their value."""


class Echo:
    """A session, and the application of the scripts: it sends every order back, once."""

    def __init__(self, options: FixOptions) -> None:
        self.orders: set[bytes] = set()
        mapping = private_feed(Geometry(rows=1), 1, 1)
        self.session = Fix(MessageLog(), mapping, options)
        self.session.dialogue.heard.application = self.answer

    def answer(self, message: Message) -> None:
        order = message.get(11)
        if message.flag(97) and order in self.orders:
            return
        self.orders.add(order)
        header = {8, 9, 10, 34, 35, 43, 49, 52, 56, 122}
        self.session.dialogue.initiator.send_application(
            message.kind, [field for field in message.fields if field[0] not in header]
        )


class Stage:
    """A script being played, on a clock that goes on only while something is waited for."""

    def __init__(self, script: list[str]) -> None:
        beat = re.search(r"\x01108=(\d+)", "".join(script))
        options = FixOptions(
            sender="ISLD",
            target="TW44",
            heartbeat_ns=(int(beat[1]) if beat else 30) * SECOND,
            reset_on_disconnect=True,
            dictionary=DICTIONARY,
        )
        self.now = START
        self.session = Echo(options).session
        self.sent: list[bytes] = []
        self.answered = False

    def play(self, line: str) -> None:
        if line == "iCONNECT":
            self.session.connected(self.now)
            self.collect()
        elif line == "eDISCONNECT":
            self.wait_until_closed()
        elif line[0] == "I":
            self.session.receive_data(self.filled(line[1:]), 0, self.now)
            self.collect()
        else:
            assert line[0] == "E", line
            self.expect(line[1:])

    def collect(self) -> None:
        self.sent += self.session.data_to_send(self.now)

    def filled(self, text: str) -> bytes:
        """A script's message as it goes over the wire: times, length and checksum filled in."""

        def time(match: re.Match[str]) -> str:
            moment = self.now // SECOND + int(match[1] or 0)
            return f"{datetime.fromtimestamp(moment, UTC):%Y%m%d-%H:%M:%S}"

        text = re.sub(r"<TIME([+-]\d+)?>", time, text)
        if "\x019=" not in text:
            begin, _, body = text.partition("\x01")
            length = len(re.sub(r"10=\d+\x01$", "", body))
            text = f"{begin}\x019={length}\x01{body}"
        data = text.encode("latin-1")
        return data if b"\x0110=" in data else data + b"10=%03d\x01" % (sum(data) % 256)

    def expect(self, text: str) -> None:
        self.wait_for(lambda: bool(self.sent), text)
        found = comparable(self.sent.pop(0))
        assert found == comparable(text.encode("latin-1"))
        self.answered = True

    def wait_until_closed(self) -> None:
        self.wait_for(lambda: self.session.should_close, "disconnect")
        # An initiator has spoken before it hears that it is not welcome.
        kinds = [comparable(frame)[35] for frame in self.sent]
        assert kinds == ([] if self.answered else [b"A"])
        self.sent.clear()
        self.answered = False
        self.session.disconnected()

    def wait_for(self, what: object, text: str) -> None:
        assert callable(what)
        while not what():
            deadline = self.session.next_deadline(self.now)
            assert deadline not in (DEADLINE_NEVER, self.now), f"never comes: {text}"
            assert deadline < START + PATIENCE, f"never comes: {text}"
            self.now = deadline
            self.collect()


def comparable(frame: bytes) -> dict[int, bytes]:
    fields = dict(parse(frame if frame.endswith(b"\x01") else frame + b"\x01"))
    return {
        tag: b"" if tag in TIMES else value for tag, value in fields.items() if tag not in (9, 10)
    }


def lines_of(path: Path) -> list[str]:
    lines = path.read_text(encoding="latin-1").split("\n")
    return [line.strip("\r\n ") for line in lines if line.strip() and line[0] != "#"]


def scripts(folder: Path) -> dict[str, Path]:
    paths = sorted((folder / "fix" / "session-scripts").glob("fix44__*.def"))
    return {path.stem.removeprefix("fix44__"): path for path in paths}


def test_every_script_passes_or_has_a_reason_why_not(samples: Path) -> None:
    failed = {}
    played = 0
    for name, path in scripts(samples).items():
        if name in NOT_FOR_AN_INITIATOR:
            continue
        lines = lines_of(path)
        stage = Stage(lines)
        played += 1
        try:
            for line in lines:
                stage.play(line)
        except AssertionError as error:
            failed[name] = f"{line!r}: {error}"
    assert failed == {}
    assert played >= 57
    assert set(NOT_FOR_AN_INITIATOR) <= set(scripts(samples))


@pytest.mark.parametrize("size", [1, 7, 64])
def test_a_script_does_not_depend_on_how_the_bytes_are_cut(samples: Path, size: int) -> None:
    for name in (
        "20_SimultaneousResendRequest",
        "2m_BodyLengthValueNotCorrect",
        "2d_GarbledMessage",
    ):
        lines = lines_of(scripts(samples)[name])
        stage = Stage(lines)
        receive = stage.session.receive_data
        for line in lines:
            if line[0] != "I":
                stage.play(line)
                continue
            data = stage.filled(line[1:])
            for start in range(0, len(data), size):
                receive(data[start : start + size], 0, stage.now)
            stage.collect()


def test_lenient_lets_pass_what_strict_refuses(samples: Path) -> None:
    lines = lines_of(scripts(samples)["14c_TagNotDefinedForMsgType"])
    stage = Stage(lines)
    stage.session.dialogue.heard.dictionary = replace(DICTIONARY, strict=False)
    for line in lines[:4]:
        if "35=3\x01" not in line:
            stage.play(line)
    assert stage.sent == []
    assert stage.session.next_expected_sequence == 3
