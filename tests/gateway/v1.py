"""The words of ticker.v1 that its tests share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

E9 = 1_000_000_000
V1 = "ticker.v1.json"
Connect = Callable[..., Any]


def hello(client: Any) -> Any:
    message = client.receive()
    assert message["type"] == "hello"
    return message
