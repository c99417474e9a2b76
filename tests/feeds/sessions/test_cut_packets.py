"""Of a packet that a capture cut, every session reads the whole messages, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.feeds.cboe_feed import numbered as numbered_unit
from tests.feeds.conftest import Iex
from tests.feeds.mold_feed import end_of_session
from tests.feeds.mold_feed import numbered as numbered_mold
from tests.feeds.session_types import Heard
from tests.feeds.sessions.xdp_messages import message as xdp_message
from tests.feeds.sessions.xdp_messages import packet as xdp_packet
from ticker.feeds.sessions.cboe_unit import CboeUnit
from ticker.feeds.sessions.iextp import IexTp
from ticker.feeds.sessions.moldudp64 import MoldUDP64
from ticker.feeds.sessions.xdp import Xdp

KINDS = {
    "moldudp64": (MoldUDP64, numbered_mold(1, 3), 20, [4, 4, 4]),
    "iextp": (IexTp, Iex().segment(1, b"one", b"three", b"two"), 40, [5, 7, 5]),
    "cboe_unit": (CboeUnit, numbered_unit(1, 3), 8, [7, 7, 7]),
    "xdp": (
        Xdp,
        xdp_packet(1, xdp_message(240, "I", 1), xdp_message(241, "Q", 2), xdp_message(242, "B", 3)),
        16,
        [8, 12, 5],
    ),
}


@pytest.mark.parametrize(("session", "packet", "header", "sizes"), KINDS.values(), ids=KINDS)
def test_the_whole_messages(session: Any, packet: bytes, header: int, sizes: list[int]) -> None:
    whole = Heard(session)
    whole.send(packet)
    assert len(whole.messages) == 3
    assert len(packet) == header + sum(sizes)
    for cut in range(len(packet)):
        heard = Heard(session)
        mended = heard.session.mend_packet(packet[:cut])
        there = sum(cut >= header + sum(sizes[: number + 1]) for number in range(3))
        assert (len(mended) > 0) == (there > 0)
        if mended:
            heard.send(mended)
        assert heard.messages == whole.messages[:there]
        assert heard["bad_packets"] == heard["heartbeats"] == 0
        heard.send(packet)
        assert heard.messages == whole.messages, "the rest is still wanted"


def test_what_was_not_cut_stays() -> None:
    for session, packet, _, _ in KINDS.values():
        assert Heard(session).session.mend_packet(packet + b"\0\0\0") == packet
    assert Heard(MoldUDP64).session.mend_packet(end_of_session(9)) == end_of_session(9)
