"""Three venues at once, 500 symbols: the consolidated price equals an independent recomputation.

    ticker simulate itch ── two multicast lines ──┬─▶ ticker serve ─▶ rows, rings ─▶ /stream, REST
    ticker simulate pitch ─ two multicast lines ──┤
    ticker simulate vendor ─ JSON over WebSocket ─┘
                                  │
                              recorder ─▶ wire.py, book.py: own decoders and books, no ticker code

What is recorded is what the server was given: packets from the same groups, texts on their way
through a proxy. From it the recomputation has every state that each venue's row of a symbol may
show, one per message, and the consolidated price that follows from any three of them.

1. Live, at each publication. A follower in this process reads every ring of the three segments
   and, at each record, the symbol's three rows and the board's consolidated price of them (the
   code that the gateway runs). Then:
   a. the records of trades are, one by one and in order, the recomputed trades of the venue;
   b. each row that was read is a state of the recomputation, and later than the one before;
   c. each consolidated price equals the recomputed one of just those states (where no row moved
      while it was read, which is checked by the rows' generations).
2. Live, over the network. Every snapshot and update of /stream is a recomputed last sale, never
   older than the one before; when all has been said, it, /prices and /prices?venue= equal the
   recomputation in every figure.
3. At every step. The recorded inputs, in the order in which they were received, go through the
   server's own pipelines and board once more, a packet at a time, and after each packet the
   consolidated price of each symbol that it touched equals the recomputed one in every figure.
   Live publications batch what comes together; here nothing is skipped.
"""

from __future__ import annotations

import re
import struct
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.proof.book import Hours
from tests.proof.disturbances import Disturbances
from tests.proof.follower import Follower, check_records, check_states
from tests.proof.network import check_stream, rest_figures, true_figures
from tests.proof.recomputation import E9, FEEDS, Recomputation
from tests.proof.replayed import check_every_step
from tests.proof.rig import ITCH, MICS, PITCH, VENDOR, Packet, Recorder, Venues, Wire, served
from ticker.feeds.day import midnight_ns, session_day
from ticker.simulate.market.listings import listings
from ticker.simulate.speakers.alpaca import AlpacaMarket
from ticker.simulate.speakers.itch import ItchMarket
from ticker.simulate.speakers.pitch import PitchMarket

# -- the runs ------------------------------------------------------------------------------------


