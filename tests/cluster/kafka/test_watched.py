"""A box on Kafka with `interest = "watched"`, and a topic of prices of whole boxes."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import pytest

from tests.cluster.kafka.reading import Reader
from tests.cluster.kafka.server import Kafka
from tests.cluster.kafka.test_broker import BUS, newest, seq_of_object
from tests.cluster.log.records import Told
from tests.cluster.servers import gateway, ingest, running, wait_for
from tests.cluster.source import rows_of
from tests.cluster.test_boxes import status
from tests.cluster.watching import same_rows, stop_exchange
from ticker.shm.shards.sharding import Sharding


@pytest.mark.stress
def test_a_box_on_kafka_takes_what_its_clients_watch(kafka: Kafka, tmp_path: Path) -> None:
    """Rows of all symbols come as images, and trades of the watched ones alone; a plain consumer
    has the newest price of each."""
    pinned = 'pinned = ["MSFT"]\n'
    prices = BUS.replace("partitions = 4", 'partitions = 4\nprices = "json"\ntopic = "of-boxes"')
    lines = ingest(tmp_path, f'"{kafka.url}"', network=97, more=pinned + prices)
    watching = f'interest = "watched"\n{pinned}{BUS}'
    served = gateway(tmp_path, f'"{kafka.url}"', more=watching)
    reader = Reader(kafka, "of-boxes")
    with running(lines, served):
        wait_for(lambda: served.state("sim") == "live", seconds=40)
        told = Told(served)
        stream = urllib.request.Request(
            f"{served.url}/stream?symbols=AAPL,MSFT&channel=trades",
            headers={"Accept": "text/event-stream"},
        )
        with urllib.request.urlopen(stream, timeout=10):
            wait_for(lambda: told.look() and sum(map(len, told.numbers.values())) > 40)
            [bridge] = [
                box
                for box in json.loads(status(lines, "--json", "--seconds", "2"))["sim"]["boxes"]
                if box["role"] == "bridge"
            ]
            assert len(bridge["follows"]) == 2
            stop_exchange(lines)
            wait_for(lambda: same_rows(lines, served))
            told.look()
        names = [symbol for symbol, _ in rows_of(served.feed("sim"))]
        shards = Sharding(256, ("MSFT",))
        followed = {shards.number("AAPL"), shards.number("MSFT")}
        assert {shards.number(names[row]) for row in told.numbers} <= followed
        assert {"AAPL", "MSFT"} <= {names[row] for row in told.numbers}
        assert told.holes() == {}
        seqs = {
            name: values["seq"] for (name, _), (*_, values) in rows_of(lines.feed("sim")).items()
        }
        wanted = {name: seq for name, seq in seqs.items() if seq}
        wait_for(lambda: reader.look() and newest(reader.by_key(seq_of_object)) == wanted)
    reader.close()
