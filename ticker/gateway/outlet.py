"""The way to the clients of a worker: their sockets, and how it sends to them.

Law: a kernel that refuses io_uring, at the start or later, is said in the log, once.
"""

from __future__ import annotations

from ticker.config import GatewayConfig
from ticker.gateway.access.notes import Notes
from ticker.gateway.sockets.connection import ConnectionTable
from ticker.gateway.sockets.sender import Sender
from ticker.shm.counters import Counters
from ticker.shm.header import Mapping

NS = 1_000_000_000
HEAD_TIMEOUT = 5 * NS


class Outlet:
    """`segment`: the worker's own. Belongs to the thread that makes it.

    Raises:
        GatewayError: io_uring is configured, and refused here.
    """

    def __init__(self, config: GatewayConfig, segment: Mapping) -> None:
        self.connections = ConnectionTable(
            segment,
            capacity=config.max_connections,
            max_outbound=config.max_outbound,
            slow_timeout=int(config.slow_timeout * NS),
            ping_interval=int(config.ping_interval * NS),
            head_timeout=HEAD_TIMEOUT,
        )
        self.sender = Sender(self.connections, config.sender)
        self.refusal = self.sender.refusal
        self.counters = Counters(segment)
        self._tell()

    def _tell(self) -> None:
        self.counters.put("io_uring", int(self.sender.name == "io_uring"))

    def facts(self) -> dict[str, str]:
        """For the line of the start: the sender, and why it is not io_uring if that was tried."""
        refused = {} if self.refusal is None else {"refusal": self.refusal}
        return {"sender": self.sender.name, **refused}

    def look(self, notes: Notes, steady_ns: int) -> None:
        """Warn of a ring that has failed since the last look."""
        if self.sender.refusal != self.refusal:
            self.refusal = self.sender.refusal
            self._tell()
            notes.warn(
                f"io_uring has failed: {self.refusal}",
                steady_ns,
                hint="sends go one by one from now on; `ticker restart` tries again",
            )