def wait_for(what: Callable[[], Any], turn: Callable[[], object], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it does not come to pass"
        if not turn():
            time.sleep(0.001)


def prove(folder: Path, symbols: int, rate: float, duration: float) -> None:
    names = [str(each[0]) for each in listings(symbols)]
    recorder, venues = Recorder(), Venues()
    wire = Wire(recorder, venues.vendor)
    recording = recorder.listen(venues.lines)
    day = session_day(time.time_ns())
    try:
        venues.start_vendor(symbols, rate, duration + 3)
        with served(folder, venues, wire.port) as (instance, url):
            follower = Follower(instance)
            wire.following.set()
            wait_for(wire.connected.is_set, follower.turn, 30)
            venues.start_exchanges(symbols, rate, duration)
            wait_for(lambda: follower.known[ITCH] >= symbols, follower.turn, 30)
            wire.watch(url.replace("http", "ws") + "stream", names)
            wait_for(lambda: venues.over, follower.turn, duration + 60)
            recorder.stopping.set()
            recording.join(10)
            truth = Recomputation(midnight_ns(day))
            for packet in recorder.packets:
                truth.take(packet)
            wanted = true_figures(truth, names, FEEDS)
            wait_for(lambda: rest_figures(url, names) == wanted, follower.turn, 20)
            for feed in FEEDS:
                own = rest_figures(url, names, MICS[feed])
                assert own == true_figures(truth, names, [feed]), feed
            wait_for(lambda: not follower.turn(), lambda: 1, 10)
    finally:
        venues.close()
        wire.close()
        recorder.stopping.set()
    recorder.write(folder)
    trades = check_records(follower, truth)
    states = check_states(follower, truth)
    updates = check_stream(wire, truth)
    steps = check_every_step(recorder.packets, day)
    everywhere = sum(all(truth.of(feed, symbol).sales for feed in FEEDS) for symbol in names)
    print(
        f"{symbols} symbols ({everywhere} sold at all three venues), "
        f"{len(recorder.packets)} packets and texts, {trades} trades, {truth.taken_back} taken "
        f"back; live: {states} states of rows and {follower.compared} consolidated prices equal "
        f"({follower.moved} moved while they were read), {updates} messages of /stream; "
        f"replayed: {steps} consolidated prices equal"
    )
    assert min(trades, states, follower.compared, updates, steps) > symbols
    assert everywhere > symbols // 5
    assert follower.moved < follower.compared // 10


def generated(symbols: int, messages: int, day: Any) -> list[Packet]:
    """Days of the three simulated markets, without a network: a few messages to a packet."""
    midnight, start, rate = midnight_ns(day), 10 * 3600 * E9, 1000.0
    itch = ItchMarket(symbols, 1, rate=rate, start=start)
    pitch = PitchMarket(symbols, 2, units=2, rate=rate, start=start)
    vendor = AlpacaMarket(symbols, 3, rate, start, midnight)
    sequences = {ITCH: 1, 1: 1, 2: 1}
    buffer = bytearray(1 << 16)
    packets: list[Packet] = []

    def add(feed: str, data: bytes) -> None:
        received = midnight + start + len(packets) * 1_700_000
        packets.append(Packet(received, feed, 0, data))

    for _ in range(0, messages, 5):
        number, used = itch.generate(5, buffer)
        add(ITCH, b"GENERATED " + struct.pack(">QH", sequences[ITCH], number) + buffer[:used])
        sequences[ITCH] += number
        _, used = pitch.generate(5, buffer)
        at = 0
        while at < used:
            unit, length = buffer[at], buffer[at + 1]
            head = struct.pack("<HBBI", 8 + length, 1, unit, sequences[unit])
            add(PITCH, head + bytes(buffer[at + 1 : at + 1 + length]))
            sequences[unit] += 1
            at += 1 + length
        events = [event for _, _, event in vendor.events(5)]
        if events:
            add(VENDOR, b"[" + b",".join(events) + b"]")
    return packets


DAY = date(2026, 3, 27)


@pytest.mark.slow
def test_every_step_of_generated_days() -> None:
    assert check_every_step(generated(40, 12_000, DAY), DAY) > 12_000


@pytest.mark.slow
def test_every_step_of_a_day_with_extended_hours_and_odd_lots() -> None:
    """A regular session that begins and ends in the midst of the generated trading."""
    packets = generated(40, 12_000, DAY)
    first, last = packets[0].received, packets[-1].received
    third = (last - first) // 3
    hours = Hours(first + third, last - third)
    assert check_every_step(packets, DAY, hours=hours) > 12_000
    truth = Recomputation(midnight_ns(DAY), hours)
    for packet in packets:
        truth.take(packet)
    tapes = [of.tape for venue in truth.venues.values() for of in venue.symbols.values()]
    trades = [trade for tape in tapes for trade in tape]
    assert sum(trade.extended for trade in trades) > 100
    assert sum(not trade.extended and not trade.eligible for trade in trades) > 100
    assert sum(trade.eligible for trade in trades) > 100


@pytest.mark.slow
def test_every_step_of_a_day_with_crosses_conditions_and_breaks() -> None:
    """Breaks of trades of all kinds, also of those that set no price or an official one."""
    packets = generated(40, 9_000, DAY)
    first, last = packets[0].received, packets[-1].received
    third = (last - first) // 3
    hours = Hours(first + third, last - third)
    truth = Recomputation(midnight_ns(DAY), hours)
    disturbances = Disturbances(truth, midnight_ns(DAY))
    packets = disturbances.among(packets)
    assert check_every_step(packets, DAY, hours=hours) > 9_000
    gone = [
        trade
        for venue in truth.venues.values()
        for of in venue.symbols.values()
        for trade in of.taken_back
    ]
    assert min(disturbances.broken.values()) > 50
    assert sum(trade.extended for trade in gone) > 20
    assert sum(trade.opening or trade.closing for trade in gone) > 20
    assert sum(not trade.eligible and not trade.extended for trade in gone) > 20
    assert sum(trade.eligible for trade in gone) > 20


@pytest.mark.slow
@pytest.mark.parametrize("feed", FEEDS)
def test_the_proof_sees_one_wrong_price(feed: str) -> None:
    """One trade of one venue, wrong by the least that there is, in what is recomputed."""
    packets = generated(40, 6_000, DAY)
    wrong: list[Packet] = []

    def tamper(packet: Packet) -> Packet:
        data = bytearray(packet.data)
        if packet.feed != feed or wrong:
            return packet
        if feed == VENDOR:
            match = re.search(rb'"T":"t","i":\d+,"x":"V","p":[\d.]*(\d)', packet.data)
            if not match:
                return packet
            data[match.start(1)] ^= 1
        elif not spoil(data, feed):
            return packet
        wrong.append(packet)
        return replace(packet, data=bytes(data))

    with pytest.raises(AssertionError):
        check_every_step(packets, DAY, tamper)
    assert wrong


def spoil(data: bytearray, feed: str) -> bool:
    """The price of the packet's first trade that says its own, one unit off; False: has none."""
    at = 20 if feed == ITCH else 8
    while at < len(data):
        if feed == ITCH:
            at, length = at + 2, int.from_bytes(data[at : at + 2], "big")
            place = at + 35 if data[at] == ord("P") else 0
        else:
            length = data[at]
            place = {0x2A: at + 25, 0x2B: at + 23}.get(data[at + 1], 0)
        if place:
            data[place] ^= 1
            return True
        at += length
    return False


@pytest.mark.slow
def test_three_venues(tmp_path: Path) -> None:
    prove(tmp_path, 500, 2500, 6)


@pytest.mark.stress
@pytest.mark.timeout(600)
def test_three_venues_for_long(tmp_path: Path) -> None:
    prove(tmp_path, 500, 4000, 45)
