"""The packed TypeScript client, made once."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests.clients.package import Require, installed, packed, require_node, run


@pytest.fixture(scope="session")
def tarball(require: Require, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `npm pack` makes."""
    require_node(require)
    return packed(tmp_path_factory.mktemp("packed"))


@pytest.fixture(scope="session")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the Python client."""
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(root / "clients" / "python", folder / "source")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet"]
    command += ["--no-build-isolation", "--wheel-dir", str(folder), str(folder / "source")]
    run(*command, folder=folder)
    (found,) = folder.glob("ticker_client-*.whl")
    return found


@pytest.fixture(scope="session")
def project(tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package in its node_modules."""
    return installed(tmp_path_factory.mktemp("installed"), tarball)
