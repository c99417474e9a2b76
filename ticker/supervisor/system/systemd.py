"""What systemd gives a service, and what it is told: sockets, readiness, signs of life.

Law: the variables of the environment are taken once and removed, so that no child believes that
they are its own. Nothing here blocks or raises because nobody listens.
Source: sd_notify(3), sd_listen_fds(3), sd_watchdog_enabled(3).
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import MutableMapping

FIRST_DESCRIPTOR = 3
VARIABLES = (
    "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"
)  # fmt: skip


class Service:
    """This process as systemd sees it; outside of systemd it is given and tells nothing.

    Attributes:
        sockets: that listen already, of a socket unit.
        interval: s between two signs of life, 0: none are asked for.
    """

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        said = {name: environ.pop(name, "") for name in VARIABLES}
        own = str(os.getpid())
        self._address = _address(said["NOTIFY_SOCKET"])
        self.sockets = _sockets(int(said["LISTEN_FDS"] or 0)) if said["LISTEN_PID"] == own else []
        watched = said["WATCHDOG_PID"] in ("", own) and said["WATCHDOG_USEC"].isdecimal()
        self.interval = int(said["WATCHDOG_USEC"]) / 1e6 / 3 if watched else 0.0
        self._beaten = 0.0

    def ready(self, status: str) -> None:
        """Everything is up; `status` is what `systemctl status` shows."""
        self._tell(f"READY=1\nSTATUS={status}\nMAINPID={os.getpid()}")

    def stopping(self) -> None:
        self._tell("STOPPING=1\nSTATUS=clients are told, workers end")

    def beat(self) -> None:
        """A sign of life, if one is due; without it the service is killed and started again."""
        now = time.monotonic()
        if self.interval and now - self._beaten >= self.interval:
            self._beaten = now
            self._tell("WATCHDOG=1")

    def _tell(self, text: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as teller:
            teller.setblocking(False)
            try:
                teller.sendto(text.encode(), self._address)
            except OSError:
                return  # nobody listens, or too slowly: systemd draws its own conclusions


def _address(text: str) -> str:
    """Of the socket that is told; `@` is an abstract one."""
    return f"\0{text[1:]}" if text.startswith("@") else text


def _sockets(count: int) -> list[socket.socket]:
    found = [socket.socket(fileno=FIRST_DESCRIPTOR + index) for index in range(count)]
    for each in found:
        each.set_inheritable(False)
    return found
