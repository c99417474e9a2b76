"""Both clients hold the dialogues of clients/conformance, step by step."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.clients.package import ROOT, run
from ticker_client.dialogue import Dialogue
from ticker_client.errors import TickerError
from ticker_client.topic import Event, Topic

DIALOGUES = sorted((ROOT / "clients" / "conformance").glob("*.json"))
RUNNER = Path(__file__).with_name("conformance.mjs")
CHECKED = ("commands", "events", "deadline", "unknown", "pause", "error")
ids = [path.stem for path in DIALOGUES]


def steps_of(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["steps"]
    return found


def check(path: Path, outcomes: list[dict[str, Any]]) -> None:
    """Every step did what stands beside it, and nothing else."""
    steps = steps_of(path)
    assert len(outcomes) == len(steps)
    for number, (step, outcome) in enumerate(zip(steps, outcomes, strict=True)):
        for name in CHECKED:
            if name in step or name == "error":
                wanted = step.get(name)
                if isinstance(wanted, float):
                    wanted = pytest.approx(wanted)
                assert outcome.get(name) == wanted, (path.stem, number, name)


# The Python client


def outcome(dialogue: Dialogue, step: dict[str, Any]) -> dict[str, Any]:
    try:
        return _outcome(dialogue, step)
    except TickerError as error:
        return {"error": type(error).__name__}


def _outcome(dialogue: Dialogue, step: dict[str, Any]) -> dict[str, Any]:
    for name, act in (("subscribe", dialogue.subscribe), ("unsubscribe", dialogue.unsubscribe)):
        if name in step:
            words = dict(step[name])
            symbols = words.pop("symbols")
            return {"commands": _commands(act(Topic(**words), symbols))}
    if "feed" in step:
        return {}
    if "opened" in step:
        dialogue.opened(step["opened"])
        return {}
    if "closed" in step:
        return {"pause": dialogue.closed(step["closed"], step["chance"])}
    events, commands = dialogue.received(step["received"], step["now"])
    return {
        "events": [_tree(event) for event in events],
        "commands": _commands(commands),
        "deadline": dialogue.deadline,
        "unknown": {channel: sorted(names) for channel, names in dialogue.unknown.items()},
    }


def _tree(event: Event) -> dict[str, Any]:
    tree = msgspec.to_builtins(event, builtin_types=(datetime, Decimal))
    return {name: _plain(value) for name, value in tree.items()}


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, Decimal):
        return format(value, "f")
    return _time(value) if isinstance(value, datetime) else value


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _commands(texts: list[str]) -> list[dict[str, Any]]:
    """A time of `last_seen` may be written in any way that RFC 3339 has."""
    found = [json.loads(text) for text in texts]
    for command in found:
        for symbol, seen in command.get("last_seen", {}).items():
            if seen is not None:
                command["last_seen"][symbol] = _time(datetime.fromisoformat(seen))
    return found


@pytest.mark.parametrize("path", DIALOGUES, ids=ids)
def test_python(path: Path) -> None:
    dialogue = Dialogue()
    check(path, [outcome(dialogue, step) for step in steps_of(path)])


# The TypeScript client


@pytest.fixture(scope="module")
def of_node(project: Path) -> dict[Path, list[dict[str, Any]]]:
    """What it made of each dialogue."""
    dist = project / "node_modules" / "@ticker" / "client" / "dist"
    lines = run("node", str(RUNNER), str(dist), *map(str, DIALOGUES), folder=project)
    return dict(zip(DIALOGUES, map(json.loads, lines.splitlines()), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("path", DIALOGUES, ids=ids)
def test_typescript(path: Path, of_node: dict[Path, list[dict[str, Any]]]) -> None:
    check(path, of_node[path])


def test_a_check_that_must_fail() -> None:
    outcomes = [outcome(Dialogue(), step) for step in steps_of(DIALOGUES[0])]
    with pytest.raises(AssertionError):
        check(DIALOGUES[0], outcomes)
