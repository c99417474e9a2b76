"""What the vendors' dialects say of a token and a channel, for the table of rights."""

from __future__ import annotations

import json

from tests.gateway.dialects.speaking import Spoken

OF_POLYGON = {"trades": "T", "quotes": "Q", "bars": "AM"}


def verdict(port: int, secret: str, channel: str) -> str:
    """ "yes", Alpaca's code, or the close code. Polygon's dialect must open and refuse the same."""
    login = ("APCA-API-KEY-ID: k", f"APCA-API-SECRET-KEY: {secret}") if secret else ()
    client = Spoken(port, "/alpaca/v2/sip", *login)
    try:
        client.send({"action": "subscribe", channel: ["AAPL"]})
        found = _answer(client)
    finally:
        client.close()
    if channel in OF_POLYGON:
        assert _opens(port, secret, OF_POLYGON[channel]) == (found == "yes")
    return found


def _answer(client: Spoken) -> str:
    while True:
        opcode, payload = client.receive_frame()
        if opcode == 8:
            return str(int.from_bytes(payload[:2], "big"))
        for message in json.loads(payload):
            if message["T"] == "subscription":
                return "yes"
            if message["T"] == "error" and message["code"] != 402:  # which closes
                return str(message["code"])


def _opens(port: int, secret: str, channel: str) -> bool:
    """Whether Polygon's cluster takes a subscription to this channel."""
    client = Spoken(port, "/polygon/stocks")
    try:
        if secret:
            client.send({"action": "auth", "params": secret})
            client.sees(status="connected")
            if client.receive()["status"] == "auth_failed":
                return False
        client.send({"action": "subscribe", "params": f"{channel}.AAPL"})
        while (said := client.receive()["status"]) == "connected":
            pass
        return bool(said == "success")
    finally:
        client.close()
