"""What all tests share: optional things by name, and the folder of sample captures.

A test that needs something which a machine may lack asks `require` for it. The test is then
skipped and says why, or fails where TICKER_REQUIRE_ALL=1 promises that all is there (CI).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
REQUIRE_ALL = os.environ.get("TICKER_REQUIRE_ALL") == "1"

Require = Callable[[object, str], None]


def _require(what: object, reason: str) -> None:
    """Skip unless `what` holds: a program's name that is on PATH, or anything true."""
    there = shutil.which(what) if isinstance(what, str) else what
    if there:
        return
    if REQUIRE_ALL:
        pytest.fail(f"TICKER_REQUIRE_ALL=1, but {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def require() -> Require:
    """`require(program_or_condition, reason)`: the rest of the test runs only with it."""
    return _require


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of sample captures: TICKER_SAMPLES, or ../shared/feeds beside the tree."""
    folder = Path(os.environ.get("TICKER_SAMPLES") or ROOT.parent / "shared" / "feeds")
    _require(folder.is_dir(), f"no sample captures at {folder}; set TICKER_SAMPLES")
    return folder


@pytest.fixture(scope="session")
def root() -> Path:
    """The top of the source tree."""
    return ROOT
