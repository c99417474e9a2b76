"""The messages of traced symbols, held against the packets themselves by a reader of its own."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.feeds.lineage.test_captures import CAPTURES, Said, says
from tests.feeds.lineage.test_live import messages_in, pipeline_of
from tests.supervisor.test_serve import Server, until
from ticker.cli import main
from ticker.feeds.tracing.tap import TracingTap, put_between
from ticker.feeds.workers.pipeline import (
    EPOCH,
    capture_day,
    file_blocks,
    follow_days,
    session_of_file,
)
from ticker.shm.lineage.lineage import KEPT
from ticker.shm.lineage.traces import FILE_BYTES, TRACED_ROWS, TraceReader, TraceWriter
from ticker.shm.lineage.trail import trail
from ticker.shm.private.tracing import MOST_SYMBOLS, messages_path, trace, traced
from ticker.shm.segment import create_folder, private_folder
from ticker.shm.table import PriceTable

E9 = 1_000_000_000


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in CAPTURES if "DEEP" not in name])
def test_trades_of_captures_have_their_messages(name: str, samples: Path, tmp_path: Path) -> None:
    path, protocol = samples / name, CAPTURES[name]
    session = session_of_file(protocol, path)
    blocks = file_blocks(session)
    day = capture_day(path, blocks, pipeline_of(protocol, session, EPOCH)) or EPOCH
    plain, pipeline = (pipeline_of(protocol, session, day) for _ in range(2))
    tap = TracingTap(pipeline.protocol, TraceWriter(tmp_path / "trace"))
    tables = [PriceTable(each.mapping) for each in (plain, pipeline)]
    came: dict[tuple[int, int], set[bytes]] = {}
    for each in (plain, pipeline):
        follow_days(each, by_receive_time=True)
    for data, at, line in blocks(path):
        channel, first, messages = messages_in(protocol, data)
        for number, message in enumerate(messages, first):
            came.setdefault((channel, number), set()).add(message)
        for each in (plain, pipeline):
            each.session.receive_data(data, line, at)
            each.market.publish(at)
        if len(tables[1]) and len(tables[1]) <= TRACED_ROWS:
            put_between(pipeline.session, tap)
            tap.follow([*range(len(tables[1]))])
    assert [tables[0].values(row) for row in range(len(tables[0]))] == [
        tables[1].values(row) for row in range(len(tables[1]))
    ], "a tap changes nothing"
    found = 0
    for row in range(min(TRACED_ROWS, len(tables[1]))):
        messages_of_row = TraceReader(tmp_path / "trace").of_row(row)
        assert len(messages_of_row) <= KEPT
        for trade in trail(pipeline.mapping, row, KEPT):
            one = messages_of_row.get(trade["seq"])
            if one is not None:
                made = Said(trade["match"], trade["price"], trade["size"])
                assert says(protocol, one["message"], made)
                assert one["message"] in came[one["channel"], one["sequence"]]
                found += 1
    assert found > 5


def ticker(*arguments: str) -> dict[str, Any]:
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.output)
    return found


@pytest.mark.slow
def test_a_server_keeps_the_messages_of_a_symbol_while_it_is_traced(tmp_path: Path) -> None:
    server = Server(tmp_path)
    config = str(tmp_path / "ticker.toml")
    path = messages_path(server.instance, "sim")

    def price() -> dict[str, Any]:
        (found,) = server.get("lineage/AAPL")["prices"]
        return dict(found)

    try:
        until(lambda: server.trades() > 0)
        assert not price()["traced"]
        assert {each["message"] for each in price()["last"]} == {None}
        assert not path.exists(), "nobody traces"
        found = ticker("lineage", "AAPL", "--config", config, "--trace", "60", "--json")
        assert found["traced_symbols"] == ["AAPL"]
        until(lambda: sum(each["message"] is not None for each in price()["last"]) >= 2)
        shown = [each for each in price()["last"] if each["message"] is not None]
        for each in shown:
            message = bytes.fromhex(each["message"])
            assert each["message_length"] == len(message)
            assert says("itch50", message, Said(each["trade"])), each
            assert each["line"] in ("a", "b", "retransmission")
            assert each["receive_timestamp"] <= each["publish_timestamp"]
        numbers = [each["sequence"] for each in shown]
        assert numbers == sorted(numbers, reverse=True)
        assert {each["session"] for each in shown} == {price()["session"]} != {None}
        in_words = ticker("lineage", "AAPL", "--config", config, "--last", "32", "--json")
        assert any(each["message"] for each in in_words["prices"][0]["last"])
        ticker("lineage", "AAPL", "--config", config, "--trace", "0", "--json")
        until(lambda: not path.exists())
        assert not price()["traced"]
    finally:
        server.close()


def test_a_wish_ends_and_the_oldest_gives_way() -> None:
    instance = "tracing-test"
    create_folder(instance)
    try:
        now = time.time_ns()
        for number in range(MOST_SYMBOLS + 3):
            names = trace(instance, f"S{number}", now + number * E9, now)
        assert names == [f"S{number}" for number in range(3, MOST_SYMBOLS + 3)]
        assert trace(instance, "A", now + 10 * E9, now + 17 * E9) == ["S18", "A"]
        assert traced(instance) == {"S18": now + 18 * E9, "A": now + 10 * E9}
        (private_folder(instance) / "traced").write_bytes(b"{no json")
        assert traced(instance) == {}
    finally:
        (private_folder(instance) / "traced").unlink()
        private_folder(instance).rmdir()


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "trace"
    with pytest.raises(FileNotFoundError):
        TraceReader(path)
    for content in (b"", bytes(FILE_BYTES)):
        path.write_bytes(content)
        with pytest.raises(Exception, match="no file of traced messages"):
            TraceReader(path)
    TraceWriter(path)
    assert TraceReader(path).of_row(0) == {}
