"""FIX: fields, frames, market data, and the session, from its logon on and as overheard.

Inputs are frames, or bodies, one after another; half of the mutated ones have their BodyLength
and CheckSum made right again, as garbled frames get no further than the stream.
"""

from __future__ import annotations

import contextlib
import json
import re
from typing import Any

from tests.fuzz.subject import MS, START, Subject, captures, chunks
from tests.fuzz.target import Target
from ticker.errors import DecodeError
from ticker.feeds.fix.dictionary import Dictionary
from ticker.feeds.fix.fields import fields, frame, header
from ticker.feeds.fix.initiator import FixOptions, Phase
from ticker.feeds.fix.message import Message, encode, parse, utc_timestamp
from ticker.feeds.fix.requests import Subscription, symbols
from ticker.feeds.fix.values import decimal, rounded, timestamp
from ticker.feeds.protocols.fix import FixMarketData
from ticker.feeds.sessions.fix import Fix

SENT = utc_timestamp(START)
ENTRIES = (
    "W|55=S|268=3|269=0|270=10|271=5|269=0|278=b|270=9.5|271=7|269=1|270=11|271=6",
    "X|268=2|279=1|269=0|55=S|270=10|271=4|279=0|269=1|55=T|278=c|280=b|270=10.5|271=1",
    "X|268=3|279=0|269=2|278=1|55=S|270=10|271=5|272=20260102|273=14:29:59.999|277=X B"
    "|279=2|269=2|278=1|55=S|279=0|269=J|55=S",
    "X|268=1|279=2|269=1|55=S|270=11",
    "W|55=[N/A]|48=US0378331005|22=4|268=2|269=0|270=10|271=5|1023=1|269=0|270=9|271=6|1023=2",
    "X|268=2|279=2|269=0|55=[N/A]|48=US0378331005|22=4|1023=1|279=0|269=3|270=10.123456789012",
    "X|268=2|279=0|269=2|55=S|65=A|200=202606|207=XNAS|270=7|271=1|454=2|455=a|455=b"
    "|279=1|269=0|55=S|65=B|290=1|270=6|271=2",
    "W|55=S|268=6|269=3|270=50|269=4|270=9|272=20260102|269=5|270=8|286=0|269=6|270=8.5|286=4"
    "|269=7|270=12|269=8|270=-7|272=20260101",
    "X|268=3|279=1|269=7|55=S|270=11|279=1|269=6|270=8|286=1 3|279=2|269=3",
)  # fmt: skip
ADMIN = (
    "A|98=0|108=30|141=Y", "0|112=T", "1|112=TEST", "2|7=1|16=0", "3|45=2|373=5|58=no",
    "4|36=9|123=Y", "4|36=20", "5|58=bye", "Y|262=1|281=0|58=no", "j|372=V|380=3", "D|11=1|55=S",
    "5|58=MsgSeqNum too low, expecting 77 but received 1",
)  # fmt: skip
TOKENS = tuple(
    token.encode().replace(b"|", b"\x01")
    for token in ("|", "=", "8=FIX.4.4|9=5|35=", "|34=", "|43=Y|", "|122=20260102-14:30:00|",
                  "|52=20260102-14:30:00.250|", "|268=", "|269=2|", "|95=3|96=a|b|", "|141=Y|",
                  "|10=000|", "|36=5|123=Y|", "|7=0|16=0|", "|35=4|", "|35=2|", "|271=", "|270=",
                  "|55=[N/A]|", "|48=1|22=4|", "|65=A|", "|1023=1|", "|290=2|", "|454=2|455=a|")
)  # fmt: skip


def body(text: str, number: int) -> list[tuple[int, bytes]]:
    """The fields of `35|tag=value|…` with a header of the other side's."""
    kind, *rest = text.split("|")
    head = [(35, kind.encode()), (34, b"%d" % number), (49, b"V"), (52, SENT), (56, b"T")]
    pairs = (field.partition("=") for field in rest)
    return head + [(int(tag), value.encode()) for tag, _, value in pairs]


def frames(*texts: str, first: int = 1, version: bytes = b"FIX.4.4") -> bytes:
    """Whole frames, numbered from `first` on."""
    return b"".join(encode(version, body(text, first + at)) for at, text in enumerate(texts))


def published() -> list[bytes]:
    """The published frames among the sample captures, the wrong ones too."""
    folder = captures()
    if folder is None:
        return []
    lines = (folder / "fix" / "md_frames_42_44.jsonl").read_text().splitlines()
    return [json.loads(line)["frame_pipe"].replace("|", "\x01").encode() for line in lines]


def scripted() -> list[bytes]:
    """What the published session scripts send, each with its length and sum made right."""
    folder = captures()
    found = []
    for path in sorted((folder / "fix" / "session-scripts").glob("*.def")) if folder else ():
        sent = re.findall(rb"^I(8=.*)$", path.read_bytes(), re.MULTILINE)
        text = b"".join(line.replace(b"<TIME>", SENT) for line in sent)
        text = text.replace(b"49=TW44", b"49=V").replace(b"56=ISLD", b"56=T")
        found.append(repair(text))
    return found


def stream_seeds() -> list[bytes]:
    """Sessions, whole and with gaps, and frames by themselves."""
    logon = frames(ADMIN[0])
    found = [logon + frames(*ENTRIES, first=2), logon + frames(*ENTRIES, first=4)]
    found += [logon + frames(each, *ENTRIES[:2], first=2) for each in ADMIN]
    found += [frames(*ADMIN[:6]), frames(*ENTRIES, version=b"FIX.4.2"), logon]
    return [*found, *published(), *scripted()]


