"""One list of all sample captures: which test reproduces each, and how `ticker replay` takes it.

A file that is added to the samples fails this until a test claims it, and a claim whose file or
whose test is gone fails it too.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ticker.cli import main
from ticker.feeds.cboe.frames import FrameReader
from ticker.feeds.transports.pcap import Capture

TESTS = Path(__file__).parents[2]
ABOUT = {"MANIFEST.json", "README.md", "fix/session-scripts/LICENSE"}

CLAIMS = {
    "frames/nasdaq/*/*.expected.json": "test_nasdaq_frames.py:test_every_frame_has_its_effect",
    "frames/nasdaq/*/*.pcap": "test_nasdaq_frames.py:test_every_frame_has_its_effect",
    "frames/iex/*/*.expected.json": "test_iex_frames.py:test_every_message_means_what",
    "frames/iex/Deep.IexTp.v1.0/*.pcap": "test_iex_frames.py:test_every_message_means_what",
    "frames/iex/Tops.IexTp.v1.5/*.pcap": "test_iex_frames.py:test_every_message_means_what",
    "frames/iex/DeepPlus.IexTp.1.0.2/*.pcap": "test_iex_frames.py:test_frames_of_deep_plus",
    "frames/nyse/*/*.expected.json": "test_nyse_frames.py:test_every_frame_has_its_effect",
    "frames/nyse/Int*/*.pcap": "test_nyse_frames.py:test_every_frame_has_its_effect",
    "frames/nyse/Nat*/*.pcap": "test_nyse_frames.py:test_frames_of_the_bbo_feed",
    "soupbintcp/*.pcap": "test_soupbintcp.py:test_real_packets_are_framed_as_here",
    "itch/locate-13-10k.bin": "test_replay_captures.py:test_agrees_with_the_other_decoders",
    "itch/locate-13-10k.truth.json": "test_replay_captures.py:test_agrees_with_the_other_decod",
    "itch/locate-13-10k.mold.*": "test_every_sample.py:test_the_moldudp64_capture_is_all_there",
    "iex/TOPS16.*": "test_iex_captures.py:TOPS16.truth.json",
    "iex/DEEP10.*": "test_iex_captures.py:DEEP10.{name}.truth.json",
    "pitch/mcastpitch_realtime_useq.*": "test_pitch_capture.py:mcastpitch_realtime_useq.truth.json",
    "pitch/mcastpitch_???_useq.*": "test_every_sample.py:test_the_tcp_dialogues_are_read",
    "pitch/mcastpitch_spin_useq.*": "test_every_sample.py:test_the_tcp_dialogues_are_read",
    "fix/md_frames_42_44.jsonl": "fix/test_market.py:md_frames_42_44.jsonl",
    "fix/session-scripts/fix44__*.def": "test_session_scripts.py:fix44__*.def",
    "json/polygon/*": "test_json_samples.py:json/polygon",
    "json/alpaca/*": "test_json_samples.py:json/alpaca",
    "json/nautilus/*": "test_json_samples.py:json/nautilus",
}


def sample_files(samples: Path) -> set[str]:
    paths = (path for path in samples.rglob("*") if path.is_file())
    return {path.relative_to(samples).as_posix() for path in paths} - ABOUT


def test_every_sample_is_claimed_by_a_test_that_there_is(samples: Path) -> None:
    files = sample_files(samples)
    matched = {claim: [file for file in files if fnmatch(file, claim)] for claim in CLAIMS}
    assert files - {file for found in matched.values() for file in found} == set()
    assert [claim for claim, found in matched.items() if not found] == []
    for claim in CLAIMS.values():
        module, _, text = claim.partition(":")
        (path,) = TESTS.rglob(module)
        assert text in path.read_text(), claim


REPLAYS: list[tuple[str, tuple[str, ...], int]] = [
    ("itch/locate-13-10k.bin", ("itch50",), 10_000),
    ("itch/locate-13-10k.mold.pcap", ("itch50",), 10_000),
    ("iex/TOPS16.pcapng.gz", ("tops",), 57_674),
    ("iex/DEEP10.s01.pcap.gz", ("deep",), -1),
    ("iex/DEEP10.s09.pcap.gz", ("deep",), -1),
    ("pitch/mcastpitch_realtime_useq.pcap", ("pitch",), 40),
    ("frames/nyse/IntegratedFeed.Pillar.v2.5/CrossTradeMessage.pcap", ("pillar",), 2),
    ("fix/md_frames_42_44.jsonl", ("fix",), -1),
    ("json/polygon/ws_messages.jsonl", ("json", "--mapping", "polygon"), -1),
    ("json/alpaca/ws_messages.jsonl", ("json", "--mapping", "alpaca"), -1),
    ("json/alpaca/rest_trades_AAPL.json.gz", ("json", "--mapping", "alpaca"), -1),
    ("json/nautilus/coinbase_ws_ticker.json", ("json", "--mapping", "coinbase"), -1),
    ("json/nautilus/kraken_ws_trade_update.json", ("json", "--mapping", "kraken"), -1),
]


def replay(path: Path, *options: str) -> dict[str, Any]:
    result = CliRunner().invoke(main, ["replay", str(path), "--json", "--protocol", *options])
    assert result.exit_code == 0, result.output
    report: dict[str, Any] = json.loads(result.output)
    return report


@pytest.mark.slow
@pytest.mark.parametrize("raw", [(), ("--raw",)], ids=["filtered", "raw"])
@pytest.mark.parametrize(("file", "options", "messages"), REPLAYS, ids=lambda each: str(each)[:40])
def test_replay_takes_it_in_the_protocols_own_session(
    samples: Path, file: str, options: tuple[str, ...], messages: int, raw: tuple[str, ...]
) -> None:
    report = replay(samples / file, *options, *raw)
    if messages >= 0:
        assert report["messages"] == messages
    assert report["messages"] > 0


@pytest.mark.slow
def test_gzip_is_read_transparently(samples: Path, tmp_path: Path) -> None:
    for name in ("locate-13-10k.bin", "locate-13-10k.mold.pcap"):
        file = samples / "itch" / name
        packed = tmp_path / f"{name}.gz"
        packed.write_bytes(gzip.compress(file.read_bytes(), 1))
        plain, unpacked = (replay(each, "itch50", "--date=2020-01-30") for each in (file, packed))
        assert unpacked["messages"] == 10_000
        assert unpacked["symbols"] == plain["symbols"]


def test_the_moldudp64_capture_is_all_there(samples: Path) -> None:
    truth = json.loads((samples / "itch" / "locate-13-10k.mold.json").read_text())
    report = replay(samples / "itch" / "locate-13-10k.mold.pcap", "itch50")
    counters = report["counters"]
    assert report["messages"] == truth["messages"] == truth["next_seq_at_end"] - 1
    assert report["packets"] == truth["packets"]
    assert counters["heartbeats"] == truth["heartbeats"] + truth["end_of_session"]
    assert (report["gaps"], counters["sessions"]) == (0, 1)


@pytest.mark.parametrize("name", ["grp", "spin"])
def test_the_tcp_dialogues_are_read_as_the_other_decoder_reads_them(
    samples: Path, name: str
) -> None:
    """Message by message, of both sides; a password is blanked there."""
    folder = samples / "pitch"
    truth = json.loads((folder / f"mcastpitch_{name}_useq.truth.json").read_text())
    readers = {"C>S": FrameReader(), "S>C": FrameReader()}
    capture = Capture(folder / f"mcastpitch_{name}_useq.pcap", with_tcp=True)
    found: list[tuple[str, list[bytes]]] = []
    for payload, _, _ in capture:
        side = "C>S" if capture.destination[1] == truth["server_port"] else "S>C"
        found += [(side, messages) for messages in readers[side].receive_data(payload)]
    assert Counter(side for side, messages in found if not messages) == Counter(
        frame["dir"] for frame in truth["frames"] if not frame["messages"]
    )
    wanted = [frame for frame in truth["frames"] if frame["messages"]]
    talked = [(side, messages) for side, messages in found if messages]
    assert [side for side, _ in talked] == [frame["dir"] for frame in wanted]
    for (_, messages), frame in zip(talked, wanted, strict=True):
        assert len(messages) == frame["count"]
        for message, case in zip(messages, frame["messages"], strict=True):
            assert message[1] == int(case["type"], 16)
            assert message.hex() == case.get("hex", message.hex())
            if case["name"] == "Login":
                assert message[2:6].decode() == case["session_sub_id"]
                assert message[6:10].decode() == case["username"]
