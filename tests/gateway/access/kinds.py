"""The kinds of clients in the table of rights: their tokens, and words for them."""

from __future__ import annotations

from typing import Any

from tests.gateway.conftest import Client
from ticker.config.access import TokenConfig
from ticker.gateway.access.auth import hash_token

RIGHTS: dict[str, dict[str, Any]] = {
    "full": {"wildcard": True},
    "price": {"channels": ("price",)},
    "quote": {"channels": ("quote",)},
    "trades": {"channels": ("trades",)},
    "bars": {"channels": ("bars",)},
    "depth": {"channels": ("depth",)},
    "some": {"symbols": ("A*",)},
    "metrics": {"metrics": True},
}
TOKENS = tuple(
    TokenConfig(name=name, sha256=hash_token(f"{name}-token"), **rights)
    for name, rights in RIGHTS.items()
)


def authorization(kind: str) -> dict[str, str]:
    if kind in ("none", "free"):
        return {}
    return {"Authorization": f"Bearer {kind}-token"}  # of nobody, for "wrong"


def of_channel(channel: str) -> dict[str, str]:
    return {"channel": channel, **({"interval": "1m"} if channel == "bars" else {})}


def up_to_pong(client: Client) -> list[str]:
    """The states that were told to a client up to now."""
    client.send({"action": "ping"})
    found = []
    while (message := client.receive())["type"] != "pong":
        found.append(message.get("state", ""))
    return found
