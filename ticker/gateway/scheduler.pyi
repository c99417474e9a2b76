import asyncio
from collections.abc import Callable

from ticker.gateway.hub.hub import Hub
from ticker.gateway.hub.intake import Intake
from ticker.gateway.pacing.law import Law
from ticker.gateway.sockets.connection import ConnectionTable
from ticker.shm.doorbell import Doorbell
from ticker.shm.header import Mapping

class Scheduler:
    timer_fd: int
    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        hub: Hub,
        intake: Intake,
        connections: ConnectionTable,
        doorbell: Doorbell,
        segment: Mapping,
        reap: Callable[[], object],
        law: Law,
        paced: bool = False,
    ) -> None: ...
    def on_bell(self) -> None: ...
    def on_timer(self) -> None: ...
    def turn(self) -> None: ...
    def wake(self) -> None: ...
    def cancel(self) -> None: ...
