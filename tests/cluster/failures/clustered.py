"""Three nats-servers of one cluster."""

from __future__ import annotations

from pathlib import Path

from tests.cluster.failures.network import Machine
from tests.cluster.servers import Nats
from ticker.bench.rig.ports import free_port


class Three:
    """`more` are options of each; `machines` has one for each, or none."""

    def __init__(self, folder: Path, *more: str, machines: tuple[Machine, ...] = ()) -> None:
        hosts = [each.address for each in machines] or ["127.0.0.1"] * 3
        routes = [f"nats://{host}:{free_port()}" for host in hosts]
        self.servers = [
            Nats(folder, "--cluster_name", "test", "--cluster", route, "--routes",
                 ",".join(routes), *more, where=machines[number] if machines else None)
            for number, route in enumerate(routes)
        ]  # fmt: skip

    def urls(self, first: int = 0) -> str:
        """As a configuration has them, from that server on."""
        ordered = self.servers[first:] + self.servers[:first]
        return ", ".join(f'"{server.url}"' for server in ordered)
