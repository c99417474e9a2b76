"""The server holds the recorded dialogues of clients/conformance: the same bytes in and out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.record_dialogues import SCENARIOS
from tests.clients.stage import Stage
from tests.clients.test_conformance import DIALOGUES, steps_of

RECORDED = [path for path in DIALOGUES if any("feed" in step for step in steps_of(path))]


@pytest.mark.slow
@pytest.mark.parametrize("path", RECORDED, ids=[path.stem for path in RECORDED])
def test_server(path: Path) -> None:
    """record_dialogues.py says how to record them anew."""
    stage = Stage()
    try:
        for number, step in enumerate(steps_of(path)):
            if "feed" in step:
                stage.feed(step["feed"])
            if "opened" in step:
                stage.open()
            if "received" in step:
                assert stage.receive() == step["received"], (path.stem, number)
            for command in step.get("commands", ()):
                stage.send(command)
    finally:
        stage.close()


def test_all_scenarios_are_recorded() -> None:
    assert {path.stem for path in RECORDED} == set(SCENARIOS)
