"""The rooms of ticker/, in the one order in which they may import: the only place that says it.

A room is a folder. It may import itself and the rooms above it in ROOMS, but for those that APART
keeps from it. A folder that is not in ROOMS has no place yet, and fails the test of the layers.

Law 6, bytes in and events out, holds in every room for every file that is not named as an edge:
no socket, file, event loop, log or clock. A new file is pure until it is named here.
"""

from __future__ import annotations

ALL = frozenset({"*"})

ROOMS: dict[str, frozenset[str]] = {
    # room: its edges, which may do I/O and read clocks
    "ticker": frozenset({"clock", "lines", "log", "pulse", "version"}),
    "ticker.config": ALL,
    "ticker.shm": frozenset({"segment", "timetable", "doorbell"}),
    "ticker.shm.private": ALL,
    "ticker.shm.shards": frozenset(),
    "ticker.shm.lineage": frozenset({"traces"}),
    "ticker.shm.bars": frozenset(),
    "ticker.shm.depth": frozenset(),
    "ticker.feeds.market": frozenset(),
    "ticker.feeds": frozenset(),
    "ticker.feeds.sequence": frozenset(),
    "ticker.feeds.fix": frozenset(),
    "ticker.feeds.json": frozenset(),
    "ticker.feeds.iex": frozenset(),
    "ticker.feeds.pillar": frozenset(),
    "ticker.feeds.cboe": frozenset(),
    "ticker.feeds.protocols": frozenset(),
    "ticker.feeds.sessions": frozenset(),
    "ticker.feeds.images": frozenset({"files", "keeper", "places"}),
    "ticker.feeds.packets": frozenset({"file"}),
    "ticker.feeds.transports": frozenset(
        {"binaryfile", "datagram_sockets", "fix", "http", "origin", "pcap", "reconnect", "replies",
         "sidechannel", "tcp", "tls", "udp", "websocket"}
    ),
    "ticker.feeds.tracing": frozenset({"tracing"}),
    "ticker.feeds.workers": ALL,
    "ticker.feeds.lineage": ALL,
    "ticker.gateway.access": frozenset({"keys", "notes", "problems"}),
    "ticker.gateway.sockets": frozenset(
        {"connection", "noted", "sealing", "sender", "sockets", "tls"}
    ),
    "ticker.gateway.pacing": frozenset(),
    "ticker.gateway.prices": frozenset({"directory"}),
    "ticker.gateway.wire": frozenset(),
    "ticker.gateway.bars": frozenset(),
    "ticker.gateway.books": frozenset(),
    "ticker.gateway.movers": frozenset(),
    "ticker.gateway.hub": frozenset(),
    "ticker.gateway.protocol": frozenset(),
    "ticker.gateway.dialects": frozenset(),
    "ticker.gateway.rest.serving": ALL,
    "ticker.gateway.rest.contract": frozenset(),
    "ticker.gateway.rest": frozenset(
        {"bars", "guard", "health", "http", "metrics", "movers", "page", "processes", "trades"}
    ),
    "ticker.gateway": ALL,
    "ticker.mirror": frozenset({"context", "redis_server", "worker"}),
    "ticker.store.disk": ALL,
    "ticker.store.live": frozenset({"motion"}),
    "ticker.store": ALL,
    "ticker.cluster": frozenset(),
    "ticker.cluster.buses": ALL,
    "ticker.cluster.log": frozenset(
        {"engines", "filling", "kafka", "player", "reader", "requests", "sources", "writing"}
    ),
    "ticker.cluster.workers": ALL,
    "ticker.record": frozenset(
        {"context", "files", "packets", "pcapng", "recorder", "tape", "worker"}
    ),
    "ticker.record.playback": frozenset({"library", "playing"}),
    "ticker.supervisor.feeds": ALL,
    "ticker.supervisor.system": ALL,
    "ticker.supervisor": ALL,
    "ticker.client.package": ALL,
    "ticker.client": ALL,
    "ticker.simulate.market": frozenset(),
    "ticker.simulate.lines": frozenset({"capture", "history", "sender"}),
    "ticker.simulate.speakers": frozenset({"moldudp64"}),
    "ticker.simulate.servers": ALL,
    "ticker.simulate": ALL,
    "ticker.bench.swarm": ALL,
    "ticker.bench.report": ALL,
    "ticker.bench.limits": ALL,
    "ticker.bench.shm": ALL,
    "ticker.bench.rig": ALL,
    "ticker.bench.disk": ALL,
    "ticker.bench": ALL,
    "ticker.bench.fleet": ALL,
    "ticker.cli.drain": ALL,
    "ticker.cli.replay": ALL,
    "ticker.cli.simulate": ALL,
    "ticker.cli.bench": ALL,
    "ticker.cli.init": ALL,
    "ticker.cli.lineage": ALL,
    "ticker.cli": ALL,
    "ticker.__main__": ALL,
}  # fmt: skip

APART: dict[str, tuple[str, ...]] = {
    # in this room and those inside of it: not these, though they stand above
    "ticker.gateway": ("ticker.feeds",),
    "ticker.mirror": ("ticker.feeds",),
    "ticker.store": ("ticker.feeds", "ticker.gateway", "ticker.mirror"),
    "ticker.cluster": ("ticker.feeds", "ticker.gateway", "ticker.mirror", "ticker.store"),
    "ticker.client": ("ticker.config", "ticker.shm", "ticker.feeds", "ticker.gateway",
                      "ticker.store", "ticker.supervisor"),
    "ticker.simulate": ("ticker.gateway", "ticker.store", "ticker.supervisor", "ticker.client"),
}  # fmt: skip
"""Feeds, gateways, the store and the bus meet in shared memory alone; a client knows nothing of the
server but its contract; a simulated exchange knows nothing of what listens to it."""

WAITING: frozenset[tuple[str, str]] = frozenset()
"""Imports that are being turned round just now. Nothing may be added here."""

MOST_MODULES = 16
"""Modules beside each other in a folder, without its __init__."""
MOST_LINES = 400
