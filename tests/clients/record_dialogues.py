"""The recorded dialogues of clients/conformance, made anew:

    PYTHONPATH=.:clients/python .venv/bin/python -m tests.clients.record_dialogues

Each is played on a real server: its texts are those of the server, its commands those that the
Python client sends. What a program is told of them is worked out here, from the texts alone.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.clients.stage import Stage
from ticker_client.dialogue import Dialogue
from ticker_client.topic import Topic

FOLDER = Path(__file__).resolve().parents[2] / "clients" / "conformance"
STRINGS = {"price", "open", "high", "low", "close", "vwap", "volume", "size", "base", "change",
           "change_percent"}  # fmt: skip
T = "2026-03-31T14:30:{:09.6f}Z"
BARS = {"channel": "bars", "interval": "1s", "symbols": ["AAPL"]}
DEPTH = {"channel": "depth", "levels": 3, "symbols": ["AAPL"]}
MOVERS = {"channel": "movers", "limit": 2, "symbols": [""]}
HELLO = [{"open": 1}, {"receive": 1}]

SCENARIOS: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "live_bars": (
        "Bars of a second: one forms, is final, is updated; the next connection brings the newest.",
        [
            {"feed": ["trade", "AAPL", "185", T.format(0.5)]},
            {"feed": ["bar", "AAPL", "1s", T.format(0), "forming", "185.42"]},
            {"subscribe": BARS},
            *HELLO,
            {"receive": 2},
            {"feed": ["bar", "AAPL", "1s", T.format(0), "final", "185.43"]},
            {"receive": 1},
            {"feed": ["bar", "AAPL", "1s", T.format(1), "forming", "9223372036.854775807"]},
            {"receive": 1},
            {"feed": ["bar", "AAPL", "1s", T.format(0), "updated", "184.999999999"]},
            {"receive": 1},
            {"subscribe": {**BARS, "interval": "1d"}},
            {"receive": 1},
            {"feed": ["bar", "AAPL", "1d", T.format(0), "forming", "186"]},
            {"receive": 1},
            {"unsubscribe": {**BARS, "interval": "1d"}},
            {"receive": 1},
            {"close": None},
            *HELLO,
            {"receive": 2},
        ],
    ),
    "depth": (
        "A book and its changes: each is told whole, best levels first, with all digits.",
        [
            {"feed": ["trade", "AAPL", "185", T.format(0.5)]},
            {
                "feed": [
                    "book",
                    "AAPL",
                    [["185.42", 300], ["185.41", 120]],
                    [["185.44", 80]],
                    T.format(1),
                ]
            },
            {"subscribe": DEPTH},
            *HELLO,
            {"receive": 2},
            {
                "feed": [
                    "book",
                    "AAPL",
                    [["185.42", 300], ["185.4", 75], ["185.39", 9]],
                    [["185.43", 1], ["185.44", 80]],
                    T.format(2),
                ]
            },
            {"receive": 1},
            {
                "feed": [
                    "book",
                    "AAPL",
                    [["185.4", 75]],
                    [["185.000000001", 2], ["185.43", 1], ["1000", 7]],
                    T.format(3),
                ]
            },
            {"receive": 1},
            {"close": 1006},
            *HELLO,
            {"receive": 2},
            {"unsubscribe": DEPTH},
            {"receive": 1},
        ],
    ),
    "movers": (
        "Lists of the whole market, which name no symbols.",
        [
            {"feed": ["close_before", "AAPL", "184", 7]},
            {"feed": ["close_before", "MSFT", "400.5", 5]},
            {"feed": ["trade", "AAPL", "185.42", T.format(1)]},
            {"feed": ["trade", "MSFT", "399", T.format(2)]},
            {"subscribe": MOVERS},
            *HELLO,
            {"receive": 2},
            {"feed": ["trade", "AAPL", "183", T.format(3)]},
            {"receive": 1},
            {"unsubscribe": MOVERS},
            {"receive": 1},
        ],
    ),
    "groups": (
        "A watchlist and all symbols, with one of their symbols beside them.",
        [
            {"feed": ["trade", "AAPL", "185", T.format(1)]},
            {"feed": ["trade", "MSFT", "400", T.format(2)]},
            {"subscribe": {"channel": "price", "symbols": ["@tech", "@nosuch"]}},
            *HELLO,
            {"receive": 4},
            {"subscribe": {"channel": "price", "symbols": ["AAPL"]}},
            {"receive": 2},
            {"unsubscribe": {"channel": "price", "symbols": ["@tech"]}},
            {"receive": 2},
            {"feed": ["trade", "MSFT", "401", T.format(3)]},
            {"feed": ["trade", "AAPL", "186", T.format(4)]},
            {"receive": 1},
            {"subscribe": {"channel": "price", "symbols": ["*"]}},
            {"receive": 3},
            {"unsubscribe": {"channel": "price", "symbols": ["AAPL"]}},
            {"feed": ["trade", "AAPL", "187", T.format(5)]},
            {"receive": 1},
        ],
    ),
    "recorded_prices": (
        "Prices over two connections: the second one brings what is newer.",
        [
            {"feed": ["trade", "AAPL", "185.42", T.format(1)]},
            {"subscribe": {"channel": "price", "symbols": ["AAPL", "NOSUCH"]}},
            *HELLO,
            {"receive": 2},
            {"feed": ["trade", "AAPL", "0.000000001", T.format(2)]},
            {"receive": 1},
            {"subscribe": {"channel": "trades", "symbols": ["MSFT"]}},
            {"receive": 1},
            {"feed": ["trade", "MSFT", "400", T.format(3)]},
            {"receive": 1},
            {"close": 1012},
            {"feed": ["trade", "AAPL", "186", T.format(4)]},
            *HELLO,
            {"receive": 2},
        ],
    ),
}


class Told:
    """What a program is told of a text: prices and sizes as text, and books whole."""

    def __init__(self) -> None:
        self.books: dict[str, dict[str, Any]] = {}

    def of(self, text: str) -> list[dict[str, Any]]:
        message = json.loads(text, parse_float=str)
        kind = message["type"]
        if kind in ("depth", "delta"):
            return [self._book(message)]
        wanted = ("snapshot", "update", "correction", "cancel", "lagged", "bar", "movers")
        return [_exact(message)] if kind in wanted else []

    def _book(self, message: dict[str, Any]) -> dict[str, Any]:
        before = self.books.get(message["symbol"], {})
        book = {**message, "type": "depth"}
        sides = {side: {str(p): str(s) for p, s in message[side]} for side in ("bids", "asks")}
        if message["type"] == "delta":
            assert book.pop("previous_seq") == before["seq"]
            book["levels"] = before["levels"]
            for side, levels in sides.items():
                sides[side] = {**dict(before[side]), **levels}
        for side, levels in sides.items():
            kept = [[price, size] for price, size in levels.items() if size != "0"]
            book[side] = sorted(kept, key=lambda each: Decimal(each[0]), reverse=side == "bids")
        self.books[message["symbol"]] = book
        return book


def _exact(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _exact(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [_exact(each, name) for each in value]
    return str(value) if name in STRINGS and value is not None else value


def command_of(text: str) -> dict[str, Any]:
    """A command, its times written as the server writes them."""
    found: dict[str, Any] = json.loads(text)
    for symbol, seen in found.get("last_seen", {}).items():
        if seen is not None:
            moment = datetime.fromisoformat(seen).astimezone(UTC)
            found["last_seen"][symbol] = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return found


def recorded(about: str, scenario: list[dict[str, Any]]) -> dict[str, Any]:
    """A dialogue, played on a server."""
    stage, dialogue, told = Stage(), Dialogue(), Told()
    steps: list[dict[str, Any]] = []
    now, heartbeat = 0.0, 5.0
    try:
        for step in scenario:
            for name, act in (
                ("subscribe", dialogue.subscribe),
                ("unsubscribe", dialogue.unsubscribe),
            ):
                if name in step:
                    words = dict(step[name])
                    symbols = words.pop("symbols")
                    commands = [*map(command_of, act(Topic(**words), symbols))]
                    steps.append({name: step[name], "commands": commands})
                    for command in commands:
                        stage.send(command)
            if "feed" in step:
                stage.feed(step["feed"])
                steps.append(step)
            elif "open" in step:
                stage.open()
                dialogue.opened(now)
                steps.append({"opened": now})
            elif "close" in step:
                pause = dialogue.closed(step["close"], 0.0)
                steps.append({"closed": step["close"], "chance": 0.0, "pause": pause})
            for _ in range(step.get("receive", 0)):
                now += 0.5
                text = stage.receive()
                commands = [*map(command_of, dialogue.received(text, now)[1])]
                deadline = now + 2 * heartbeat
                steps.append(
                    {"received": text, "now": now, "events": told.of(text), "commands": commands,
                     "deadline": deadline}
                )  # fmt: skip
                for command in commands:
                    stage.send(command)
    finally:
        stage.close()
    return {"about": about, "steps": steps}


def main() -> None:
    """Record all of them anew."""
    for name, (about, scenario) in SCENARIOS.items():
        found = recorded(about, scenario)
        lines = ",\n".join(f"    {json.dumps(step)}" for step in found["steps"])
        text = f'{{\n  "about": {json.dumps(about)},\n  "steps": [\n{lines}\n  ]\n}}\n'
        (FOLDER / f"{name}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
