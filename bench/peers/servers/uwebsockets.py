"""uWebSockets by way of socketify: topics, subscribe and app.publish, as its documentation has
it (docs.socketify.dev, "WebSockets": "Pub/Sub").

Settings: compression disabled, since the clients offer none; max_backpressure 16 MiB, so that
no client is left out while a burst drains; idle_timeout 120 s. Ticks come as WebSocket messages on
/ticks, so nothing but uWebSockets' own loop runs: `app.run()` would switch between asyncio and
libuv without ever sleeping while there is work, which costs a core by itself. libuv is run
directly instead, which is to the peer's favour. Only app.publish and the split of the ticks
run in Python; framing, topics and sends are C++. uWebSockets sends what a topic got in one turn
of the loop to each subscriber at once. With PEER_TIMER_MS in the environment, a timer of the loop
publishes all that came since its last turn.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from socketify import App, CompressOptions, OpCode

TIMER_MS = int(os.environ.get("PEER_TIMER_MS", "0"))
last: dict[str, str] = {}


def stream_message(ws: Any, text: str, _opcode: int) -> None:
    command = json.loads(text)
    for symbol in command["symbols"]:
        if (price := last.get(symbol)) is not None:
            ws.send(price.replace('"update"', '"snapshot"', 1), OpCode.TEXT)
        ws.subscribe(symbol)


def main(port: int) -> None:
    app = App()
    due: list[tuple[bytes, bytes]] = []

    def ticks_message(_ws: Any, data: bytes, _opcode: int) -> None:
        for line in data.split(b"\n"):
            symbol, _, message = line.partition(b" ")
            last[symbol.decode()] = message.decode()
            if TIMER_MS:
                due.append((symbol, message))
            else:
                app.publish(symbol, message, OpCode.TEXT)

    def timer_turn(_data: object) -> None:
        for symbol, message in due:
            app.publish(symbol, message, OpCode.TEXT)
        due.clear()

    settings = {
        "compression": CompressOptions.DISABLED,
        "max_payload_length": 16 << 20,
        "max_backpressure": 16 << 20,
        "idle_timeout": 120,
    }
    app.ws("/stream", {**settings, "message": stream_message})
    app.ws("/ticks", {**settings, "message": ticks_message})
    if TIMER_MS:
        timer = app.loop.uv_loop.create_timer(TIMER_MS, TIMER_MS, timer_turn, None)  # noqa: F841
    app.listen({"host": "127.0.0.1", "port": port}, lambda _config: None)
    while True:
        app.loop.uv_loop.run_once()


if __name__ == "__main__":
    main(int(sys.argv[1]))
