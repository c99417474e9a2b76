"""Every folder of samples, by the protocol that it is named after. Law 8: a new protocol is one
file and one folder here; no test has to be written to have its samples run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from ticker.feeds.workers.known import modules

FOLDERS = Path(__file__).resolve().parents[2] / "data"
PROTOCOLS = set(modules("protocols"))
CASES = [case for case in sorted(FOLDERS.glob("*/*.bin")) if case.parent.name in PROTOCOLS]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.stem}")
def test_sample(case: Path, check_sample: Callable[[Path, str], None]) -> None:
    check_sample(case, case.parent.name)


def test_there_are_samples_and_each_belongs_to_a_protocol() -> None:
    found = Counter(case.parent.name for case in CASES)
    assert found >= Counter(itch50=10, pitch=8, tops=5, deep=3, pillar=10)
    folders = {folder.name for folder in FOLDERS.iterdir() if any(folder.glob("*.bin"))}
    assert folders <= PROTOCOLS
    for case in CASES:
        assert case.with_suffix(".json").is_file()
