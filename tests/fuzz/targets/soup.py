"""SoupBinTCP: a server's stream, in chunks of any size.

An input is a script: of an operation the low two bits say what happens with its piece (0, 1:
received; 2: received after a new connection; 3: after a second of silence)."""

from __future__ import annotations

from tests.fuzz.subject import MS, Subject, captures, pieces, sample_messages, script
from tests.fuzz.target import Target
from ticker.feeds.sessions.soupbintcp import Phase, SoupBinTcp, SoupOptions
from ticker.feeds.transports.pcap import Capture
from ticker.feeds.workers.pipeline import load_protocol

ACCEPTED = b"\x00\x1fA" + b"%10s%20d" % (b"SESSION001", 1)
RECONNECT, WAIT = 2, 3


class Client(Subject):
    """A session that is connected again whenever it was left."""

    def __init__(self) -> None:
        super().__init__(load_protocol("itch50"))
        self.session = SoupBinTcp(self.protocol, self.mapping, SoupOptions(join="start"))

    def __call__(self, data: bytes) -> None:
        self.connect()
        for operation, piece in pieces(data):
            if operation & 3 == RECONNECT or self.session.should_close:
                self.connect()
            if operation & 3 == WAIT:
                self.now += 1000 * MS
            before = self.session.next_expected_sequence
            session = self.session.session_id
            self.session.receive_data(piece, 0, self.now)
            same = session == self.session.session_id
            assert self.session.next_expected_sequence >= before or not same
            self.ask()
        self.session.save()
        self.session.end_of_data(self.now)
        self.session.disconnected()
        assert self.session.phase is Phase.DISCONNECTED
        self.check()

    def connect(self) -> None:
        self.session.disconnected()
        self.session.connected(self.now)
        self.ask()

    def ask(self) -> None:
        """What the transport asks after each chunk."""
        for packet in self.session.data_to_send(self.now):
            assert int.from_bytes(packet[:2], "big") == len(packet) - 2 < 64
        self.session.take_events()


def seeds() -> list[bytes]:
    """Streams of samples, whole, cut, and logged in to again; real packets."""
    found = []
    for messages in sample_messages("itch50"):
        stream = ACCEPTED + b"".join(
            (1 + len(each)).to_bytes(2, "big") + b"S" + each for each in messages
        )
        half = len(stream) // 2
        found.append(script([(0, stream[:half]), (0, stream[half:]), (0, b"\x00\x01Z")]))
        found.append(script([(0, stream), (RECONNECT, ACCEPTED), (WAIT, b"\x00\x01H")]))
    folder = captures()
    for path in sorted(folder.glob("soupbintcp/*.pcap")) if folder else ():
        taken = [payload for payload, _, _ in Capture(path, with_tcp=True)]
        found.append(script([(0, ACCEPTED), *((0, each) for each in taken)]))
    return found


TARGETS = [
    Target(
        name="soupbintcp", covers=("ticker.feeds.sessions.soupbintcp",), start=Client, seeds=seeds
    )
]
