"""How a box is called on the bus."""

from __future__ import annotations

import socket


def box_name(instance: str) -> str:
    """The machine's name and the server's instance name, which together name one server."""
    return f"{socket.gethostname()}/{instance}"
