"""Fixtures of all tests: optional programs by name, and the folder of sample captures.

A test that needs something which a machine may lack asks `require` for it. The test is then
skipped and says why, or fails where TICKER_REQUIRE_ALL=1 promises that all is there (CI).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

import ticker.units

ROOT = Path(__file__).resolve().parent.parent
# `bench` is of the tree, and behind everything: the build under test is found first.
sys.path.append(str(ROOT))
REQUIRE_ALL = os.environ.get("TICKER_REQUIRE_ALL") == "1"

# `make test`: the same examples everywhere, none kept from an earlier run, and no clock decides.
settings.register_profile("same", derandomize=True, database=None, deadline=None)
# `make stress`: others each time, by the seed that it prints (--hypothesis-seed).
settings.register_profile("explore", max_examples=1000, database=None, deadline=None)
settings.load_profile("same")

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


@pytest.fixture(scope="session", autouse=True)
def states_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Servers of the tests keep their last prices in folders that pytest removes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("STATE_DIRECTORY", raising=False)
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(autouse=True)
def states_of_the_test(
    states_of_the_session: None,  # noqa: ARG001 - its folder is the default
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    """A server that a test starts knows no prices of the test before."""
    name = hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:16]
    monkeypatch.setenv("XDG_STATE_HOME", str(Path(os.environ["XDG_STATE_HOME"]) / name))


@pytest.fixture(scope="session", autouse=True)
def build_under_test() -> None:
    """`make test DEBUG=1` must test the debug build, here and in every subprocess."""
    if os.environ.get("TICKER_DEBUG") != "1":
        return
    expected = ROOT / "build" / "debug" / "lib" / "ticker"
    code = "import ticker.units; print(ticker.units.__file__)"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for found in (ticker.units.__file__, child.stdout.strip()):
        assert Path(found).parent == expected, f"{found} is not the debug build in {expected}"
