"""Every line of the pages that asks by curl, asked of a gateway with a morning behind it."""

from __future__ import annotations

import os
import time
import urllib.request
from collections.abc import Iterator

import pytest

from tests.docs.blocks import commands
from tests.gateway.conftest import E9, Rig
from tests.gateway.kept import keep, kept_bar
from ticker.config import Config
from ticker.store.past import Past
from ticker.store.reader import HistoryReader

SERVER = "localhost:8700"
LINES = sorted({tuple(words) for _, words in commands() if words[0] == "curl"})


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    folder = tmp_path_factory.mktemp("kept")
    minute = int(time.time()) // 60 * 60
    keep(folder, [kept_bar("AAPL", minute - 60 * age, 185 * E9) for age in range(9, 0, -1)])
    made = Rig(f"requests{os.getpid()}", Config(), past=Past(HistoryReader(folder)))
    for symbol in ("AAPL", "MSFT"):
        made.trade(made.row(symbol), 185 * E9)
    yield made
    made.close()


@pytest.mark.parametrize("line", LINES, ids=" ".join)
def test_it_is_answered(rig: Rig, line: tuple[str, ...]) -> None:
    (address,) = (word for word in line if word.startswith(SERVER))
    given = [line[at + 1] for at, word in enumerate(line) if word == "-H"]
    headers = dict(header.split(": ") for header in given)
    assert {word for word in line if word.startswith("-")} <= {"-N", "-H"}
    url = f"http://127.0.0.1:{rig.port}{address.removeprefix(SERVER)}"
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
        assert answer.status == 200
        assert answer.readline().strip()