def body_seeds() -> list[bytes]:
    """Bodies of market data."""
    bodies = [b"".join(b"%d=%b\x01" % field for field in body(text, 2)) for text in ENTRIES]
    for text in published():
        found = re.match(rb"8=[^\x01]*\x019=\d+\x01(.*)10=\d+\x01", text, re.DOTALL)
        bodies += [found[1]] if found else []
    return bodies


_FRAME = re.compile(rb"8=(FIX[^\x01]*)\x01(?:9=[^\x01]*\x01)?(.*?)(?:10=[^\x01]*\x01)?(?=8=FIX|\Z)",
                    re.DOTALL)  # fmt: skip


def repair(data: bytes) -> bytes:
    """Every frame with the BodyLength and CheckSum that it should have."""

    def right(found: re.Match[bytes]) -> bytes:
        inner = found[2] if found[2].endswith(b"\x01") else found[2] + b"\x01"
        head = b"8=%b\x019=%d\x01" % (found[1], len(inner))
        return b"%b%b10=%03d\x01" % (head, inner, sum(head + inner) % 256)

    return _FRAME.sub(right, data)


class MarketData(Subject):
    """The decoder alone; an input is one body."""

    def __init__(self, **options: Any) -> None:
        super().__init__(lambda market: FixMarketData(market, **options), size_exponent=2)

    def __call__(self, data: bytes) -> None:
        self.protocol.expect(data)
        self.protocol.decode(data, self.now)
        self.check()


class Initiator(Subject):
    """A session that has just connected; the input comes in pieces of its first byte's size."""

    def __init__(self) -> None:
        super().__init__(FixMarketData)
        self.session = Fix(
            self.protocol,
            self.mapping,
            FixOptions(sender="T", target="V", held_messages=20, sent_messages=5,
                       subscription=Subscription(instruments=symbols("S", "T"))),
        )  # fmt: skip

    def __call__(self, data: bytes) -> None:
        self.session.connected(self.now)
        for chunk in chunks(data):
            self.session.receive_data(chunk, 0, self.now)
            self.now += (len(chunk) & 3) * 40 * MS
            self.sent()
        for seconds in (1, 40, 40, 200):
            self.now += seconds * 1000 * MS
            self.sent()
        self.session.logout(self.now, "over")
        self.session.disconnected()
        assert self.session.dialogue.initiator.phase is Phase.DISCONNECTED
        self.check()

    def sent(self) -> None:
        """What is sent is made of whole frames."""
        for out in self.session.data_to_send(self.now):
            found = frame(out)
            assert found is not None
            parse(found[1])
        self.session.take_events()
        assert self.session.next_deadline(self.now) >= 0
        assert self.session.next_sequence_out > 0
        assert self.session.next_expected_sequence > 0


class Overheard(Subject):
    """A capture of a session."""

    def __init__(self) -> None:
        super().__init__(FixMarketData)
        self.session = Fix(self.protocol, self.mapping)

    def __call__(self, data: bytes) -> None:
        for chunk in chunks(data):
            self.session.receive_data(chunk, 0, self.now)
        self.session.end_of_data(self.now)
        self.check()


def read_texts(data: bytes) -> None:
    """Every reader of FIX texts, on the same bytes; those that read alike must agree."""
    for each in (lambda: timestamp(data), lambda: frame(data), lambda: header(data)):
        with contextlib.suppress(DecodeError):
            each()
    for kept in (0, 4, 9):
        with contextlib.suppress(DecodeError):
            number = rounded(data, kept)
            assert number % 10 ** (9 - kept) == 0
    with contextlib.suppress(DecodeError):
        assert decimal(data, 9) == rounded(data, 9)
    found = parsed = None
    with contextlib.suppress(DecodeError):
        found = fields(data)
    with contextlib.suppress(DecodeError):
        parsed = parse(data)
    if found is not None:
        assert found == parsed, (found, parsed)
    if parsed is not None:
        Dictionary().check(Message(b"FIX.4.4", data, START))
        Dictionary(strict=True).check(Message(b"FIX.4.2", data, START))


TARGETS = [
    Target(
        name="fix-fields",
        covers=("ticker.feeds.fix.fields", "ticker.feeds.fix.values",
                "ticker.feeds.fix.message", "ticker.feeds.fix.dictionary"),
        start=lambda: read_texts,
        seeds=lambda: [*body_seeds(), *published(), SENT, b"-12.5", b"20260102-23:59:60.123456789"],
        errors=(DecodeError,),
        per_subject=1000,
        tokens=TOKENS,
    ),
    Target(
        name="fix",
        covers=("ticker.feeds.protocols.fix",),
        start=lambda: MarketData(),
        seeds=body_seeds,
        per_subject=256,
        tokens=TOKENS,
    ),
    Target(
        name="fix-top",
        covers=("ticker.feeds.protocols.fix",),
        start=lambda: MarketData(depth=1),
        seeds=body_seeds,
        per_subject=256,
        tokens=TOKENS,
    ),
    Target(
        name="fix-session",
        covers=("ticker.feeds.sessions.fix", "ticker.feeds.fix.heard", "ticker.feeds.fix.gap"),
        start=Initiator,
        seeds=stream_seeds,
        tokens=TOKENS,
        repair=repair,
    ),
    Target(
        name="fix-capture",
        covers=("ticker.feeds.sessions.fix", "ticker.feeds.fix.heard", "ticker.feeds.fix.gap"),
        start=Overheard,
        seeds=stream_seeds,
        per_subject=64,
        tokens=TOKENS,
        repair=repair,
    ),
]  # fmt: skip
