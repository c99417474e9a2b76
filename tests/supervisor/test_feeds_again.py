"""A feed that a reload removes and another one adds again: its rows are those that it had."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from tests.supervised import Server, alive, segments, serve, until
from ticker.shm.header import KIND_FEED
from ticker.shm.segment import attach, feed_name
from ticker.shm.table import PriceTable
from ticker.supervisor import outcome

__all__ = ["serve"]  # a fixture
pytestmark = pytest.mark.slow

SECOND = """
[[feeds]]
name = "two"
protocol = "itch50"
session = "moldudp64"
venue = "XBOS"
lines = ["127.0.0.1:26478"]
rows = {rows}
rings = 1
ring_capacity = 64
"""
STORES = {"on": "", "off": "[store]\nenabled = false\n"}


def started(serve: Callable[..., Server], store: str, **environ: str) -> tuple[Server, int]:
    """A server with two feeds that have published a price each, and whose store has written
    nothing; the second feed's worker."""
    more = SECOND.format(rows=64) + STORES[store]
    server = serve(more=more, TEST_STORE="late", TEST_PRICE="105", **environ)
    server.where()
    return server, server.workers()["feed two"]


def reload(server: Server, more: str) -> outcome.Outcome:
    before = outcome.last(server.instance).number
    server.edit(more)
    os.kill(server.process.pid, signal.SIGHUP)
    until(lambda: outcome.last(server.instance).number > before)
    return outcome.last(server.instance)


def trades(server: Server) -> int:
    """Of the second feed, by its segment."""
    table = PriceTable(attach(feed_name(server.instance, "two"), KIND_FEED))
    return (table.values(0) or {"seq": 0})["seq"] if len(table) else 0


@pytest.mark.parametrize("store", STORES)
def test_it_goes_on_with_its_rows(serve: Callable[..., Server], store: str) -> None:
    server, _ = started(serve, store)
    assert reload(server, STORES[store]).now == ("feed two (removed)",)
    until(lambda: feed_name(server.instance, "two") not in segments(server))
    assert reload(server, SECOND.format(rows=128) + STORES[store]).now == ("feed two (added)",)
    until(lambda: trades(server) == 2)


def test_it_goes_on_with_its_segment_where_its_worker_has_not_ended(
    serve: Callable[..., Server],
) -> None:
    """Two reloads in a moment: the worker, which does not hear that it is to end, is killed after a
    while and gets a successor."""
    server, pid = started(serve, "on", TEST_MISBEHAVE="deaf")
    reload(server, "")
    refused = reload(server, SECOND.format(rows=128)).refused
    assert "two: was removed a moment ago" in refused
    assert reload(server, SECOND.format(rows=64)).now == ("feed two (added)",)
    assert alive(pid), "the second reload came too late for what is tried here"
    until(lambda: server.workers()["feed two"] != pid)
    until(lambda: trades(server) == 2)
    assert not server.log("died")
    server.process.terminate()  # and once more at the end: then it does not wait for the deaf
