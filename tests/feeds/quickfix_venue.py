"""A FIX venue made of QuickFIX, run by the tests as a program of its own.

    quickfix_venue.py PORT FOLDER BEGIN_STRING

Says what happens on its output, a line each; does what its input says:

    incremental FIELDS...   35=X to the client logged on, FIELDS as tag=value with `|` between
    snapshot FIELDS...      35=W
    skip N                  the next sequence number is N greater: N numbers are never sent
    reset N                 SequenceReset without gap fill, the next number is N
    fill N                  SequenceReset with gap fill, unasked, the next number is N
    forget N                expects a number that is N lower: asks for what it had already
    test                    a TestRequest
    drop                    closes the connection without a word
    logout                  says good-bye
    quit

One thread does it all: QuickFIX in a thread of its own holds its session's lock when it calls
back into Python, which a command may be waiting for with the interpreter's.
"""

import os
import select
import sys
import warnings
from pathlib import Path
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import quickfix

SETTINGS = """
[DEFAULT]
ConnectionType=acceptor
SocketAcceptPort={port}
SocketReuseAddress=Y
SocketNodelay=Y
StartTime=00:00:00
EndTime=00:00:00
NonStopSession=Y
UseDataDictionary=Y
DataDictionary={dictionary}
FileStorePath={folder}
PersistMessages=Y
HeartBtInt=1
[SESSION]
BeginString={begin}
SenderCompID=VENUE
TargetCompID=TICKER
"""


def say(text: str) -> None:
    print(text.replace("\x01", "|"), flush=True)


class Venue(quickfix.Application):  # type: ignore[misc]  # it has no types
    def onCreate(self, session: Any) -> None:  # noqa: N802
        self.session = session

    def onLogon(self, _: Any) -> None:  # noqa: N802
        say("logon")

    def onLogout(self, _: Any) -> None:  # noqa: N802
        say("logout")

    def toAdmin(self, message: Any, _: Any) -> None:  # noqa: N802
        say(f"sent {message}")

    def fromAdmin(self, message: Any, _: Any) -> None:  # noqa: N802
        say(f"received {message}")

    def toApp(self, message: Any, _: Any) -> None:  # noqa: N802
        pass

    def fromApp(self, message: Any, _: Any) -> None:  # noqa: N802
        say(f"received {message}")

    def message(self, kind: str, text: str = "") -> None:
        message = quickfix.Message()
        header = message.getHeader()
        header.setField(8, sys.argv[3])
        header.setField(35, kind)
        group = None
        for tag, value in (field.split("=", 1) for field in text.split("|") if field):
            first = 269 if kind == "W" else 279
            if int(tag) == 268:
                continue
            if int(tag) == first:
                if group is not None:
                    message.addGroup(group)
                group = quickfix.Group(268, first)
            (message if group is None else group).setField(int(tag), value)
        if group is not None:
            message.addGroup(group)
        quickfix.Session.sendToTarget(message, self.session)

    def do(self, line: str) -> None:
        what, _, rest = line.partition(" ")
        session = quickfix.Session.lookupSession(self.session)
        if what == "incremental":
            self.message("X", rest)
        elif what == "snapshot":
            self.message("W", rest)
        elif what == "test":
            self.message("1", "112=ARE YOU THERE")
        elif what == "skip":
            session.setNextSenderMsgSeqNum(session.getExpectedSenderNum() + int(rest))
        elif what == "reset":
            self.message("4", f"36={rest}")
            session.setNextSenderMsgSeqNum(int(rest))
        elif what == "fill":
            self.message("4", f"36={rest}|123=Y")
            session.setNextSenderMsgSeqNum(int(rest))
        elif what == "forget":
            session.setNextTargetMsgSeqNum(session.getExpectedTargetNum() - int(rest))
        elif what == "drop":
            session.disconnect()
        elif what == "logout":
            session.logout()
        say(f"done {what}")


def main() -> None:
    _, port, folder, begin = sys.argv
    path = Path(folder) / "venue.cfg"
    specifications = Path(sys.prefix) / "share" / "quickfix"
    dictionary = specifications / f"{begin.replace('.', '')}.xml"
    path.write_text(SETTINGS.format(port=port, folder=folder, begin=begin, dictionary=dictionary))
    settings = quickfix.SessionSettings(str(path))
    venue = Venue()
    acceptor = quickfix.SocketAcceptor(venue, quickfix.FileStoreFactory(settings), settings)
    acceptor.poll()
    say("ready")
    commands = b""
    while acceptor.poll():
        if not select.select([sys.stdin], [], [], 0.002)[0]:
            continue
        read = os.read(sys.stdin.fileno(), 1 << 16)
        *lines, commands = (commands + read).split(b"\n")
        for line in lines:
            venue.do(line.decode())
        if not read or b"quit" in lines:
            break
    acceptor.stop(True)


main()
